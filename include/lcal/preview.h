/*
 * What training will see: the examples of a configuration as token ids, with the pieces of text
 * that they stand for and which of them are learnt. They are read by the same code as for training.
 */
#ifndef LCAL_PREVIEW_H
#define LCAL_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcal/config.h"
#include "lcal/log.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lcal_preview_options {
    size_t from;  /* the first example shown is number `from` of its file (from 0), or the next one
                     that is used */
    size_t count; /* examples shown; 0: all */
    bool valid;   /* validation examples instead of those trained on */
    const lcal_log *log; /* may be NULL */
} lcal_preview_options;

/* One token. The texts of an example's tokens, joined, are its text: bytes of a character that is
 * cut by tokens belong to the token that completes it. */
typedef struct lcal_preview_token {
    int32_t id;
    bool loss;        /* its prediction is learnt */
    const char *text; /* [length]; NULL: there is no tokenizer */
    size_t length;
} lcal_preview_token;

/* Valid during the call. */
typedef struct lcal_preview_example {
    size_t index;                     /* number of the example in its file, from 0 */
    const lcal_preview_token *tokens; /* [count] */
    size_t count;
} lcal_preview_example;

/* What became of the file that the examples are from. */
typedef struct lcal_preview_counts {
    size_t read, used, dropped_overlong, dropped_empty, truncated;
    size_t tokens, labels;                 /* of the examples to train on, or of validation */
    size_t train_examples, valid_examples; /* of the run */
} lcal_preview_counts;

/* Called once an example; a status other than LCAL_OK ends the preview and is returned. */
typedef lcal_status lcal_preview_fn(void *user, const lcal_preview_example *example,
                                    lcal_error *err);

/* counts may be NULL. LCAL_CONFIG: validation examples are asked for and there are none. The
 * configuration may be one for a run or for a trainer. */
LCAL_API lcal_status lcal_preview(const lcal_config *config, const lcal_preview_options *options,
                                  lcal_preview_fn *fn, void *user, lcal_preview_counts *counts,
                                  lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
