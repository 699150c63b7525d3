/* From the pruned values of several adapters to one, element by element. */
#ifndef LCAL_MERGE_COMBINE_H
#define LCAL_MERGE_COMBINE_H

#include <stddef.h>

#include "config/settings.h"

typedef struct lcal__combination {
    size_t count;          /* of adapters */
    const double *weights; /* [count] */
    bool elects;           /* false: the weighted sum; the rest is for true */
    lcal__majority majority;
    lcal__election election;
    double lambda;
} lcal__combination;

/*
 * out[n] of values[count, stride] (the first n of each row):
 *
 *   sum       sum_i w_i x_i
 *   election  lambda * mean of w_i x_i over the adapters whose vote has the elected sign
 *
 * A vote is w_i x_i, or x_i in a plain election; the sign elected is that of the votes' sum (total)
 * or of the sum of their signs (frequency), + where that is 0. A vote of 0 has no sign. Sums are in
 * double, in the order of the adapters. (Yadav et al. 2023, "TIES-Merging"; the mean divides by how
 * many agree, not by their weights.)
 */
void lcal__combine(const lcal__combination *how, const float *values, size_t stride, size_t n,
                   float *out);

#endif
