/*
 * A dense update cut to a rank. X [width, cols] holds the right subspace, a few vectors wider than
 * wanted. A round takes Y = X D^T and X = Y D and makes X orthonormal again, which turns it towards
 * the largest singular values. What D keeps in the subspace, D X^T X, is a sum of one pair of rank
 * width, and cut as such.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "merge/cut.h"
#include "merge/parts.h"
#include "num/gemm.h"
#include "num/svd.h"

#define WIDER 8 /* vectors beyond the rank: they make the last wanted ones converge */
#define ROUNDS_MAX 60
#define GAIN 1e-6 /* of what is kept, below which a round is the last */

typedef struct space {
    const lcal__exec *exec;
    const float *update; /* [rows, cols] */
    size_t rows, cols, width;
    float *x;      /* [width, cols] orthonormal */
    float *y;      /* [width, rows] */
    float *yt;     /* [rows, width] */
    double *q, *r; /* [width, cols], [width, width] */
} space;

static lcal_status open_space(space *s, lcal_error *err)
{
    s->x = lcal__alloc_aligned(s->width, s->cols * sizeof(float));
    s->y = lcal__alloc_aligned(s->width, s->rows * sizeof(float));
    s->yt = lcal__alloc_aligned(s->width, s->rows * sizeof(float));
    s->q = lcal__alloc_aligned(s->width, s->cols * sizeof(double));
    s->r = lcal__alloc_aligned(s->width, s->width * sizeof(double));
    return s->x && s->y && s->yt && s->q && s->r
               ? LCAL_OK
               : lcal__fail_nomem(err, "a singular value decomposition");
}

static void close_space(space *s)
{
    lcal__free(s->x);
    lcal__free(s->y);
    lcal__free(s->yt);
    lcal__free(s->q);
    lcal__free(s->r);
}

/* X becomes orthonormal; what it depends on itself is zero. */
static void orthonormalise(space *s)
{
    const size_t n = s->width * s->cols;
    for (size_t e = 0; e < n; e++)
        s->q[e] = (double)s->x[e];
    lcal__orthonormalise(s->width, s->cols, s->q, s->r);
    for (size_t e = 0; e < n; e++)
        s->x[e] = (float)s->q[e];
}

static void start(space *s)
{
    lcal__rng rng = {0, lcal__rng_stream("merge.cut"), 0};
    for (size_t e = 0; e < s->width * s->cols; e++)
        s->x[e] = (float)lcal__rng_normal(&rng);
    orthonormalise(s);
}

/* y = X D^T; the square of its norm is what D keeps in the subspace. */
static double project(space *s)
{
    lcal__gemm(s->exec, false, true, s->width, s->rows, s->cols, 1.0f, s->x, s->cols, s->update,
               s->cols, 0.0f, s->y, s->rows);
    return s->exec->kernels->sum_squares(s->y, s->width * s->rows);
}

static void turn(space *s)
{
    lcal__gemm(s->exec, false, false, s->width, s->cols, s->rows, 1.0f, s->y, s->rows, s->update,
               s->cols, 0.0f, s->x, s->cols);
    orthonormalise(s);
}

static void iterate(space *s)
{
    double kept = project(s);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        turn(s);
        const double now = project(s);
        const bool last = now - kept <= GAIN * now;
        kept = now;
        if (last)
            break;
    }
}

/* Norm of the update less the pair, over the update's: taken from their difference, because a
 * difference of norms would not see what is smaller than the root of f32's rounding. */
static lcal_status measure(const space *s, lcal__cut *cut, lcal_error *err)
{
    const lcal__kernels *kernels = s->exec->kernels;
    const lcal__lora_pair *pair = &cut->pair;
    const size_t most = lcal__delta_block(s->rows, s->cols), cols = s->cols;
    float *rest = lcal__alloc_aligned(most, cols * sizeof(float));
    double lost = 0.0, whole = 0.0;
    if (!rest)
        return lcal__fail_nomem(err, "rows of a dense update");
    for (size_t first = 0; first < s->rows; first += most) {
        const size_t left = s->rows - first, count = left < most ? left : most;
        const float *rows = s->update + first * cols;
        memcpy(rest, rows, count * cols * sizeof(*rest));
        lcal__gemm(s->exec, false, false, count, cols, pair->rank, -pair->scale,
                   pair->b + first * pair->rank, pair->rank, pair->a, cols, 1.0f, rest, cols);
        lost += kernels->sum_squares(rest, count * cols);
        whole += kernels->sum_squares(rows, count * cols);
    }
    lcal__free(rest);
    cut->truncation = whole > 0.0 ? sqrt(lost / whole) : 0.0;
    return LCAL_OK;
}

static lcal_status cut(space *s, size_t rank, lcal__cut *out, lcal_error *err)
{
    start(s);
    iterate(s);
    for (size_t k = 0; k < s->width; k++)
        for (size_t e = 0; e < s->rows; e++)
            s->yt[e * s->width + k] = s->y[k * s->rows + e];
    const lcal__lora_pair inside = {s->x, s->yt, s->width, 1.0f};
    LCAL_TRY(lcal__cut_pairs(s->exec, &inside, 1, s->rows, s->cols, rank, out, err));
    lcal_status status = measure(s, out, err);
    if (status != LCAL_OK)
        lcal__cut_free(out);
    return status;
}

lcal_status lcal__cut_dense(const lcal__exec *exec, const float *update, size_t rows, size_t cols,
                            size_t rank, lcal__cut *out, lcal_error *err)
{
    const size_t most = rows < cols ? rows : cols;
    space s = {.exec = exec, .update = update, .rows = rows, .cols = cols};
    s.width = rank + WIDER < most ? rank + WIDER : most;
    *out = (lcal__cut){0};
    lcal_status status = open_space(&s, err);
    if (status == LCAL_OK)
        status = cut(&s, rank, out, err);
    close_space(&s);
    return status;
}
