#include "num/gemm.h"

#include <assert.h>
#include <cblas.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

#include "num/dots.h"
#include "num/panels.h"
#include "num/tiles.h"

/* A product with nothing to add up: C = beta C. */
static void scale_rows(size_t m, size_t n, float beta, float *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] = beta == 0.0f ? 0.0f : beta * c[i * ldc + j];
}

/* y = alpha op(M) x + beta y for M [rows, cols] as stored. */
static void sgemv(bool trans, size_t rows, size_t cols, float alpha, const float *matrix, size_t ld,
                  const float *x, size_t incx, float beta, float *y, size_t incy)
{
    /* Some releases of OpenBLAS multiply what lies in y by a beta of 0, NaN or not. */
    for (size_t i = 0; beta == 0.0f && i < (trans ? cols : rows); i++)
        y[i * incy] = 0.0f;
    cblas_sgemv(CblasRowMajor, trans ? CblasTrans : CblasNoTrans, (blasint)rows, (blasint)cols,
                alpha, matrix, (blasint)ld, x, (blasint)incx, beta, y, (blasint)incy);
}

/* One product by BLAS. sgemm would copy all of B for a single row of A (generation), or all of A
 * for a single column of B (rank 1). */
static void multiply(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                     size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
    if (m == 1)
        sgemv(!tb, tb ? n : k, tb ? k : n, alpha, b, ldb, a, ta ? lda : 1, beta, c, 1);
    else if (n == 1)
        sgemv(ta, ta ? k : m, ta ? m : k, alpha, a, lda, b, tb ? 1 : ldb, beta, c, ldc);
    else
        cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
                    (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb,
                    beta, c, (blasint)ldc);
}

typedef struct gemm_job {
    lcal__tiles tiles;
    bool ta, tb;
    size_t k, lda, ldb, ldc;
    float alpha, beta;
    const float *a, *b;
    float *c;
} gemm_job;

static void run_tile(void *context, size_t index, size_t worker)
{
    (void)worker;
    const gemm_job *job = context;
    lcal__tile tile = lcal__tiles_at(&job->tiles, index);
    const float *a = job->a + (job->ta ? tile.m0 : tile.m0 * job->lda);
    const float *b = job->b + (job->tb ? tile.n0 * job->ldb : tile.n0);
    float *c = job->c + tile.m0 * job->ldc + tile.n0;
    multiply(job->ta, job->tb, tile.m, tile.n, job->k, job->alpha, a, job->lda, b, job->ldb,
             job->beta, c, job->ldc);
}

/* C = start + alpha A B^T, row by row alike. */
static void multiply_rows(const lcal__exec *exec, size_t m, size_t n, size_t k, float alpha,
                          const float *a, size_t lda, const float *b, size_t ldb,
                          const lcal__start *start, float *c, size_t ldc)
{
    const lcal__dots product = {
        .m = m,
        .n = n,
        .k = k,
        .alpha = alpha,
        .a = a,
        .lda = lda,
        .b = b,
        .dtype = LCAL__F32,
        .ldb = ldb,
        .start = *start,
        .c = c,
        .ldc = ldc,
    };
    lcal__dots_run(exec, &product);
}

void lcal__gemm(const lcal__exec *exec, bool ta, bool tb, size_t m, size_t n, size_t k, float alpha,
                const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                size_t ldc)
{
    if (m == 0 || n == 0)
        return;
    if (exec->row_invariant) {
        assert(!ta && tb && (beta == 0.0f || beta == 1.0f));
        const lcal__start start = {.rows = beta == 0.0f ? NULL : c, .ld = ldc};
        multiply_rows(exec, m, n, k, alpha, a, lda, b, ldb, &start, c, ldc);
        return;
    }
    if (k == 0) {
        scale_rows(m, n, beta, c, ldc);
        return;
    }
    if (!ta && (beta == 0.0f || beta == 1.0f) && lcal__panels_fit(exec->kernels, m, n, k)) {
        lcal__product product = {
            .tb = tb,
            .m = m,
            .n = n,
            .k = k,
            .alpha = alpha,
            .a = a,
            .b = b,
            .lda = lda,
            .ldb = ldb,
            .start = {.rows = beta == 0.0f ? NULL : c, .ld = ldc},
            .c = c,
            .ldc = ldc,
        };
        lcal__panels_run(exec, &product);
        return;
    }
    gemm_job job = {
        .tiles = lcal__tiles_plan(m, n, k, SIZE_MAX),
        .ta = ta,
        .tb = tb,
        .k = k,
        .lda = lda,
        .ldb = ldb,
        .ldc = ldc,
        .alpha = alpha,
        .beta = beta,
        .a = a,
        .b = b,
        .c = c,
    };
    lcal__parallel_for(exec->threads, job.tiles.count, run_tile, &job);
}

