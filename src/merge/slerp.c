/*
 * Spherical interpolation between two updates as flat vectors (Shoemake 1985; mergekit's rule):
 * the angle between the directions decides two factors, which multiply the updates themselves.
 * Inner products of updates come from their factors, <B1 A1, B2 A2> = sum of (B1^T B2) o (A1 A2^T),
 * so the result is the exact sum with other weights.
 */
#include <math.h>

#include "base/mem.h"
#include "merge/parts.h"

#define SMALL_NORM 1e-8 /* a vector so short has no direction */
#define PARALLEL 0.9995 /* cosines beyond this: straight interpolation */

/* <x.b x.a, y.b y.a>; one task for each of x's ranks. */
typedef struct product {
    const lcal__lora_pair *x, *y;
    size_t rows, cols;
    double *columns; /* [x->rank, y->rank] B1^T B2 */
    double *parts;   /* [x->rank] */
} product;

static void product_part(void *context, size_t i, size_t worker)
{
    (void)worker;
    const product *p = context;
    const size_t ranks = p->y->rank;
    double *columns = p->columns + i * ranks, sum = 0.0;
    for (size_t r = 0; r < p->rows; r++) {
        const double b = (double)p->x->b[r * p->x->rank + i];
        for (size_t j = 0; j < ranks; j++)
            columns[j] += b * (double)p->y->b[r * ranks + j];
    }
    for (size_t j = 0; j < ranks; j++) {
        double a = 0.0;
        for (size_t c = 0; c < p->cols; c++)
            a += (double)p->x->a[i * p->cols + c] * (double)p->y->a[j * p->cols + c];
        sum += a * columns[j];
    }
    p->parts[i] = sum;
}

static lcal_status inner_product(const lcal__merged *merged, const lcal__lora_pair *x,
                                 const lcal__lora_pair *y, double *out, lcal_error *err)
{
    product p = {
        .x = x,
        .y = y,
        .rows = merged->rows,
        .cols = merged->cols,
        .columns = lcal__calloc(x->rank, y->rank * sizeof(double)),
        .parts = lcal__calloc(x->rank, sizeof(double)),
    };
    const bool room = p.columns && p.parts;
    *out = 0.0;
    if (room)
        lcal__parallel_for(merged->merge->exec.threads, x->rank, product_part, &p);
    for (size_t i = 0; room && i < x->rank; i++)
        *out += p.parts[i];
    lcal__free(p.columns);
    lcal__free(p.parts);
    return room ? LCAL_OK : lcal__fail_nomem(err, "an inner product of updates");
}

static double scale_of(const lcal__merge_part *part)
{
    return (double)part->weight * (double)part->pair->scale;
}

/* The cosine of two updates, where one without a direction counts with its length as it is. */
static lcal_status cosine(const lcal__merge_part *parts, const lcal__merged *merged, double *out,
                          lcal_error *err)
{
    double squares[2], dot;
    for (size_t i = 0; i < 2; i++)
        LCAL_TRY(inner_product(merged, parts[i].pair, parts[i].pair, &squares[i], err));
    LCAL_TRY(inner_product(merged, parts[0].pair, parts[1].pair, &dot, err));
    *out = scale_of(&parts[0]) * scale_of(&parts[1]) * dot;
    for (size_t i = 0; i < 2; i++) {
        const double norm = fabs(scale_of(&parts[i])) * sqrt(fmax(squares[i], 0.0));
        if (norm > SMALL_NORM)
            *out /= norm;
    }
    return LCAL_OK;
}

lcal_status lcal__merge_slerp(const lcal__merge_part *parts, size_t count, lcal__merged *out,
                              lcal_error *err)
{
    const double t = out->merge->settings.t;
    double c = 0.0; /* with an update that is not there */
    if (count == 2)
        LCAL_TRY(cosine(parts, out, &c, err));
    double factors[2] = {1.0 - t, t};
    if (fabs(c) <= PARALLEL) {
        const double angle = acos(c);
        for (size_t i = 0; i < 2; i++)
            factors[i] = sin(factors[i] * angle) / sin(angle);
    }
    LCAL_TRY(lcal__merge_sum(parts, count, out, err));
    for (size_t i = 0; i < count; i++)
        out->pairs[i].scale = (float)(factors[parts[i].index] * scale_of(&parts[i]));
    return LCAL_OK;
}
