/* What help says in every format. */
#ifndef LCAL_TOOLS_HELP_PARTS_H
#define LCAL_TOOLS_HELP_PARTS_H

#include "cli.h"
#include "lcal/config.h"

/* A row of a short table. NULL name ends it. */
typedef struct help_row {
    const char *name, *text;
} help_row;

extern const help_row help_statuses[];    /* exit statuses */
extern const help_row help_environment[]; /* environment variables */
extern const char help_tagline[], help_config_intro[], help_output_note[];

/* An option's help with what it may be and its default, in text[0..size). */
void help_describe_option(const cli_option *option, char *text, size_t size);

/* "integer; default 4; 1..1024" of a key. */
void help_describe_key(const lcal_option *key, char *text, size_t size);

/* What an example of a key has for its value: its default, or what it must be ("DIR", "FILE"). */
const char *help_example_value(const lcal_option *key);

/* Length of the section of a key: 5 of "train.lr", 0 of "model". */
size_t help_section(const char *key);

/* "What a run does" of the section key[0..help_section(key)); NULL: nothing is known of it. */
const char *help_section_title(const char *key);

/* Whether a topic names the key; see help_keys. */
bool help_is_topic(const char *topic, const lcal_option *key);

#endif
