#define _GNU_SOURCE /* sched_getaffinity: a container often gives fewer processors than exist */
#include "base/threads.h"

#include <omp.h>
#include <sched.h>
#include <stdatomic.h>

/* OpenBLAS (OpenMP build) opens a team of its own unless this thread's limit is one. */
static void run_tasks(atomic_size_t *next, size_t count, lcal__task_fn *fn, void *context,
                      size_t worker)
{
    int limit = omp_get_max_threads();
    omp_set_num_threads(1);
    for (;;) {
        size_t index = atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
        if (index >= count)
            break;
        fn(context, index, worker);
    }
    omp_set_num_threads(limit);
}

void lcal__parallel_for(size_t threads, size_t count, lcal__task_fn *fn, void *context)
{
    atomic_size_t next = 0;
    if (threads > count)
        threads = count;
    if (threads <= 1) {
        run_tasks(&next, count, fn, context, 0);
        return;
    }
#pragma omp parallel num_threads((int)threads)
    run_tasks(&next, count, fn, context, (size_t)omp_get_thread_num());
}

size_t lcal__threads_available(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}
