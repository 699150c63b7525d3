/*
 * The exact sum cut to a rank. It is never made dense: with thin orthonormal factors of the stacked
 * B = Q_B R_B and A^T = Q_A R_A, the singular values of B A are those of the small R_B R_A^T
 * (Eckart and Young 1936: cutting them off is the best that a rank allows).
 */
#include <math.h>

#include "base/mem.h"
#include "merge/parts.h"
#include "num/svd.h"

typedef struct cut {
    size_t total;               /* ranks together */
    size_t rank;                /* wanted */
    double *qa, *qb;            /* [total, cols], [total, rows] */
    double *ra, *rb, *core, *v; /* [total, total] */
    double *s;                  /* [total] */
} cut;

static lcal_status open_cut(cut *c, size_t rows, size_t cols, lcal_error *err)
{
    const size_t row = c->total * sizeof(double);
    c->qa = lcal__alloc_aligned(cols, row);
    c->qb = lcal__alloc_aligned(rows, row);
    c->ra = lcal__alloc_aligned(c->total, row);
    c->rb = lcal__alloc_aligned(c->total, row);
    c->core = lcal__alloc_aligned(c->total, row);
    c->v = lcal__alloc_aligned(c->total, row);
    c->s = lcal__calloc(c->total, sizeof(double));
    return c->qa && c->qb && c->ra && c->rb && c->core && c->v && c->s
               ? LCAL_OK
               : lcal__fail_nomem(err, "a singular value decomposition");
}

static void close_cut(cut *c)
{
    lcal__free(c->qa);
    lcal__free(c->qb);
    lcal__free(c->ra);
    lcal__free(c->rb);
    lcal__free(c->core);
    lcal__free(c->v);
    lcal__free(c->s);
}

/* Columns of B and rows of A, these with the weights and scales. */
static void stack(cut *c, const lcal__merge_part *parts, size_t count, size_t rows, size_t cols)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const lcal__lora_pair *pair = parts[i].pair;
        const double factor = (double)parts[i].weight * (double)pair->scale;
        for (size_t k = 0; k < pair->rank; k++, at++) {
            for (size_t e = 0; e < cols; e++)
                c->qa[at * cols + e] = factor * (double)pair->a[k * cols + e];
            for (size_t e = 0; e < rows; e++)
                c->qb[at * rows + e] = (double)pair->b[e * pair->rank + k];
        }
    }
}

/* core = R_B R_A^T by columns: row j of the array is column j of the product. */
static void multiply(const cut *c)
{
    const size_t n = c->total;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n; i++) {
            double sum = 0.0;
            for (size_t k = i > j ? i : j; k < n; k++)
                sum += c->rb[i * n + k] * c->ra[j * n + k];
            c->core[j * n + i] = sum;
        }
}

/* b[e, k] = the k-th left vector times its value, a[k, e] = the k-th right vector. */
static void unfold(const cut *c, size_t rows, size_t cols, float *a, float *b)
{
    const size_t n = c->total;
    for (size_t k = 0; k < c->rank; k++) {
        for (size_t e = 0; e < cols; e++) {
            double sum = 0.0;
            for (size_t i = 0; i < n; i++)
                sum += c->v[k * n + i] * c->qa[i * cols + e];
            a[k * cols + e] = (float)sum;
        }
        for (size_t e = 0; e < rows; e++) {
            double sum = 0.0;
            for (size_t i = 0; i < n; i++)
                sum += c->core[k * n + i] * c->qb[i * rows + e];
            b[e * c->rank + k] = (float)sum;
        }
    }
}

static double truncation_of(const cut *c)
{
    double kept = 0.0, lost = 0.0;
    for (size_t k = 0; k < c->total; k++)
        *(k < c->rank ? &kept : &lost) += c->s[k] * c->s[k];
    return lost > 0.0 ? sqrt(lost / (kept + lost)) : 0.0;
}

static lcal_status decompose(cut *c, const lcal__merge_part *parts, size_t count, lcal__merged *out,
                             lcal_error *err)
{
    const lcal__exec *exec = &out->merge->exec;
    LCAL_TRY(open_cut(c, out->rows, out->cols, err));
    stack(c, parts, count, out->rows, out->cols);
    lcal__orthonormalise(exec, c->total, out->cols, c->qa, c->ra);
    lcal__orthonormalise(exec, c->total, out->rows, c->qb, c->rb);
    multiply(c);
    lcal__svd_jacobi(c->total, c->core, c->v, c->s);
    out->pairs = lcal__calloc(1, sizeof(*out->pairs));
    out->values = lcal__alloc_aligned(c->rank, (out->rows + out->cols) * sizeof(float));
    if (!out->pairs || !out->values)
        return lcal__fail_nomem(err, "merged factors");
    float *b = out->values + c->rank * out->cols;
    unfold(c, out->rows, out->cols, out->values, b);
    out->pairs[0] = (lcal__lora_pair){out->values, b, c->rank, 1.0f};
    out->count = 1;
    out->truncation = truncation_of(c);
    return LCAL_OK;
}

lcal_status lcal__merge_svd(const lcal__merge_part *parts, size_t count, size_t rank,
                            lcal__merged *out, lcal_error *err)
{
    cut c = {.rank = rank};
    for (size_t i = 0; i < count; i++)
        c.total += parts[i].pair->rank;
    lcal_status status = decompose(&c, parts, count, out, err);
    close_cut(&c);
    return status;
}
