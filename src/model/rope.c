#include <math.h>

#include "model/config.h"

/* Radians a position of pair i, f_i = theta^(-2i/dims), after the model's scaling. */
static double frequency(const lcal__model_config *config, size_t i)
{
    const double two_pi = 6.283185307179586477;
    double f = pow(config->rope.theta, -2.0 * (double)i / (double)config->rope.dims);
    switch (config->rope.kind) {
    case LCAL__ROPE_LINEAR:
        return f / config->rope.factor;
    case LCAL__ROPE_LLAMA3: {
        /* Long waves are slowed down by `factor`, short ones kept, those between are blended. */
        double turns = config->rope.original_positions * f / two_pi;
        double low = config->rope.low_freq_factor, high = config->rope.high_freq_factor;
        if (turns > high)
            return f;
        if (turns < low)
            return f / config->rope.factor;
        double kept = (turns - low) / (high - low);
        return (1.0 - kept) * f / config->rope.factor + kept * f;
    }
    case LCAL__ROPE_FACTORS:
        return f / (double)config->rope.factors[i];
    case LCAL__ROPE_DEFAULT:
        break;
    }
    return f;
}

double lcal__rope_slowdown(const lcal__model_config *config, size_t i)
{
    return pow(config->rope.theta, -2.0 * (double)i / (double)config->rope.dims)
           / frequency(config, i);
}

void lcal__rope_table(const lcal__model_config *config, size_t positions, float *cos_table,
                      float *sin_table)
{
    size_t half = config->rope.dims / 2;
    for (size_t i = 0; i < half; i++) {
        double f = frequency(config, i);
        for (size_t t = 0; t < positions; t++) {
            cos_table[t * half + i] = (float)cos((double)t * f);
            sin_table[t * half + i] = (float)sin((double)t * f);
        }
    }
}
