/* Help text, made from the tables of commands, options and configuration keys. */
#ifndef LCAL_TOOLS_HELP_H
#define LCAL_TOOLS_HELP_H

#include "cli.h"

/* The overview: every command with its summary. */
void help_overview(void);

/* Usage, options with default and range, details, and the configuration keys where they apply. */
void help_command(const cli_command *command);

/* Every key of a configuration file. */
void help_config(void);

#endif
