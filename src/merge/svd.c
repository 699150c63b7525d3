/*
 * The exact sum cut to a rank. It is never made dense: with thin orthonormal factors of the stacked
 * B = Q_B R_B and A^T = Q_A R_A, the singular values of B A are those of the small R_B R_A^T
 * (Eckart and Young 1936: cutting them off is the best that a rank allows).
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "merge/parts.h"
#include "num/svd.h"

typedef struct cut {
    size_t total;               /* ranks together */
    size_t rank;                /* wanted */
    double *qa, *qb;            /* [total, cols], [total, rows] */
    double *ra, *rb, *core, *v; /* [total, total] */
    double *s;                  /* [total] */
    double *row;                /* [cols + rows] */
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
    c->row = lcal__calloc(rows + cols, sizeof(double));
    return c->qa && c->qb && c->ra && c->rb && c->core && c->v && c->s && c->row
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
    lcal__free(c->row);
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

/* row[length] = sum_i weights[i] q_i */
static void mix(size_t count, const double *weights, const double *q, size_t length, double *row)
{
    memset(row, 0, length * sizeof(*row));
    for (size_t i = 0; i < count; i++)
        for (size_t e = 0; e < length; e++)
            row[e] += weights[i] * q[i * length + e];
}

/* The two sides are independent of one another: two tasks. */
typedef struct side {
    const cut *c;
    double *q, *r;         /* its orthonormal vectors [total, length] and their triangle */
    const double *vectors; /* [total, total] its singular vectors, the left ones times s */
    double *row;           /* [length] scratch */
    size_t length;
    float *out; /* element e of vector k at k * vector_step + e * element_step */
    size_t vector_step, element_step;
} side;

static void orthonormalise_side(void *context, size_t index, size_t worker)
{
    (void)worker;
    const side *s = (const side *)context + index;
    lcal__orthonormalise(s->c->total, s->length, s->q, s->r);
}

/* B = the left vectors times their values by columns, A = the right vectors by rows. */
static void unfold_side(void *context, size_t index, size_t worker)
{
    (void)worker;
    const side *s = (const side *)context + index;
    for (size_t k = 0; k < s->c->rank; k++) {
        mix(s->c->total, s->vectors + k * s->c->total, s->q, s->length, s->row);
        for (size_t e = 0; e < s->length; e++)
            s->out[k * s->vector_step + e * s->element_step] = (float)s->row[e];
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
    const size_t rows = out->rows, cols = out->cols, threads = out->merge->exec.threads;
    LCAL_TRY(open_cut(c, rows, cols, err));
    out->pairs = lcal__calloc(1, sizeof(*out->pairs));
    out->values = lcal__alloc_aligned(c->rank, (rows + cols) * sizeof(float));
    if (!out->pairs || !out->values)
        return lcal__fail_nomem(err, "merged factors");
    float *a = out->values, *b = a + c->rank * cols;
    side sides[2] = {
        {c, c->qa, c->ra, c->v, c->row, cols, a, cols, 1},
        {c, c->qb, c->rb, c->core, c->row + cols, rows, b, 1, c->rank},
    };
    stack(c, parts, count, rows, cols);
    lcal__parallel_for(threads, 2, orthonormalise_side, sides);
    multiply(c);
    lcal__svd_jacobi(c->total, c->core, c->v, c->s);
    lcal__parallel_for(threads, 2, unfold_side, sides);
    out->pairs[0] = (lcal__lora_pair){a, b, c->rank, 1.0f};
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
