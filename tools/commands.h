/* The commands: one file cmd_NAME.c each. */
#ifndef LCAL_TOOLS_COMMANDS_H
#define LCAL_TOOLS_COMMANDS_H

#include "cli.h"

extern const cli_command cmd_train, cmd_score, cmd_inspect, cmd_tokenize, cmd_convert, cmd_bench, cmd_help,
    cmd_version;

#endif
