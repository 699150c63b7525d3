/*
 * lcal__gemm against OpenBLAS's own threading on the shapes of a training step, best of several,
 * at 1 and at 2 threads, and the three weight types. Prints GFLOP/s; `bench_gemm SECONDS` sets the
 * time spent on each shape.
 */
#include <cblas.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "num/gemm.h"
#include "num/weight.h"

typedef struct shape {
    bool ta, tb;
    int m, n, k;
    const char *what;
} shape;

static const shape shapes[] = {
    {false, true, 256, 8192, 2048, "1b up, forward"},
    {false, false, 256, 2048, 8192, "1b up, backward"},
    {false, true, 512, 1536, 576, "135m up, forward"},
    {false, false, 512, 576, 1536, "135m up, backward"},
    {false, true, 2048, 768, 288, "small up, forward"},
    {false, false, 2048, 288, 768, "small up, backward"},
    {false, true, 2048, 352, 128, "mini up, forward"},
    {false, true, 2048, 128, 128, "mini q, forward"},
    {false, true, 2048, 32000, 288, "small head, forward"},
    {true, false, 4, 2048, 2048, "LC++ gradient, 1b"},
    {true, false, 8192, 4, 2048, "LC++ gradient of P2, 1b"},
    {false, true, 2048, 4, 2048, "LC++ inner product, 1b"},
    {true, false, 288, 768, 2048, "base gradient, small"},
    {false, true, 1, 8192, 2048, "1b up, one token"},
    {false, true, 2048, 1, 2048, "LC++ of rank 1, inner product"},
};

typedef struct operands {
    float *a, *b, *c;
    size_t lda, ldb;
} operands;

static double now(void)
{
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void run_lcal(const shape *s, const operands *o, size_t threads)
{
    lcal__exec exec = lcal__exec_init(threads);
    lcal__gemm(&exec, s->ta, s->tb, (size_t)s->m, (size_t)s->n, (size_t)s->k, 1.0f, o->a, o->lda,
               o->b, o->ldb, 0.0f, o->c, (size_t)s->n);
}

static void run_openblas(const shape *s, const operands *o, size_t threads)
{
    omp_set_num_threads((int)threads);
    cblas_sgemm(CblasRowMajor, s->ta ? CblasTrans : CblasNoTrans, s->tb ? CblasTrans : CblasNoTrans,
                s->m, s->n, s->k, 1.0f, o->a, (int)o->lda, o->b, (int)o->ldb, 0.0f, o->c, s->n);
}

typedef void run_fn(const shape *s, const operands *o, size_t threads);

/* W's bits do not matter for speed, but subnormals and NaNs do: the operands hold small numbers. */
static float *numbers(size_t count)
{
    float *x = lcal__alloc_aligned(count, sizeof(*x));
    if (x == NULL)
        exit(1);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((i * 2654435761u >> 8 & 1023u) + 1) / 1024.0f;
    return x;
}

static double gflops(const shape *s, double best)
{
    return 2e-9 * s->m * s->n * s->k / best;
}

static void measure(const shape *s, double seconds)
{
    operands o = {
        .a = numbers((size_t)s->m * (size_t)s->k),
        .b = numbers((size_t)s->k * (size_t)s->n),
        .c = numbers((size_t)s->m * (size_t)s->n),
        .lda = (size_t)(s->ta ? s->m : s->k),
        .ldb = (size_t)(s->tb ? s->k : s->n),
    };
    static run_fn *const runs[2] = {run_lcal, run_openblas};
    double best[2][2] = {{1e9, 1e9}, {1e9, 1e9}};
    int rounds = 0;
    /* In turns, so that what else the machine does hits all alike. */
    for (double start = now(); now() - start < seconds || rounds < 3; rounds++)
        for (size_t threads = 1; threads <= 2; threads++)
            for (int which = 0; which < 2; which++) {
                double before = now();
                runs[which](s, &o, threads);
                double spent = now() - before;
                if (spent < best[threads - 1][which])
                    best[threads - 1][which] = spent;
            }
    printf("%5d x %5d x %5d %s%s  1 thread %6.1f (OpenBLAS %6.1f)  2 threads %6.1f (OpenBLAS "
           "%6.1f)  %s\n",
           s->m, s->n, s->k, s->ta ? "ta" : "  ", s->tb ? "tb" : "  ", gflops(s, best[0][0]),
           gflops(s, best[0][1]), gflops(s, best[1][0]), gflops(s, best[1][1]), s->what);
    lcal__free(o.a);
    lcal__free(o.b);
    lcal__free(o.c);
}

static void measure_weight(lcal__dtype dtype, size_t n, size_t rows, size_t cols, double seconds)
{
    uint16_t *data = lcal__alloc_aligned(rows * cols, sizeof(float));
    float *x = numbers(n * cols);
    float *y = numbers(n * rows);
    if (data == NULL)
        exit(1);
    float *values = numbers(rows * cols);
    lcal__convert_from_f32(dtype, values, data, rows * cols);
    lcal__free(values);
    lcal__weight w = {.rows = rows, .cols = cols, .dtype = dtype, .data = data};
    lcal__exec exec = lcal__exec_init(2);
    float *scratch = numbers(lcal__weight_scratch(&w, 2));
    double best[2] = {1e9, 1e9};
    for (double start = now(); now() - start < seconds;)
        for (int backward = 0; backward < 2; backward++) {
            double before = now();
            if (backward)
                lcal__weight_backward(&exec, &w, y, n, false, x, scratch);
            else
                lcal__weight_forward(&exec, &w, x, n, NULL, y, scratch);
            double spent = now() - before;
            if (spent < best[backward])
                best[backward] = spent;
        }
    double flops = 2e-9 * (double)n * (double)rows * (double)cols;
    printf("%4s weight %5zu x %5zu, %4zu rows, 2 threads: forward %6.1f, backward %6.1f\n",
           lcal__dtype_name(dtype), rows, cols, n, flops / best[0], flops / best[1]);
    lcal__free(data);
    lcal__free(x);
    lcal__free(y);
    lcal__free(scratch);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        measure(&shapes[i], seconds);
    static const lcal__dtype types[] = {LCAL__F32, LCAL__F16, LCAL__BF16};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        measure_weight(types[i], 256, 8192, 2048, seconds);
        measure_weight(types[i], 512, 1536, 576, seconds);
        measure_weight(types[i], 2048, 768, 288, seconds);
        measure_weight(types[i], 1, 8192, 2048, seconds);
    }
    return 0;
}
