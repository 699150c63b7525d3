#include "merge/combine.h"

static double sign(double x)
{
    return (double)((x > 0.0) - (x < 0.0));
}

static void sum(const lcal__combination *how, const float *values, size_t stride, size_t n,
                float *out)
{
    for (size_t e = 0; e < n; e++) {
        double total = 0.0;
        for (size_t i = 0; i < how->count; i++)
            total += how->weights[i] * (double)values[i * stride + e];
        out[e] = (float)total;
    }
}

static double vote_of(const lcal__combination *how, const float *values, size_t stride, size_t e,
                      size_t i)
{
    const double value = (double)values[i * stride + e];
    return how->election == LCAL__ELECTION_WEIGHTED ? how->weights[i] * value : value;
}

static void elect(const lcal__combination *how, const float *values, size_t stride, size_t n,
                  float *out)
{
    for (size_t e = 0; e < n; e++) {
        double poll = 0.0, total = 0.0;
        size_t agreeing = 0;
        for (size_t i = 0; i < how->count; i++) {
            const double vote = vote_of(how, values, stride, e, i);
            poll += how->majority == LCAL__MAJORITY_TOTAL ? vote : sign(vote);
        }
        const double elected = poll >= 0.0 ? 1.0 : -1.0;
        for (size_t i = 0; i < how->count; i++)
            if (sign(vote_of(how, values, stride, e, i)) == elected) {
                total += how->weights[i] * (double)values[i * stride + e];
                agreeing++;
            }
        out[e] = agreeing ? (float)(how->lambda * total / (double)agreeing) : 0.0f;
    }
}

void lcal__combine(const lcal__combination *how, const float *values, size_t stride, size_t n,
                   float *out)
{
    if (how->elects)
        elect(how, values, stride, n, out);
    else
        sum(how, values, stride, n, out);
}
