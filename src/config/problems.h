/* All that is wrong with a configuration, collected, sorted by place and reported as one message.
 */
#ifndef LCAL_CONFIG_PROBLEMS_H
#define LCAL_CONFIG_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define LCAL__PROBLEMS_MAX 256 /* kept; more are counted only */
#define LCAL__EXCERPT_MAX 256  /* bytes of input quoted in a message, the zero included */

/* Where a value was given. Zeroed: the file as a whole, as for a key that is missing. */
typedef struct lcal__place {
    size_t override; /* which one, from 1; 0: the file */
    size_t line, column;
} lcal__place;

typedef struct lcal__problem {
    lcal__place place;
    size_t order; /* in which it was found: keeps the sort stable */
    char *text;   /* with its place in front */
} lcal__problem;

/* Set source and overrides, the rest zero. */
typedef struct lcal__problems {
    const char *source; /* what messages call the file */
    const char *const *overrides;
    lcal__problem *items;
    size_t count, capacity;
    size_t more; /* found after LCAL__PROBLEMS_MAX */
    bool failed; /* out of memory */
} lcal__problems;

/* "FILE:LINE:COL: ..." or "override N (key=value): ...". */
void lcal__problems_add(lcal__problems *problems, lcal__place place, const char *format, ...)
    LCAL_PRINTF(3, 4);

/* text already names its place. */
void lcal__problems_add_text(lcal__problems *problems, lcal__place place, const char *text);

/* The place alone, as the messages write it, without ": "; at most `size` bytes. */
void lcal__problems_place(const lcal__problems *problems, lcal__place place, char *out,
                          size_t size);

/* LCAL_OK where there is none, else LCAL_CONFIG with one line each, as many as the message holds.
 */
lcal_status lcal__problems_report(lcal__problems *problems, lcal_error *err);

void lcal__problems_free(lcal__problems *problems);

/* text for a message: control characters become '?', a long one is cut and ends in "...". Returns
 * out. */
const char *lcal__excerpt(const char *text, char out[LCAL__EXCERPT_MAX]);

#endif
