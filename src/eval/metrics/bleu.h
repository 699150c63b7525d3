/*
 * BLEU (Papineni et al. 2002) of one reference as sacreBLEU computes it: words by the tokenizer
 * 13a, n-grams up to 4, exponential smoothing. Signature of the corpus score:
 * nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp.
 */
#ifndef LCAL_EVAL_METRICS_BLEU_H
#define LCAL_EVAL_METRICS_BLEU_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define LCAL__BLEU_ORDERS 4

/* What is counted, over as many sentences as were added. Zeroed is valid and empty. */
typedef struct lcal__bleu {
    size_t matches[LCAL__BLEU_ORDERS], candidate[LCAL__BLEU_ORDERS]; /* n-grams */
    size_t reference_words, candidate_words;
} lcal__bleu;

/* Counts a sentence and its translation, UTF-8 of the given sizes. */
lcal_status lcal__bleu_add(lcal__bleu *bleu, const char *reference, size_t reference_size,
                           const char *candidate, size_t candidate_size, lcal_error *err);

/* 0..100. sentence: of a single sentence, which is judged by the orders it is long enough for. */
double lcal__bleu_score(const lcal__bleu *bleu, bool sentence);

#endif
