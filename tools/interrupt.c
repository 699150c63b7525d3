#define _POSIX_C_SOURCE 200809L /* sigaction */
#include "interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "exit.h"

static volatile sig_atomic_t wanted;

static void on_signal(int number)
{
    (void)number;
    if (wanted)
        _exit(EXIT_INTERRUPTED);
    wanted = 1;
}

void interrupt_breaks_waiting(bool breaks)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = breaks ? 0 : SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void interrupt_catch(void)
{
    interrupt_breaks_waiting(false);
}

bool interrupt_wanted(void)
{
    return wanted != 0;
}

void interrupt_clear(void)
{
    wanted = 0;
}
