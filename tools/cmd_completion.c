#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "completion.h"

static int run(const cli_call *call)
{
    if (strcmp(call->operands[0], "bash") != 0)
        return cli_usage_error(call->command, "expected bash, found \"%s\"", call->operands[0]);
    completion_bash();
    return 0;
}

static const cli_option options[] = {{0}};

const cli_command cmd_completion = {
    .name = "completion",
    .summary = "Print a script that completes commands, options and keys in bash",
    .arguments = "bash",
    .operand = "the shell's name, bash,",
    .details = "An installed lcal brings the script along. Else: source <(lcal completion bash)",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
