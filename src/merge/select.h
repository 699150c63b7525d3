/*
 * The k-th largest magnitude of more numbers than fit into memory, exactly, in two passes over
 * them. Without its sign, the bits of a float order like its magnitude: the first pass counts the
 * upper 16 of the 31, the second the lower 15 of those numbers that have the answer's upper ones.
 */
#ifndef LCAL_MERGE_SELECT_H
#define LCAL_MERGE_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define LCAL__SELECT_PASSES 2

/* Zeroed is valid and empty. */
typedef struct lcal__select {
    uint64_t *bins; /* [threads, LCAL__SELECT_BINS] */
    size_t threads;
    unsigned pass;
    uint32_t upper; /* bits of the answer, known after the first pass */
    uint64_t rank;  /* of the answer among what this pass counts, from 1; 0: nothing is kept */
    float threshold;
} lcal__select;

/* keep: how many of the largest are wanted; at most as many as will be added. */
lcal_status lcal__select_open(lcal__select *select, size_t threads, uint64_t keep, lcal_error *err);
void lcal__select_close(lcal__select *select);

/* Counts n numbers on the thread `worker`; the same ones in each pass, in any order. */
void lcal__select_add(lcal__select *select, const float *x, size_t n, size_t worker);

/* Ends a pass. After the last, `threshold` is the smallest magnitude kept, infinity for none. */
void lcal__select_next(lcal__select *select);

/* The `density` of n numbers, rounded down as PEFT does. */
uint64_t lcal__select_count(double density, uint64_t n);

#endif
