/*
 * Commands and options as tables: the same rows drive parsing, near misses and help.
 *
 *   lcal COMMAND [--name VALUE | --name=VALUE | --flag]... [FILE] [key=value ...]
 *
 * Options and other arguments may be mixed; "--" ends the options. A command's values are a struct
 * of its own, zeroed, into which each row points by offset.
 */
#ifndef LCAL_TOOLS_CLI_H
#define LCAL_TOOLS_CLI_H

#include <stdbool.h>
#include <stddef.h>

typedef enum cli_kind {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char *, NULL where not given */
    CLI_TEXTS,  /* cli_texts: may be given several times */
    CLI_COUNT,  /* size_t, low..high */
    CLI_NUMBER, /* double, from..to */
    CLI_CHOICE, /* size_t, index into words */
} cli_kind;

typedef struct cli_texts {
    const char **items;
    size_t count;
} cli_texts;

typedef struct cli_option {
    const char *name; /* without the dashes; NULL ends a table */
    cli_kind kind;
    size_t offset;
    const char *value; /* what help calls the value: "DIR", "N" */
    bool required;
    bool empty;               /* CLI_TEXT, CLI_TEXTS: "" is a value */
    size_t low, high;         /* CLI_COUNT */
    double from, to;          /* CLI_NUMBER, both allowed */
    const char *const *words; /* CLI_CHOICE: NULL-terminated */
    const char *fallback;     /* default as help shows it; NULL: nothing to show. Counts, numbers
                                 and choices that are not given take it where it is one */
    const char *help;
} cli_option;

typedef struct cli_call cli_call;

typedef struct cli_command {
    const char *name;
    const char *summary;   /* one line */
    const char *arguments; /* after the options in the usage line; "" for none */
    const char *operand;   /* what a missing one is called: "CONFIG" */
    const char *details;   /* paragraphs for `help COMMAND`, or NULL */
    const cli_option *options;
    size_t values_size;
    size_t operands_min, operands_max; /* arguments that are neither option nor key=value */
    bool overrides;                    /* key=value is understood */
    bool config_keys;                  /* help lists the keys of configurations */
    int (*run)(const cli_call *call);  /* returns the exit status */
} cli_command;

/* A parsed command line. Text points into argv. */
struct cli_call {
    const cli_command *command;
    void *values;
    bool *given; /* one an option of the table; see cli_given */
    const char **operands;
    size_t operand_count;
    const char **overrides;
    size_t override_count;
    bool help; /* --help or -h was given: nothing else was checked for */
};

/* All commands, in the order of help; NULL-terminated. */
extern const cli_command *const cli_commands[];

/* NULL where there is none of that name. */
const cli_command *cli_find(const char *name);

/* The command's name nearest to a misspelt one, or NULL. */
const char *cli_nearest_command(const char *name);

/*
 * Parses argv[0..argc), what follows the command's name. Every mistake is printed to stderr, with a
 * hint at its end. Returns the exit status, 0 where all is well; end with cli_free in any case.
 */
int cli_parse(const cli_command *command, int argc, char **argv, cli_call *out);
void cli_free(cli_call *call);

/* Whether the option of that name stood on the command line. */
bool cli_given(const cli_call *call, const char *name);

/* A decimal number without sign, in low..high. */
bool cli_count(const char *text, size_t low, size_t high, size_t *out);

/* A decimal number ("0.9", "-1e-3") in from..to, which is finite. */
bool cli_number(const char *text, double from, double to, double *out);

/* Prints the usage error as cli_parse does and returns its exit status. */
int cli_usage_error(const cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
