/*
 * Placing buffers in one workspace: buffers whose lifetimes overlap get separate places, others may
 * share. First fit by decreasing size (a greedy bound for dynamic storage allocation that is within
 * a few percent of the peak for our graphs).
 */
#ifndef LCAL_ENGINE_PLACE_H
#define LCAL_ENGINE_PLACE_H

#include <stddef.h>

#include "base/status.h"

#define LCAL__NEVER ((size_t)-1)

/* A buffer of `bytes` that is live from step `first` to step `last`, both included; first
 * LCAL__NEVER: never used, gets no place. */
typedef struct lcal__lease {
    size_t bytes;
    size_t first, last;
    size_t offset; /* out: multiple of LCAL_ALIGN */
} lcal__lease;

/* Widens the lifetime to include `step`. */
void lcal__lease_touch(lcal__lease *lease, size_t step);

/* Sets every offset; *total is the bytes needed in all. */
lcal_status lcal__place(lcal__lease *leases, size_t count, size_t *total, lcal_error *err);

#endif
