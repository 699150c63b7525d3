/*
 * Scoring: the negative log-likelihood of every labelled token under a composed model, and the
 * logits where wanted. Nats, natural logarithm, f32.
 *
 * labels[t] is what the model should predict at position t after having read ids[0..t); -100 is no
 * label, and labels[0] never counts.
 */
#ifndef LCAL_SCORE_H
#define LCAL_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "lcal/model.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lcal_logits { LCAL_LOGITS_NONE, LCAL_LOGITS_LAST, LCAL_LOGITS_ALL } lcal_logits;

/* Zeroed but for `file` is valid. Strings are borrowed. */
typedef struct lcal_score_options {
    const char *file;   /* .jsonl, plain or gzip: text or token ids, as for training */
    lcal_logits logits; /* which positions' logits a row has */
    /* How text is read, by the model's tokenizer; words and meaning as of the keys "data." of a
     * configuration. */
    const char *template_; /* as data.template; NULL: the run's, else "auto" */
    const char *loss_on;   /* as data.loss_on; NULL: the run's, else "completion" */
    const char *system;    /* NULL: the run's, else none; "": none */
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

/* Scores every example of options->file. LCAL_FORMAT: a line that is no example of this model's
 * vocabulary; LCAL_NUMERIC: a loss that is not finite; else what fn returned. */
LCAL_API lcal_status lcal_score(lcal_model *model, const lcal_score_options *options,
                                lcal_score_fn *fn, void *user, lcal_error *err);

/*
 * Scores one example in memory. ids: [count], count > 0; labels: [count], NULL: every id after the
 * first is its own label. nll: [count] nats, nll[t] of labels[t], NAN where there is none. logits:
 * [count, lcal_model_vocab], row t what the model expects after ids[t]; NULL: not wanted.
 * LCAL_INVALID: an id or label out of range; nll and logits are then as they were.
 */
LCAL_API lcal_status lcal_score_ids(lcal_model *model, const int32_t *ids, const int32_t *labels,
                                    size_t count, float *nll, float *logits, lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
