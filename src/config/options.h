/* The table of keys (options.inc) as parsing, checking and dumping see it. */
#ifndef LCAL_CONFIG_OPTIONS_H
#define LCAL_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "lcal/config.h"

#define LCAL__CONFIG_FILE_MAX ((size_t)1 << 20) /* bytes of a configuration */
#define LCAL__CONFIG_PATH_MAX ((size_t)4096)    /* bytes of a path, its zero included */
#define LCAL__CONFIG_ADAPTERS_MAX 64
#define LCAL__CONFIG_WEIGHT_MAX 1000.0 /* of an adapter, either sign */
#define LCAL__OPTION_WORDS_MAX 16
#define LCAL__OPTION_COUNT 81 /* keys; checked against the table */

typedef enum lcal__option_kind {
    LCAL__OPTION_INTEGER, /* uint64_t */
    LCAL__OPTION_NUMBER,  /* double */
    LCAL__OPTION_BOOLEAN, /* bool */
    LCAL__OPTION_CHOICE,  /* an enum: index into words */
    LCAL__OPTION_TARGETS, /* lcal__targets: bit (1 << index into words) */
    LCAL__OPTION_PATH,    /* char * */
    LCAL__OPTION_TEXT,    /* char * */
    LCAL__OPTION_ADAPTERS /* lcal__settings.adapters and adapter_count */
} lcal__option_kind;

/* What must be at a path. */
typedef enum lcal__option_place {
    LCAL__PLACE_FOLDER,
    LCAL__PLACE_FILE,
    LCAL__PLACE_TEST_FILE, /* a file that only evaluation reads, and cannot do without */
    LCAL__PLACE_FILE_OR_FOLDER,
    LCAL__PLACE_FILE_OR_DEFAULT, /* the word "default" is no path */
    LCAL__PLACE_OUTPUT           /* a directory or nothing yet */
} lcal__option_place;

typedef struct lcal__option {
    lcal_option shown;
    lcal__option_kind kind;
    size_t offset; /* into lcal__settings */
    struct {
        uint64_t low, high; /* both allowed */
    } integer;
    struct {
        double low, high;
        char left, right; /* '(' and ')' exclude the bound, '[' and ']' allow it */
    } number;
    struct {
        lcal__option_place place;
        bool required;
    } path;
    const char *words[LCAL__OPTION_WORDS_MAX + 1]; /* of a choice or of targets; NULL ends them */
} lcal__option;

/* The table, LCAL__OPTION_COUNT rows in the order of lcal_options. */
const lcal__option *lcal__option_rows(void);

/* Index of the row of a key, LCAL__OPTION_COUNT where there is none. */
size_t lcal__option_find(const char *key);

size_t lcal__option_word_count(const lcal__option *option);

/* Where the option's value lives, for memcpy of the type of its kind. */
void *lcal__option_field(const lcal__option *option, lcal__settings *settings);
const void *lcal__option_value(const lcal__option *option, const lcal__settings *settings);

#endif
