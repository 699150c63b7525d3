/* lcal, the command line: finds the command, parses its options, runs it, maps errors to statuses.
 */
#define _POSIX_C_SOURCE 200809L /* sigaction */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "exit.h"
#include "help.h"

const cli_command *const cli_commands[] = {
#define COMMAND_ROW(name) &cmd_##name,
    COMMANDS(COMMAND_ROW)
#undef COMMAND_ROW
        NULL,
};

static int run_command(const cli_command *command, int argc, char **argv)
{
    cli_call call;
    int status = cli_parse(command, argc, argv, &call);
    if (status == 0 && call.help)
        help_command(command);
    else if (status == 0)
        status = command->run(&call);
    cli_free(&call);
    return status;
}

static int unknown_command(const char *name)
{
    const char *nearest = cli_nearest_command(name);
    if (nearest)
        fprintf(stderr, "lcal: unknown command \"%s\"; did you mean `lcal %s`?\n", name, nearest);
    else
        fprintf(stderr, "lcal: unknown command \"%s\"; `lcal help` lists them\n", name);
    return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        fputs("lcal: a command is missing; `lcal help` lists them\n", stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = cmd_help.name;
    else if (strcmp(name, "--version") == 0)
        name = cmd_version.name;
    const cli_command *command = cli_find(name);
    return command ? run_command(command, argc - 2, argv + 2) : unknown_command(name);
}

int main(int argc, char **argv)
{
    /* A reader that goes away is an error to report, not a silent death. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    return exit_close_stdout(run(argc, argv));
}
