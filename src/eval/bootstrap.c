#include "eval/bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* sorted: [count]; between neighbours by distance. */
static double percentile(const double *sorted, size_t count, double fraction)
{
    const double at = fraction * (double)(count - 1);
    const size_t below = (size_t)floor(at), above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

/* means: [columns, resamples] */
static void resample(const double *values, size_t rows, size_t columns, size_t resamples,
                     uint64_t seed, double *means)
{
    lcal__rng rng = {.seed = seed, .stream = lcal__rng_stream("bootstrap")};
    for (size_t s = 0; s < resamples; s++) {
        for (size_t r = 0; r < rows; r++) {
            const double *row = values + lcal__rng_below(&rng, rows) * columns;
            for (size_t c = 0; c < columns; c++)
                means[c * resamples + s] += row[c];
        }
        for (size_t c = 0; c < columns; c++)
            means[c * resamples + s] /= (double)rows;
    }
}

lcal_status lcal__bootstrap(const double *values, size_t rows, size_t columns, size_t resamples,
                            uint64_t seed, lcal__interval *out, lcal_error *err)
{
    size_t floats;
    double *means = NULL;
    if (lcal__size_mul(columns, resamples, &floats))
        means = lcal__calloc(floats, sizeof(*means));
    if (!means)
        return lcal__fail_nomem(err, "resampled means");
    resample(values, rows, columns, resamples, seed, means);
    for (size_t c = 0; c < columns; c++) {
        double sum = 0.0, *of = means + c * resamples;
        for (size_t r = 0; r < rows; r++)
            sum += values[r * columns + c];
        qsort(of, resamples, sizeof(*of), by_value);
        out[c] = (lcal__interval){sum / (double)rows, percentile(of, resamples, 0.025),
                                  percentile(of, resamples, 0.975)};
    }
    lcal__free(means);
    return LCAL_OK;
}
