/*
 * Patterns that choose modules by name, as PEFT reads them: names, name endings and Python regular
 * expressions. An expression is translated to POSIX ERE, which decides the same for whole matches;
 * what ERE cannot say (look-around, back-references, ...) is LCAL_UNSUPPORTED.
 */
#ifndef LCAL_MODEL_MODULE_PATTERN_H
#define LCAL_MODEL_MODULE_PATTERN_H

#include <regex.h>
#include <stdbool.h>

#include "base/status.h"

typedef enum lcal__pattern_kind {
    LCAL__PATTERN_NAME,   /* the module's name, or its end behind a dot; never an expression */
    LCAL__PATTERN_SUFFIX, /* re.match(r"(.*\\.)?(KEY)$", name) */
    LCAL__PATTERN_WHOLE,  /* re.fullmatch(KEY, name) */
} lcal__pattern_kind;

/* Zeroed is valid and matches nothing. */
typedef struct lcal__pattern {
    const char *text; /* not owned */
    lcal__pattern_kind kind;
    bool is_regex; /* compiled is set; a text without special characters is compared instead, its
                      dots being dots */
    regex_t compiled;
} lcal__pattern;

/* `text` must outlive *out; source and key are what messages call the place. */
lcal_status lcal__pattern_compile(const char *text, lcal__pattern_kind kind, const char *source,
                                  const char *key, lcal__pattern *out, lcal_error *err);
void lcal__pattern_free(lcal__pattern *pattern);

/* module: the full name in the base, "model.layers.0.self_attn.q_proj". */
bool lcal__pattern_matches(const lcal__pattern *pattern, const char *module);

#endif
