#include "merge/prune.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"

void lcal__prune_small(float *x, size_t n, float threshold)
{
    for (size_t i = 0; i < n; i++)
        x[i] = fabsf(x[i]) >= threshold ? x[i] : 0.0f;
}

void lcal__prune_random(float *x, size_t n, uint64_t first, double density, uint64_t seed,
                        uint64_t stream)
{
    const uint64_t kept = (uint64_t)(density * 0x1p32 + 0.5); /* of 2^32 equally likely draws */
    const float divisor = (float)density;
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t draws[4];
    for (size_t i = 0; i < n; i++) {
        const uint64_t element = first + i, group = element / 4;
        if (i == 0 || element % 4 == 0) {
            const uint32_t counter[4] = {(uint32_t)group, (uint32_t)(group >> 32), (uint32_t)stream,
                                         (uint32_t)(stream >> 32)};
            lcal__philox(counter, key, draws);
        }
        x[i] = draws[element % 4] < kept ? x[i] / divisor : 0.0f;
    }
}

uint64_t lcal__prune_stream(size_t adapter, const char *tensor)
{
    char name[192];
    snprintf(name, sizeof(name), "merge.%zu.%s", adapter, tensor);
    return lcal__rng_stream(name);
}
