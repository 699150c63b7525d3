/*
 * A weight matrix W [rows = d_out, cols = d_in] and the two products a step does with it. Every
 * weight product of the engine goes through here: who stores a weight decides its layout and type,
 * nobody else knows.
 */
#ifndef LCAL_NUM_WEIGHT_H
#define LCAL_NUM_WEIGHT_H

#include "base/dtype.h"
#include "num/exec.h"

/* Row-major [rows, cols]; F32, F16 or BF16. Does not own data. */
typedef struct lcal__weight {
    size_t rows;
    size_t cols;
    lcal__dtype dtype;
    const void *data;
} lcal__weight;

/* Floats of scratch that the products below need on up to `threads` threads; 0 for F32. */
size_t lcal__weight_scratch(const lcal__weight *w, size_t threads);

/* y[n, rows] = start + x[n, cols] W^T; start NULL: nothing. The one product where exec is
 * row_invariant; then what is stored in 16 bits gives the bits of the same numbers in F32. */
void lcal__weight_forward(const lcal__exec *exec, const lcal__weight *w, const float *x, size_t n,
                          const lcal__start *start, float *y, float *scratch);

/* dx[n, cols] (+)= dy[n, rows] W; add: to what is there, else overwrite. */
void lcal__weight_backward(const lcal__exec *exec, const lcal__weight *w, const float *dy, size_t n,
                           bool add, float *dx, float *scratch);

/* out[cols] = row `row` of W in f32. */
void lcal__weight_row(const lcal__weight *w, size_t row, float *out);

#endif
