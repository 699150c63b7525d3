/* out[t] = E[id of t]; dE[id] += sum of dout over the tokens that have it. */
#include "engine/op.h"

/* Columns of one backward task: tasks split the table by columns, so that each adds up its tokens
 * in their order whatever ids repeat. */
#define COLS 128

static lcal_status plan(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *out,
                        lcal_error *err)
{
    (void)attr;
    (void)shape;
    (void)err;
    *out = (lcal__op_plan){.in_place = -1, .pass_grad = -1};
    return LCAL_OK;
}

typedef struct embed_job {
    const lcal__op_attr *attr;
    const lcal__op_run *run;
} embed_job;

static void look_up(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const embed_job *job = context;
    const int32_t *ids = job->run->feed->batch->ids;
    for (size_t t = first; t < first + count; t++)
        lcal__weight_row(job->attr->weight, (size_t)ids[t], job->run->out.x + t * job->attr->cols);
}

static void forward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    embed_job job = {attr, run};
    lcal__for_rows(run->exec, run->rows, attr->cols, look_up, &job);
}

static void add_columns(void *context, size_t index, size_t worker)
{
    (void)worker;
    const embed_job *job = context;
    const lcal__op_run *run = job->run;
    const int32_t *ids = run->feed->batch->ids;
    const size_t cols = job->attr->cols, first = index * COLS;
    const size_t count = cols - first < COLS ? cols - first : COLS;
    for (size_t t = 0; t < run->rows; t++)
        run->exec->kernels->add(job->attr->weight_grad + (size_t)ids[t] * cols + first,
                                run->out.dx + t * cols + first, count);
}

static void backward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    if (!attr->weight_grad)
        return;
    embed_job job = {attr, run};
    lcal__parallel_for(run->exec->threads, (attr->cols + COLS - 1) / COLS, add_columns, &job);
}

const lcal__op_kind lcal__op_embed = {"embed", plan, forward, backward};
