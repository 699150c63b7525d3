/* The commands: one file cmd_NAME.c each, one row here, in the order of help. */
#ifndef LCAL_TOOLS_COMMANDS_H
#define LCAL_TOOLS_COMMANDS_H

#include "cli.h"

#define COMMANDS(X)                                                                                \
    X(train)                                                                                       \
    X(preview)                                                                                     \
    X(score)                                                                                       \
    X(generate)                                                                                    \
    X(eval)                                                                                        \
    X(methods)                                                                                     \
    X(inspect)                                                                                     \
    X(tokenize)                                                                                    \
    X(tokenizer)                                                                                   \
    X(merge)                                                                                       \
    X(export)                                                                                      \
    X(verify)                                                                                      \
    X(convert)                                                                                     \
    X(plot)                                                                                        \
    X(bench)                                                                                       \
    X(completion)                                                                                  \
    X(help)                                                                                        \
    X(version)

#define COMMAND_DECLARATION(name) extern const cli_command cmd_##name;
COMMANDS(COMMAND_DECLARATION)
#undef COMMAND_DECLARATION

#endif
