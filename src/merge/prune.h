/* Dropping elements of an update: the small ones (TIES), or a random choice (DARE). In place. */
#ifndef LCAL_MERGE_PRUNE_H
#define LCAL_MERGE_PRUNE_H

#include <stddef.h>
#include <stdint.h>

/* Keeps x[i] of at least that magnitude. */
void lcal__prune_small(float *x, size_t n, float threshold);

/*
 * Keeps each element with probability `density` (to 2^-32) and divides it by that, which leaves its
 * mean as it was (Yu et al. 2024, "Language models are super Mario"). first: number of x[0] in its
 * tensor; whether an element is kept is a function of seed, stream and its number alone.
 */
void lcal__prune_random(float *x, size_t n, uint64_t first, double density, uint64_t seed,
                        uint64_t stream);

/* The stream of a tensor ("model.layers.0.self_attn.q_proj") of the adapter with that index. */
uint64_t lcal__prune_stream(size_t adapter, const char *tensor);

#endif
