/* Products by our own kernels, where this processor's table has them (kernels.h, panel_product). */
#ifndef LCAL_NUM_PANELS_H
#define LCAL_NUM_PANELS_H

#include <stdbool.h>

#include "num/exec.h"

/* One product: c[m, n] = start + alpha op(a)[m, k] op(b)[k, n]. */
typedef struct lcal__product {
    bool ta, tb;
    size_t m, n, k;
    float alpha;
    const float *a, *b;
    size_t lda, ldb;
    lcal__start start;
    float *c;
    size_t ldc;
} lcal__product;

/* Whether the kernels are there and pay for this shape; depends on nothing else. */
bool lcal__panels_fit(const lcal__kernels *kernels, size_t m, size_t n, size_t k);

/* In parallel over a cut that depends on the shape only; m, n, k > 0. */
void lcal__panels_run(const lcal__exec *exec, const lcal__product *product);

/* On the calling thread. */
void lcal__panels_serial(const lcal__kernels *kernels, const lcal__product *product);

#endif
