/*
 * Configurations: a YAML file plus dotted key=value overrides, checked as a whole.
 *
 * Unknown keys (with a near miss suggested), wrong types, values out of range and missing files are
 * all collected and reported together in one message, each with line and column (or "override N").
 */
#ifndef LCAL_CONFIG_H
#define LCAL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One key of the table that drives parsing, help and documentation. All text is static. */
typedef struct lcal_option {
    const char *key;  /* dotted: "train.lr" */
    const char *type; /* "integer", "number", "boolean", "text", "path", "choice", "list" */
    const char
        *fallback; /* default as it would be written, "" where the key must be given or is empty */
    const char *range; /* "1..65536", "output | broadcast", "" */
    const char *help;  /* one sentence */
} lcal_option;

/* The table, in the order of documentation. */
LCAL_API const lcal_option *lcal_options(size_t *count);

/* Whether training cannot do without the key: there is no default. */
LCAL_API bool lcal_option_required(const char *key);

typedef struct lcal_config lcal_config;

/*
 * Reads `path` (NULL: defaults only) and applies `overrides` ("train.lr=3e-3", `count` of them; a
 * value is YAML). Paths in the file are relative to it, in overrides to the working directory. The
 * caller owns *out and frees it with lcal_config_close. LCAL_CONFIG: the input is not valid.
 */
LCAL_API lcal_status lcal_config_open(const char *path, const char *const *overrides, size_t count,
                                      lcal_config **out, lcal_error *err);
LCAL_API void lcal_config_close(lcal_config **config);

/* What a configuration is for: which keys must be given, and what must be there. */
typedef enum lcal_purpose {
    LCAL_FOR_RUN,     /* lcal_train: model, data.train and out */
    LCAL_FOR_TRAINER, /* lcal_trainer_open: model and data.train; without out nothing is written
                         unless asked */
    LCAL_FOR_MODEL,   /* lcal_model_open_config: model; other files may be gone */
    LCAL_FOR_EVAL, /* lcal_evaluate: model and eval.test; method and merge.method are the row's */
} lcal_purpose;

/* As lcal_config_open, which is for a run. */
LCAL_API lcal_status lcal_config_open_for(lcal_purpose purpose, const char *path,
                                          const char *const *overrides, size_t count,
                                          lcal_config **out, lcal_error *err);

/* The resolved configuration, every key, as YAML that opens to the same configuration. Free with
 * lcal_text_free. */
LCAL_API lcal_status lcal_config_dump(const lcal_config *config, char **text, lcal_error *err);

/* Where training writes: the resolved key `out`. Valid while the config lives. */
LCAL_API const char *lcal_config_run_directory(const lcal_config *config);

/* "Did you mean": the one of `count` words that `word` is most likely a misspelling of; NULL: none
 * is near. */
LCAL_API const char *lcal_nearest_word(const char *word, const char *const *words, size_t count);

/* Frees text that the library returned. NULL is allowed. */
LCAL_API void lcal_text_free(char *text);

#ifdef __cplusplus
}
#endif
#endif
