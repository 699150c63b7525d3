/*
 * The table of vector kernels. The same source (kernels.inc.c) is compiled once per instruction set
 * and chosen at run time, so that one binary runs everywhere. All kernels work on the calling
 * thread. Reductions have a fixed order on one type of processor.
 *
 * Rows are contiguous f32. Pointers of one call do not overlap unless said.
 */
#ifndef LCAL_NUM_KERNELS_H
#define LCAL_NUM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

/* Columns of a packed panel. */
#define LCAL__PANEL_COLS 32

/* What a product is added to, c = rows + constant + product. Zeroed: nothing. */
typedef struct lcal__start {
    const float *rows; /* [m, n], `ld` floats from row to row; may be c itself; NULL: zeros */
    size_t ld;
    const float *constant; /* [n], the same for every row; NULL: zeros */
} lcal__start;

typedef struct lcal__kernels {
    const char *name; /* "avx512", "avx2" or "portable" */

    /* y[i] += x[i] */
    void (*add)(float *y, const float *x, size_t n);
    /* y[i] += a x[i] */
    void (*axpy)(float *y, float a, const float *x, size_t n);
    /* y[i] *= a */
    void (*scale)(float *y, float a, size_t n);
    /* y[i] = x[i] m[i] */
    void (*mul)(float *y, const float *x, const float *m, size_t n);
    /* y[i] += a[i] b[i] */
    void (*mul_add)(float *y, const float *a, const float *b, size_t n);
    float (*sum)(const float *x, size_t n);
    float (*dot)(const float *a, const float *b, size_t n);
    /* sum of squares in double, for norms of whole gradients */
    double (*sum_squares)(const float *x, size_t n);

    /* RMSNorm of one row, y = x rstd w with rstd = 1/sqrt(mean(x^2) + eps); returns rstd. */
    float (*rms_forward)(float *y, const float *x, const float *w, float eps, size_t n);
    /* dx (+)= rstd (g - xhat mean(g xhat)), g = w dy, xhat = x rstd. add: 0 overwrite, 1 add to dx.
     */
    void (*rms_backward)(float *dx, const float *dy, const float *x, const float *w, float rstd,
                         int add, size_t n);
    /* LayerNorm of one row, y = (x - mean) rstd w + b (b may be NULL); stats = {mean, rstd}. */
    void (*layer_forward)(float *y, const float *x, const float *w, const float *b, float eps,
                          float stats[2], size_t n);
    void (*layer_backward)(float *dx, const float *dy, const float *x, const float *w,
                           const float stats[2], int add, size_t n);

    /* Gated unit, y = silu(g) u with silu(g) = g / (1 + exp(-g)). */
    void (*swiglu_forward)(float *y, const float *g, const float *u, size_t n);
    /* dg and du from dy; dg may be g's own place and du u's. */
    void (*swiglu_backward)(float *dg, float *du, const float *dy, const float *g, const float *u,
                            size_t n);

    /* Rotates pairs (x[i], x[i + half]) by (c[i], s[i]); sign -1 rotates back. In place. */
    void (*rotate)(float *x, const float *c, const float *s, float sign, size_t half);

    /* -infinity for n = 0 */
    float (*max)(const float *x, size_t n);
    /* x[i] = exp(scale x[i] - shift) in place; returns the sum. */
    float (*exp_sum)(float *x, float scale, float shift, size_t n);

    /* One AdamW step (Loshchilov and Hutter 2019), decay decoupled: w -= lr (mhat/(sqrt(vhat)+eps)
     * + decay w). correction1 = 1 - beta1^t, correction2 = 1 - beta2^t; g is multiplied by g_scale
     * first. The betas are double because 1 - beta2 in f32 would be off by 1e-5 of itself. */
    void (*adamw)(float *w, float *m, float *v, const float *g, float g_scale, float lr,
                  double beta1, double beta2, float eps, float decay, float correction1,
                  float correction2, size_t n);

    /*
     * Matrix products by panels, both NULL where the BLAS is as good. pack: panel[k, PANEL_COLS] at
     * LCAL_ALIGN = alpha op(b), op(b) being [k, n] (b is [n, k] as stored where transposed),
     * columns from n on zero. product: c[m, n] = start + a[m, k] panel, n at most PANEL_COLS;
     * element (i, t) of a is a[i row_step + t depth_step].
     */
    void (*panel_pack)(float *panel, bool transposed, const float *b, size_t ldb, size_t k,
                       size_t n, float alpha);
    void (*panel_product)(const lcal__start *start, const float *a, size_t row_step,
                          size_t depth_step, const float *panel, size_t m, size_t n, size_t k,
                          float *c, size_t ldc);

    /* c[m, n] = start + alpha a[m, k] b[n, k]^T, b F32, F16 or BF16; an element depends on its own
     * rows alone, not on m, n or its place among them, nor on how the numbers of b are stored. */
    void (*dots)(const lcal__start *start, float alpha, const float *a, size_t lda, const void *b,
                 lcal__dtype dtype, size_t ldb, size_t m, size_t n, size_t k, float *c, size_t ldc);

    /* Widening of stored types. */
    void (*widen_bf16)(float *dst, const uint16_t *src, size_t n);
    void (*widen_f16)(float *dst, const uint16_t *src, size_t n);
} lcal__kernels;

/* The best table for this processor. Static. */
const lcal__kernels *lcal__kernels_select(void);

/* All tables that this processor can run, best last, for tests. Returns their number. */
size_t lcal__kernels_all(const lcal__kernels *out[3]);

#endif
