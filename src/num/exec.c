#include "num/exec.h"

/* A block should outweigh the cost of fetching it, and leave enough blocks to balance. */
#define BLOCK_FLOATS 32768

lcal__exec lcal__exec_init(size_t threads)
{
    return (lcal__exec){
        .threads = threads > 0 ? threads : lcal__threads_available(),
        .kernels = lcal__kernels_select(),
    };
}

typedef struct rows_job {
    lcal__rows_fn *fn;
    void *context;
    size_t count;
    size_t per_block;
} rows_job;

static void run_block(void *context, size_t index, size_t worker)
{
    const rows_job *job = context;
    size_t first = index * job->per_block;
    size_t left = job->count - first;
    job->fn(job->context, first, left < job->per_block ? left : job->per_block, worker);
}

void lcal__for_rows(const lcal__exec *exec, size_t count, size_t cols, lcal__rows_fn *fn,
                    void *context)
{
    if (count == 0)
        return;
    size_t most = cols < BLOCK_FLOATS && cols > 0 ? BLOCK_FLOATS / cols : 1;
    if (cols == 0)
        most = BLOCK_FLOATS;
    size_t blocks = (count - 1) / most + 1;
    size_t per_block = (count - 1) / blocks + 1; /* equal blocks rather than a small last one */
    rows_job job = {.fn = fn, .context = context, .count = count, .per_block = per_block};
    lcal__parallel_for(exec->threads, (count - 1) / per_block + 1, run_block, &job);
}
