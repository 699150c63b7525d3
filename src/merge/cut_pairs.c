/*
 * A sum of pairs cut to a rank without being made dense: with thin orthonormal factors of the
 * stacked B = Q_B R_B and A^T = Q_A R_A, the singular values of B A are those of the small
 * R_B R_A^T.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "merge/cut.h"
#include "num/svd.h"

typedef struct work {
    size_t total;               /* ranks together */
    double *qa, *qb;            /* [total, cols], [total, rows] */
    double *ra, *rb, *core, *v; /* [total, total] */
    double *s;                  /* [total] */
    double *row;                /* [cols + rows] */
} work;

static lcal_status open_work(work *w, size_t rows, size_t cols, lcal_error *err)
{
    const size_t row = w->total * sizeof(double);
    w->qa = lcal__alloc_aligned(cols, row);
    w->qb = lcal__alloc_aligned(rows, row);
    w->ra = lcal__alloc_aligned(w->total, row);
    w->rb = lcal__alloc_aligned(w->total, row);
    w->core = lcal__alloc_aligned(w->total, row);
    w->v = lcal__alloc_aligned(w->total, row);
    w->s = lcal__calloc(w->total, sizeof(double));
    w->row = lcal__calloc(rows + cols, sizeof(double));
    return w->qa && w->qb && w->ra && w->rb && w->core && w->v && w->s && w->row
               ? LCAL_OK
               : lcal__fail_nomem(err, "a singular value decomposition");
}

static void close_work(work *w)
{
    lcal__free(w->qa);
    lcal__free(w->qb);
    lcal__free(w->ra);
    lcal__free(w->rb);
    lcal__free(w->core);
    lcal__free(w->v);
    lcal__free(w->s);
    lcal__free(w->row);
}

/* Columns of B and rows of A, these with the scales. */
static void stack(work *w, const lcal__lora_pair *pairs, size_t count, size_t rows, size_t cols)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const lcal__lora_pair *pair = &pairs[i];
        for (size_t k = 0; k < pair->rank; k++, at++) {
            for (size_t e = 0; e < cols; e++)
                w->qa[at * cols + e] = (double)pair->scale * (double)pair->a[k * cols + e];
            for (size_t e = 0; e < rows; e++)
                w->qb[at * rows + e] = (double)pair->b[e * pair->rank + k];
        }
    }
}

/* core = R_B R_A^T by columns: row j of the array is column j of the product. */
static void multiply(const work *w)
{
    const size_t n = w->total;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n; i++) {
            double sum = 0.0;
            for (size_t k = i > j ? i : j; k < n; k++)
                sum += w->rb[i * n + k] * w->ra[j * n + k];
            w->core[j * n + i] = sum;
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
    size_t total, rank, length;
    double *q, *r;         /* its orthonormal vectors [total, length] and their triangle */
    const double *vectors; /* [total, total] its singular vectors, the left ones times s */
    double *row;           /* [length] scratch */
    float *out;            /* element e of vector k at k * vector_step + e * element_step */
    size_t vector_step, element_step;
} side;

static void orthonormalise_side(void *context, size_t index, size_t worker)
{
    (void)worker;
    const side *s = (const side *)context + index;
    lcal__orthonormalise(s->total, s->length, s->q, s->r);
}

/* B = the left vectors times their values by columns, A = the right vectors by rows. */
static void unfold_side(void *context, size_t index, size_t worker)
{
    (void)worker;
    const side *s = (const side *)context + index;
    for (size_t k = 0; k < s->rank; k++) {
        mix(s->total, s->vectors + k * s->total, s->q, s->length, s->row);
        for (size_t e = 0; e < s->length; e++)
            s->out[k * s->vector_step + e * s->element_step] = (float)s->row[e];
    }
}

static double truncation_of(const work *w, size_t rank)
{
    double kept = 0.0, lost = 0.0;
    for (size_t k = 0; k < w->total; k++)
        *(k < rank ? &kept : &lost) += w->s[k] * w->s[k];
    return lost > 0.0 ? sqrt(lost / (kept + lost)) : 0.0;
}

static void decompose(work *w, const lcal__exec *exec, const lcal__lora_pair *pairs, size_t count,
                      size_t rows, size_t cols, size_t rank, lcal__cut *out)
{
    float *a = out->values, *b = a + rank * cols;
    side sides[2] = {
        {w->total, rank, cols, w->qa, w->ra, w->v, w->row, a, cols, 1},
        {w->total, rank, rows, w->qb, w->rb, w->core, w->row + cols, b, 1, rank},
    };
    stack(w, pairs, count, rows, cols);
    lcal__parallel_for(exec->threads, 2, orthonormalise_side, sides);
    multiply(w);
    lcal__svd_jacobi(w->total, w->core, w->v, w->s);
    lcal__parallel_for(exec->threads, 2, unfold_side, sides);
    out->pair = (lcal__lora_pair){a, b, rank, 1.0f};
    out->truncation = truncation_of(w, rank);
}

lcal_status lcal__cut_pairs(const lcal__exec *exec, const lcal__lora_pair *pairs, size_t count,
                            size_t rows, size_t cols, size_t rank, lcal__cut *out, lcal_error *err)
{
    work w = {0};
    for (size_t i = 0; i < count; i++)
        w.total += pairs[i].rank;
    *out = (lcal__cut){.values = lcal__alloc_aligned(rank, (rows + cols) * sizeof(float))};
    lcal_status status =
        out->values ? open_work(&w, rows, cols, err) : lcal__fail_nomem(err, "merged factors");
    if (status == LCAL_OK)
        decompose(&w, exec, pairs, count, rows, cols, rank, out);
    else
        lcal__cut_free(out);
    close_work(&w);
    return status;
}

void lcal__cut_free(lcal__cut *cut)
{
    lcal__free(cut->values);
    *cut = (lcal__cut){0};
}
