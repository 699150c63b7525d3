/*
 * Matrix products over row-major f32 (the only caller of BLAS). Parallel loops are ours, over tiles
 * fixed by the shape, with our own kernels inside where this processor has them (panels.h), else
 * single-threaded sgemm: OpenBLAS's own threading gives other bits for other thread counts.
 */
#ifndef LCAL_NUM_GEMM_H
#define LCAL_NUM_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "num/exec.h"

/*
 * C[m,n] = alpha op(A)[m,k] op(B)[k,n] + beta C; lda, ldb, ldc: floats from row to row as stored
 * (A is [k,m] as stored where ta). beta 0 does not read C. Sizes up to INT_MAX each (the planner
 * checks); any of them may be 0. Where exec is row_invariant only A B^T with beta 0 or 1, here and
 * in lcal__gemm_from.
 */
void lcal__gemm(const lcal__exec *exec, bool ta, bool tb, size_t m, size_t n, size_t k, float alpha,
                const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                size_t ldc);

/* C[m,n] = start, by rows in parallel; nothing for an empty start. Returns the beta that adds to
 * it. */
float lcal__start_fill(const lcal__exec *exec, const lcal__start *start, size_t m, size_t n,
                       float *c, size_t ldc);

/* C[m,n] = start + A[m,k] op(B)[k,n]. */
void lcal__gemm_from(const lcal__exec *exec, bool tb, size_t m, size_t n, size_t k, const float *a,
                     size_t lda, const float *b, size_t ldb, const lcal__start *start, float *c,
                     size_t ldc);

/* The first on the calling thread, for use inside a task. */
void lcal__gemm_serial(const lcal__kernels *kernels, bool ta, bool tb, size_t m, size_t n, size_t k,
                       float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                       float beta, float *c, size_t ldc);

/* NULL where the linked BLAS is fit, else what is wrong with it, for a notice at start. Static. */
const char *lcal__blas_complaint(void);

#endif
