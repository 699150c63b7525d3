#include "bench/flops.h"

static double product(size_t out, size_t in, size_t n)
{
    return 2.0 * (double)out * (double)in * (double)n;
}

double lcal__step_flops(const lcal__model_config *config, size_t tokens, size_t rows)
{
    double flops = 2.0 * product(config->vocab, config->hidden, rows);
    for (size_t layer = 0; layer < config->layers; layer++)
        for (lcal__proj proj = LCAL__Q; proj < LCAL__PROJ_COUNT; proj++) {
            const bool before_attention = proj == LCAL__Q || proj == LCAL__K || proj == LCAL__V;
            const bool last = layer + 1 == config->layers;
            const double once = product(lcal__proj_out(config, proj), lcal__proj_in(config, proj),
                                        last && !before_attention ? rows : tokens);
            flops += layer == 0 && before_attention ? once : 2.0 * once;
        }
    return flops;
}
