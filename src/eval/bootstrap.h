/* Intervals of means by the bootstrap (Efron 1979), seeded. */
#ifndef LCAL_EVAL_BOOTSTRAP_H
#define LCAL_EVAL_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct lcal__interval {
    double mean;
    double low, high; /* of 95 % of the resampled means */
} lcal__interval;

/*
 * The means of `columns` columns of values [rows, columns], rows > 0: one resample draws rows, the
 * same for every column, so that differences between columns keep their sign. The bounds are the
 * 2.5th and 97.5th percentile, interpolated, of `resamples` > 0 means. out: [columns].
 */
lcal_status lcal__bootstrap(const double *values, size_t rows, size_t columns, size_t resamples,
                            uint64_t seed, lcal__interval *out, lcal_error *err);

#endif
