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

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: reading must end */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_wanted(void)
{
    return wanted != 0;
}

void interrupt_clear(void)
{
    wanted = 0;
}
