/* The one parallel loop of the library. */
#ifndef LCAL_BASE_THREADS_H
#define LCAL_BASE_THREADS_H

#include <stddef.h>

/* index: which task, 0..count-1. worker: which thread runs it, 0..threads-1, for scratch of its
 * own. */
typedef void lcal__task_fn(void *context, size_t index, size_t worker);

/*
 * Runs fn for every index on up to `threads` threads and returns when all are done. Which thread
 * runs a task, and in which order, is not fixed: tasks must write to places of their own, and what
 * a task computes must depend on its index alone. Then results do not depend on `threads`.
 * Inside a task a BLAS call runs on the calling thread only. A loop inside a task, or beside one of
 * another caller, runs on its caller alone.
 */
void lcal__parallel_for(size_t threads, size_t count, lcal__task_fn *fn, void *context);

/* Processors this process may run on; at least 1. */
size_t lcal__threads_available(void);

#endif
