/*
 * chrF2 (Popovic 2015) of one reference as sacreBLEU computes it: character n-grams up to 6, white
 * space left out, recall counting twice. Signature: nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no.
 */
#ifndef LCAL_EVAL_METRICS_CHRF_H
#define LCAL_EVAL_METRICS_CHRF_H

#include <stddef.h>

#include "base/status.h"

#define LCAL__CHRF_ORDERS 6

/* n-grams of each order, over as many sentences as were added. Zeroed is valid and empty. */
typedef struct lcal__chrf {
    size_t matches[LCAL__CHRF_ORDERS];
    size_t reference[LCAL__CHRF_ORDERS];
    size_t candidate[LCAL__CHRF_ORDERS]; /* of sentences whose reference has any */
} lcal__chrf;

/* Counts a sentence and its translation, UTF-8 of the given sizes; a byte that is no UTF-8 counts
 * as one character. */
lcal_status lcal__chrf_add(lcal__chrf *chrf, const char *reference, size_t reference_size,
                           const char *candidate, size_t candidate_size, lcal_error *err);

/* 0..100 */
double lcal__chrf_score(const lcal__chrf *chrf);

#endif
