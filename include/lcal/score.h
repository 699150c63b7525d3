/*
 * Scoring: the negative log-likelihood of every labelled token under a base, its adapters and a
 * calibration, and the logits where wanted.
 */
#ifndef LCAL_SCORE_H
#define LCAL_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "lcal/log.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lcal_logits { LCAL_LOGITS_NONE, LCAL_LOGITS_LAST, LCAL_LOGITS_ALL } lcal_logits;

/* Zeroed but for `model` and `file` is valid. Strings are borrowed. */
typedef struct lcal_score_options {
    const char *model;             /* Hugging Face directory */
    const char *const *adapters;   /* PEFT directories */
    const double *adapter_weights; /* one an adapter; NULL: 1.0 each */
    size_t adapter_count;
    const char *calibration; /* .h5 or .safetensors; NULL: none */
    const char *file;        /* .jsonl, plain or gzip */
    lcal_logits logits;
    size_t threads; /* 0: all processors */
    int low_memory; /* not 0: weights stay as stored, adapters factored */
    const lcal_log *log;
} lcal_score_options;

/* One line of input. Pointers are valid during the call. */
typedef struct lcal_score_row {
    size_t index;        /* of the example in the file, from 0 */
    size_t count;        /* labelled tokens */
    const float *nll;    /* [count] nats, in order of position */
    double loss;         /* their mean; NAN where count is 0 */
    size_t logits_count; /* positions with logits: 0, 1 or all of the example's */
    size_t vocab;
    const float *logits; /* [logits_count, vocab] of the last, or of every position */
} lcal_score_row;

/* Called once a line, in order; a status other than LCAL_OK ends the scoring and is returned. */
typedef lcal_status lcal_score_fn(void *user, const lcal_score_row *row, lcal_error *err);

LCAL_API lcal_status lcal_score(const lcal_score_options *options, lcal_score_fn *fn, void *user,
                                lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
