/*
 * Help, made from the tables of commands, options and configuration keys: as text for a terminal,
 * as JSON, as manual pages, as Markdown. All of it goes to stdout.
 */
#ifndef LCAL_TOOLS_HELP_H
#define LCAL_TOOLS_HELP_H

#include "cli.h"

/* The overview: every command with its summary. */
void help_overview(void);

/* Usage, options with default and range, details, and the configuration keys where they apply. */
void help_command(const cli_command *command);

/* Every key of a configuration file. */
void help_config(void);

/* The keys that a topic names: "train.lr", all of a section ("data" or "data."), or all whose last
 * part it is ("lr"). Returns how many; nothing is printed for 0. */
size_t help_keys(const char *topic);

/* JSON: one object with everything; of one command; with the keys of a topic (NULL: all). */
void help_json_all(void);
void help_json_command(const cli_command *command);
void help_json_keys(const char *topic);

/* Manual pages, for troff with the macros man(7): lcal(1), lcal-COMMAND(1), lcal-config(5). */
void help_man_overview(void);
void help_man_command(const cli_command *command);
void help_man_config(void);

/* docs/config.md */
void help_markdown_config(void);

#endif
