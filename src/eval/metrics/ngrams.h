/*
 * n-grams that two sequences of numbers share, order after order. Sequences are words by number
 * (words.h) or code points.
 */
#ifndef LCAL_EVAL_METRICS_NGRAMS_H
#define LCAL_EVAL_METRICS_NGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct lcal__sequence {
    const uint32_t *items;
    size_t count;
} lcal__sequence;

/* How many n-grams each has, and how many of them match, none twice. */
typedef struct lcal__overlap {
    size_t reference, candidate, both;
} lcal__overlap;

typedef struct lcal__gram lcal__gram;

typedef struct lcal__ngrams {
    lcal__sequence reference, candidate;
    size_t order;      /* of the last lcal__ngrams_next */
    uint32_t *names;   /* [reference + candidate] equal n-grams have equal numbers */
    lcal__gram *grams; /* the same, sorted */
} lcal__ngrams;

/* The sequences must outlive it. */
lcal_status lcal__ngrams_open(lcal__sequence reference, lcal__sequence candidate, lcal__ngrams *out,
                              lcal_error *err);
void lcal__ngrams_close(lcal__ngrams *ngrams);

/* The overlap of the next order, from 1. distinct: each n-gram counts once, however often it
 * stands there. */
lcal__overlap lcal__ngrams_next(lcal__ngrams *ngrams, bool distinct);

#endif
