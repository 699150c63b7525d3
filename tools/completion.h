/* Completion for shells, made from the tables of commands, options and keys. */
#ifndef LCAL_TOOLS_COMPLETION_H
#define LCAL_TOOLS_COMPLETION_H

/* A script for bash 4.3 and later, to stdout. It completes commands, options, their choices, keys
 * with their choices, files and directories; it does not run lcal. */
void completion_bash(void);

#endif
