/*
 * All metrics of an answer against its references, and of many answers together. Scores are 0..100.
 * Each metric takes the reference that it finds nearest; the scores of the corpus take the one that
 * chrF does.
 */
#ifndef LCAL_EVAL_SCORES_H
#define LCAL_EVAL_SCORES_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/metrics/bleu.h"
#include "eval/metrics/chrf.h"

#define LCAL__SCORES 10 /* of an answer */

/* "rouge1", ..., "exact_match". Static. */
const char *lcal__score_name(size_t index);

/* What a corpus comes to. Zeroed is valid and empty. */
typedef struct lcal__corpus {
    lcal__bleu bleu;
    lcal__chrf chrf;
} lcal__corpus;

/* Scores the answer text[0..size) against references [count > 0] and adds it to the corpus. stem:
 * ROUGE (but its weighted form of replies) compares stems. Exact is exact but for white space
 * around. */
lcal_status lcal__scores_add(lcal__corpus *corpus, char *const *references, size_t count,
                             const char *text, size_t size, bool stem, double out[LCAL__SCORES],
                             lcal_error *err);

#endif
