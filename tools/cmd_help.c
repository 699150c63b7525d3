#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exit.h"
#include "help.h"

static int run(const cli_call *call)
{
    if (call->operand_count == 0) {
        help_overview();
        return 0;
    }
    const char *topic = call->operands[0];
    if (strcmp(topic, "config") == 0) {
        help_config();
        return 0;
    }
    const cli_command *command = cli_find(topic);
    if (!command) {
        const char *nearest = cli_nearest_command(topic);
        fprintf(stderr, "lcal help: no command \"%s\"%s%s%s\n", topic,
                nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
        return EXIT_USAGE;
    }
    help_command(command);
    return 0;
}

static const cli_option options[] = {{0}};

const cli_command cmd_help = {
    .name = "help",
    .summary = "Explain a command, or with `config` every key of a configuration",
    .arguments = "[COMMAND | config]",
    .options = options,
    .operands_max = 1,
    .run = run,
};
