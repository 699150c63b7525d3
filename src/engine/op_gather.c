/* The rows whose prediction is wanted: out[r] = x[row_token[r]], tokens ascending and unique. */
#include <string.h>

#include "engine/op.h"

static lcal_status plan(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *out,
                        lcal_error *err)
{
    (void)attr;
    (void)shape;
    (void)err;
    *out = (lcal__op_plan){.in_place = -1, .pass_grad = -1};
    return LCAL_OK;
}

typedef struct gather_job {
    const lcal__op_run *run;
    size_t cols;
} gather_job;

static void copy_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const gather_job *job = context;
    const int32_t *token = job->run->feed->batch->row_token;
    const size_t cols = job->cols;
    for (size_t r = first; r < first + count; r++)
        memcpy(job->run->out.x + r * cols, job->run->in[0].x + (size_t)token[r] * cols,
               cols * sizeof(float));
}

static void forward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    gather_job job = {run, attr->cols};
    lcal__for_rows(run->exec, run->rows, attr->cols, copy_rows, &job);
}

/* The first row of a token not before `first`. */
static size_t find_row(const lcal__batch *batch, size_t first)
{
    size_t low = 0, high = batch->rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((size_t)batch->row_token[middle] < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void scatter_tokens(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const gather_job *job = context;
    const lcal__op_run *run = job->run;
    const lcal__batch *batch = run->feed->batch;
    const size_t cols = job->cols, end = first + count;
    float *dx = run->in[0].dx;
    if (!run->in[0].add)
        memset(dx + first * cols, 0, count * cols * sizeof(float));
    for (size_t r = find_row(batch, first); r < batch->rows; r++) {
        const size_t token = (size_t)batch->row_token[r];
        if (token >= end)
            break;
        run->exec->kernels->add(dx + token * cols, run->out.dx + r * cols, cols);
    }
}

static void backward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    if (!run->in[0].dx)
        return;
    gather_job job = {run, attr->cols};
    lcal__for_rows(run->exec, run->feed->batch->tokens, attr->cols, scatter_tokens, &job);
}

const lcal__op_kind lcal__op_gather = {"gather", plan, forward, backward};
