/*
 * Rotary positions: in each head, dimensions i and i + dims/2 of the leading `dims` are rotated by
 * the angle of the token's position; the rest passes. The gradient is rotated back.
 */
#include <string.h>

#include "engine/op.h"
#include "engine/op_plan.h"

static lcal_status plan(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *out,
                        lcal_error *err)
{
    /* in_place: taken where granted; one row a thread is for adding where it is not. */
    *out = (lcal__op_plan){.in_place = 0, .pass_grad = -1};
    if (!shape->in_grad[0])
        return LCAL_OK;
    lcal__carver carver = {0};
    lcal__carve(&carver, shape->threads, attr->cols);
    return lcal__carved(&carver, "rope", &out->backward_scratch, err);
}

typedef struct rope_job {
    const lcal__op_attr *attr;
    const lcal__op_run *run;
} rope_job;

/* Row of token t, in place. sign -1: back. */
static void rotate_row(const rope_job *job, size_t t, float *row, float sign)
{
    const lcal__model_config *config = job->attr->config;
    const size_t half = config->rope.dims / 2;
    const size_t at = (size_t)job->run->feed->batch->positions[t] * half;
    for (size_t c = 0; c < job->attr->cols; c += config->head_dim)
        job->run->exec->kernels->rotate(row + c, job->run->rope_cos + at, job->run->rope_sin + at,
                                        sign, half);
}

static void forward_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const rope_job *job = context;
    const size_t cols = job->attr->cols;
    const float *x = job->run->in[0].x;
    float *y = job->run->out.x;
    if (y != x)
        memcpy(y + first * cols, x + first * cols, count * cols * sizeof(float));
    for (size_t t = first; t < first + count; t++)
        rotate_row(job, t, y + t * cols, 1.0f);
}

static void forward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    rope_job job = {attr, run};
    lcal__for_rows(run->exec, run->rows, attr->cols, forward_rows, &job);
}

static void backward_rows(void *context, size_t first, size_t count, size_t worker)
{
    const rope_job *job = context;
    const lcal__op_run *run = job->run;
    const size_t cols = job->attr->cols;
    float *spare = run->scratch + worker * cols;
    for (size_t t = first; t < first + count; t++) {
        const float *dy = run->out.dx + t * cols;
        float *dx = run->in[0].dx + t * cols;
        float *row = run->in[0].add ? spare : dx;
        if (row != dy)
            memcpy(row, dy, cols * sizeof(float));
        rotate_row(job, t, row, -1.0f);
        if (run->in[0].add)
            run->exec->kernels->add(dx, row, cols);
    }
}

static void backward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    if (!run->in[0].dx)
        return;
    rope_job job = {attr, run};
    lcal__for_rows(run->exec, run->rows, attr->cols, backward_rows, &job);
}

const lcal__op_kind lcal__op_rope = {"rope", plan, forward, backward};
