/*
 * How numeric work is run: on how many threads, with which kernels. Everything in num/, and every
 * op of the engine, takes one. The number of threads never changes a result.
 */
#ifndef LCAL_NUM_EXEC_H
#define LCAL_NUM_EXEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/threads.h"
#include "num/kernels.h"

typedef struct lcal__exec {
    size_t threads;               /* at least 1 */
    const lcal__kernels *kernels; /* never NULL */
    /* Matrix products (x W^T only) give a row the same bits whatever rows are beside it (dots.h);
     * false: as fast as can be for many rows. */
    bool row_invariant;
} lcal__exec;

/* threads 0: as many as there are processors. */
lcal__exec lcal__exec_init(size_t threads);

/* Calls fn for blocks of whole rows, `count` rows in all; block size depends on count and cols
 * only. */
typedef void lcal__rows_fn(void *context, size_t first, size_t count, size_t worker);
void lcal__for_rows(const lcal__exec *exec, size_t count, size_t cols, lcal__rows_fn *fn,
                    void *context);

#endif
