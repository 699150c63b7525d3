#include "base/rng.h"

#include <math.h>

void lcal__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = UINT64_C(0xD2511F53) * c0;
        uint64_t p1 = UINT64_C(0xCD9E8D57) * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t lcal__rng_u64(lcal__rng *rng)
{
    uint64_t index = rng->index++;
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)rng->stream,
                                 (uint32_t)(rng->stream >> 32)};
    const uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    uint32_t out[4];
    lcal__philox(counter, key, out);
    return (uint64_t)out[1] << 32 | out[0];
}

double lcal__rng_uniform(lcal__rng *rng)
{
    return (double)(lcal__rng_u64(rng) >> 11) * 0x1p-53;
}

uint64_t lcal__rng_below(lcal__rng *rng, uint64_t bound)
{
    /* Values under 2^64 mod bound would make small results likelier: draw again. */
    uint64_t unfair = (UINT64_MAX - bound + 1) % bound;
    uint64_t value = lcal__rng_u64(rng);
    while (value < unfair)
        value = lcal__rng_u64(rng);
    return value % bound;
}

double lcal__rng_normal(lcal__rng *rng)
{
    const double two_pi = 6.283185307179586477;
    double u = 1.0 - lcal__rng_uniform(rng); /* (0, 1]: the logarithm stays finite */
    double v = lcal__rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(two_pi * v);
}

void lcal__rng_shuffle(lcal__rng *rng, uint32_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)lcal__rng_below(rng, i);
        uint32_t swapped = items[i - 1];
        items[i - 1] = items[j];
        items[j] = swapped;
    }
}

uint64_t lcal__rng_stream(const char *name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001B3);
    return hash;
}
