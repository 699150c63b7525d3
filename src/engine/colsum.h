/* Sums over rows, in an order fixed by the shape: the gradients of vectors that all rows share. */
#ifndef LCAL_ENGINE_COLSUM_H
#define LCAL_ENGINE_COLSUM_H

#include "num/exec.h"

/*
 * out[c] += sum over r of x[r, c] y[r, c] weight[r] for x [rows, cols]; y (same extents) and weight
 * [rows] count as ones where NULL, not both are given. Partial sums of 64 rows keep rounding small.
 */
void lcal__colsum(const lcal__exec *exec, const float *x, size_t rows, size_t cols, const float *y,
                  const float *weight, float *out);

#endif
