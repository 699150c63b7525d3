#include "merge/combine.h"

/* So many elements at a time, one adapter after another: loops that vectorise. */
#define CHUNK 256

static void sum(const lcal__combination *how, const float *values, size_t stride, size_t n,
                float *out)
{
    double total[CHUNK] = {0};
    for (size_t i = 0; i < how->count; i++)
        for (size_t e = 0; e < n; e++)
            total[e] += how->weights[i] * (double)values[i * stride + e];
    for (size_t e = 0; e < n; e++)
        out[e] = (float)total[e];
}

static double sign(double x)
{
    return (double)(x > 0.0) - (double)(x < 0.0);
}

static void elect(const lcal__combination *how, const float *values, size_t stride, size_t n,
                  float *out)
{
    double poll[CHUNK] = {0}, total[CHUNK] = {0}, agreeing[CHUNK] = {0};
    const bool weighted = how->election == LCAL__ELECTION_WEIGHTED;
    const bool by_value = how->majority == LCAL__MAJORITY_TOTAL;
    for (size_t i = 0; i < how->count; i++) {
        const double say = weighted ? how->weights[i] : 1.0;
        for (size_t e = 0; e < n; e++) {
            const double vote = say * (double)values[i * stride + e];
            poll[e] += by_value ? vote : sign(vote);
        }
    }
    for (size_t i = 0; i < how->count; i++) {
        const double say = weighted ? how->weights[i] : 1.0, weight = how->weights[i];
        for (size_t e = 0; e < n; e++) {
            const double value = (double)values[i * stride + e], vote = say * value;
            const bool agrees = poll[e] >= 0.0 ? vote > 0.0 : vote < 0.0;
            total[e] += agrees ? weight * value : 0.0;
            agreeing[e] += agrees ? 1.0 : 0.0;
        }
    }
    for (size_t e = 0; e < n; e++)
        out[e] = agreeing[e] > 0.0 ? (float)(how->lambda * total[e] / agreeing[e]) : 0.0f;
}

void lcal__combine(const lcal__combination *how, const float *values, size_t stride, size_t n,
                   float *out)
{
    for (size_t first = 0; first < n; first += CHUNK) {
        const size_t count = n - first < CHUNK ? n - first : CHUNK;
        if (how->elects)
            elect(how, values + first, stride, count, out + first);
        else
            sum(how, values + first, stride, count, out + first);
    }
}
