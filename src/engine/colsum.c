#include "engine/colsum.h"

#include <string.h>

#define COLS 256 /* of one task: its accumulators stay in the first-level cache */
#define ROWS 64  /* of one partial sum */

typedef struct colsum_job {
    const lcal__kernels *k;
    const float *x, *y, *weight;
    float *out;
    size_t rows, cols;
} colsum_job;

static void sum_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const colsum_job *job = context;
    size_t first = index * COLS;
    size_t count = job->cols - first < COLS ? job->cols - first : COLS;
    for (size_t start = 0; start < job->rows; start += ROWS) {
        size_t end = job->rows - start < ROWS ? job->rows : start + ROWS;
        float partial[COLS];
        memset(partial, 0, count * sizeof(float));
        for (size_t r = start; r < end; r++) {
            size_t at = r * job->cols + first;
            if (job->y)
                job->k->mul_add(partial, job->x + at, job->y + at, count);
            else if (job->weight)
                job->k->axpy(partial, job->weight[r], job->x + at, count);
            else
                job->k->add(partial, job->x + at, count);
        }
        job->k->add(job->out + first, partial, count);
    }
}

void lcal__colsum(const lcal__exec *exec, const float *x, size_t rows, size_t cols, const float *y,
                  const float *weight, float *out)
{
    colsum_job job = {exec->kernels, x, y, weight, out, rows, cols};
    lcal__parallel_for(exec->threads, (cols + COLS - 1) / COLS, sum_block, &job);
}
