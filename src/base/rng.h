/*
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A value is a pure function of (seed, stream, index), so no result depends on
 * the order or the number of threads, and nothing but a position has to be stored to resume.
 */
#ifndef LCAL_BASE_RNG_H
#define LCAL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* The bijection itself: 128 bits of counter and 64 bits of key to 128 random bits. */
void lcal__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A sequence: `stream` keeps uses apart that share a seed; `index` is the position in it. */
typedef struct lcal__rng {
    uint64_t seed;
    uint64_t stream;
    uint64_t index;
} lcal__rng;

uint64_t lcal__rng_u64(lcal__rng *rng);

/* Uniform in [0, 1) with 53 random bits. */
double lcal__rng_uniform(lcal__rng *rng);

/* Uniform in 0..bound-1 without bias; bound > 0. */
uint64_t lcal__rng_below(lcal__rng *rng, uint64_t bound);

/* Standard normal (Box-Muller, one value a call). */
double lcal__rng_normal(lcal__rng *rng);

/* Fisher-Yates. */
void lcal__rng_shuffle(lcal__rng *rng, uint32_t *items, size_t count);

/* A stream number from a name: FNV-1a, 64 bits. */
uint64_t lcal__rng_stream(const char *name);

#endif
