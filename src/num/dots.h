/*
 * Matrix products whose elements do not depend on each other: c[i, j] has the same bits whatever
 * other rows the operands have, on any number of threads. Generation needs this: a text must not
 * change with the texts beside it or with how its tokens are cut into runs.
 *
 * Neither operand is packed or widened beforehand and b is read once for a few dozen rows of a: few
 * rows cost little more than reading b, many rows run nearly as fast as by num/panels.
 */
#ifndef LCAL_NUM_DOTS_H
#define LCAL_NUM_DOTS_H

#include "base/dtype.h"
#include "num/exec.h"

/* One product: c[m, n] = start + alpha a[m, k] b[n, k]^T. */
typedef struct lcal__dots {
    size_t m, n, k;
    float alpha;
    const float *a;
    size_t lda; /* elements from row to row, as all ld */
    const void *b;
    lcal__dtype dtype; /* of b: F32, F16 or BF16 */
    size_t ldb;
    lcal__start start;
    float *c;
    size_t ldc;
} lcal__dots;

/* In parallel. */
void lcal__dots_run(const lcal__exec *exec, const lcal__dots *product);

/* On the calling thread. */
void lcal__dots_serial(const lcal__kernels *kernels, const lcal__dots *product);

#endif
