/* Cuts a text into words; merges never cross a word's border. */
#ifndef LCAL_DATA_PRETOKENIZER_H
#define LCAL_DATA_PRETOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "data/regex.h"

typedef enum lcal__split_behavior {
    LCAL__SPLIT_ISOLATED,             /* a match is a word of its own */
    LCAL__SPLIT_REMOVED,              /* a match is left out */
    LCAL__SPLIT_MERGED_WITH_PREVIOUS, /* a match ends the word before it */
} lcal__split_behavior;

typedef struct lcal__pre_step {
    lcal__regex *regex; /* NULL: no cut, only the prefix */
    lcal__split_behavior behavior;
    bool invert;       /* what is between matches counts as the match */
    bool prefix_space; /* a space in front of a text that begins with none, before the cut */
} lcal__pre_step;

#define LCAL__PRE_STEPS_MAX 16

/* Zeroed is valid: the whole text is one word. */
typedef struct lcal__pretokenizer {
    lcal__pre_step steps[LCAL__PRE_STEPS_MAX]; /* each cuts the words of the one before */
    size_t count;
} lcal__pretokenizer;

/* Takes over step.regex, in case of failure too. LCAL_UNSUPPORTED beyond LCAL__PRE_STEPS_MAX. */
lcal_status lcal__pretokenizer_add(lcal__pretokenizer *pre, lcal__pre_step step, lcal_error *err);

/* Compiles the pattern and adds it as ISOLATED cut. */
lcal_status lcal__pretokenizer_add_regex(lcal__pretokenizer *pre, const char *pattern,
                                         lcal_error *err);
void lcal__pretokenizer_free(lcal__pretokenizer *pre);

/* Calls fn with every word, in order, none empty; its failure ends the run. text is valid UTF-8. */
typedef lcal_status lcal__word_fn(void *context, const char *word, size_t length, lcal_error *err);
lcal_status lcal__pretokenizer_run(const lcal__pretokenizer *pre, const char *text, size_t length,
                                   lcal__word_fn *fn, void *context, lcal_error *err);

#endif
