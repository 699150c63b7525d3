#include "merge/prune.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"

void lcal__prune_small(float *x, size_t n, float threshold)
{
    for (size_t i = 0; i < n; i++)
        x[i] = fabsf(x[i]) >= threshold ? x[i] : 0.0f;
}

#define DRAWS 256

/* draws[e] for elements first..first+n-1 of the stream; n at most DRAWS. */
static void draw(uint64_t first, size_t n, const uint32_t key[2], uint64_t stream,
                 uint32_t draws[DRAWS])
{
    uint32_t four[4];
    for (size_t e = 0; e < n; e++) {
        const uint64_t element = first + e, group = element / 4;
        if (e == 0 || element % 4 == 0) {
            const uint32_t counter[4] = {(uint32_t)group, (uint32_t)(group >> 32), (uint32_t)stream,
                                         (uint32_t)(stream >> 32)};
            lcal__philox(counter, key, four);
        }
        draws[e] = four[element % 4];
    }
}

void lcal__prune_random(float *x, size_t n, uint64_t first, double density, uint64_t seed,
                        uint64_t stream)
{
    const uint64_t kept = (uint64_t)(density * 0x1p32 + 0.5); /* of 2^32 equally likely draws */
    const float divisor = (float)density;
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t draws[DRAWS];
    if (kept > UINT32_MAX)
        return; /* all are kept and divided by 1 */
    for (size_t done = 0; done < n; done += DRAWS) {
        const size_t count = n - done < DRAWS ? n - done : DRAWS;
        draw(first + done, count, key, stream, draws);
        for (size_t e = 0; e < count; e++)
            x[done + e] = draws[e] < (uint32_t)kept ? x[done + e] / divisor : 0.0f;
    }
}

uint64_t lcal__prune_stream(size_t adapter, const char *tensor)
{
    char name[192];
    snprintf(name, sizeof(name), "merge.%zu.%s", adapter, tensor);
    return lcal__rng_stream(name);
}
