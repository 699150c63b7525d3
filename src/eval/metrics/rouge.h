/*
 * ROUGE (Lin 2004) as the rouge_score package computes it: words are runs of [a-z0-9] in lower-case
 * text, so that an accented letter parts a word, and other scripts have none.
 */
#ifndef LCAL_EVAL_METRICS_ROUGE_H
#define LCAL_EVAL_METRICS_ROUGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* 0..1; f = 2 P R / (P + R), 0 where both are 0. */
typedef struct lcal__prf {
    double precision, recall, f;
} lcal__prf;

typedef struct lcal__rouge {
    lcal__prf n[3];    /* ROUGE-1, -2, -3: n-grams, clipped */
    lcal__prf longest; /* ROUGE-L: longest common subsequence of all words */
    lcal__prf summary; /* ROUGE-Lsum: of each line of the reference, the union over the candidate's
                          lines */
} lcal__rouge;

/* stem: words of more than 3 letters by the Porter stemmer. Texts are UTF-8, of the given sizes.
 * Takes time and memory of the product of the numbers of words. */
lcal_status lcal__rouge_score(const char *reference, size_t reference_size, const char *candidate,
                              size_t candidate_size, bool stem, lcal__rouge *out, lcal_error *err);

/* F1 / 6 + F2 / 3 + F3 / 2 (Zhang et al. 2021, reply suggestion). */
double lcal__rouge_weighted(const lcal__rouge *rouge);

/*
 * The same weighting as Zhang et al.'s evaluation has it, with the F of the package rouge: words
 * between spaces, each n-gram counted once, f = 2 P R / (P + R + 1e-8). n: the three it is made of;
 * may be NULL.
 */
lcal_status lcal__rouge_replies(const char *reference, size_t reference_size, const char *candidate,
                                size_t candidate_size, lcal__prf n[3], double *weighted,
                                lcal_error *err);

#endif