typedef struct fill_job {
    const lcal__kernels *kernels;
    const lcal__start *start;
    float *c;
    size_t n, ldc;
} fill_job;

static void fill_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const fill_job *job = context;
    const lcal__start *start = job->start;
    for (size_t i = first; i < first + count; i++) {
        float *c = job->c + i * job->ldc;
        const float *from = start->rows ? start->rows + i * start->ld : start->constant;
        if (c != from)
            memcpy(c, from, job->n * sizeof(float));
        if (start->rows && start->constant)
            job->kernels->add(c, start->constant, job->n);
    }
}

float lcal__start_fill(const lcal__exec *exec, const lcal__start *start, size_t m, size_t n,
                       float *c, size_t ldc)
{
    if (!start->rows && !start->constant)
        return 0.0f;
    fill_job job = {exec->kernels, start, c, n, ldc};
    if (start->rows != c || start->constant)
        lcal__for_rows(exec, m, n, fill_rows, &job);
    return 1.0f;
}

void lcal__gemm_from(const lcal__exec *exec, bool tb, size_t m, size_t n, size_t k, const float *a,
                     size_t lda, const float *b, size_t ldb, const lcal__start *start, float *c,
                     size_t ldc)
{
    if (exec->row_invariant) {
        assert(tb);
        multiply_rows(exec, m, n, k, 1.0f, a, lda, b, ldb, start, c, ldc);
        return;
    }
    if (!lcal__panels_fit(exec->kernels, m, n, k)) {
        const float beta = lcal__start_fill(exec, start, m, n, c, ldc);
        lcal__gemm(exec, false, tb, m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    lcal__product product = {
        .tb = tb,
        .m = m,
        .n = n,
        .k = k,
        .alpha = 1.0f,
        .a = a,
        .b = b,
        .lda = lda,
        .ldb = ldb,
        .start = *start,
        .c = c,
        .ldc = ldc,
    };
    lcal__panels_run(exec, &product);
}

void lcal__gemm_serial(const lcal__kernels *kernels, bool ta, bool tb, size_t m, size_t n, size_t k,
                       float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                       float beta, float *c, size_t ldc)
{
    if (m == 0 || n == 0)
        return;
    if (k == 0) {
        scale_rows(m, n, beta, c, ldc);
        return;
    }
    if ((beta == 0.0f || beta == 1.0f) && lcal__panels_fit(kernels, m, n, k)) {
        lcal__product product = {
            .ta = ta,
            .tb = tb,
            .m = m,
            .n = n,
            .k = k,
            .alpha = alpha,
            .a = a,
            .b = b,
            .lda = lda,
            .ldb = ldb,
            .start = {.rows = beta == 0.0f ? NULL : c, .ld = ldc},
            .c = c,
            .ldc = ldc,
        };
        lcal__panels_serial(kernels, &product);
        return;
    }
    /* OpenBLAS (OpenMP build) takes as many threads as this thread's limit says. */
    int limit = omp_get_max_threads();
    omp_set_num_threads(1);
    multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    omp_set_num_threads(limit);
}

const char *lcal__blas_complaint(void)
{
    if (openblas_get_parallel() == OPENBLAS_OPENMP)
        return NULL;
    return "OpenBLAS is linked in a build without OpenMP, which is slow beside lcal's own threads "
           "and may change results with their number: install libopenblas-openmp-dev and build "
           "again";
}
