/*
 * The gated unit silu(gate) o up of SwiGLU (Shazeer 2020), elementwise. Row by row: where a vector
 * kernel's last, shorter step falls must not depend on the rows of other documents.
 */
#include <string.h>

#include "engine/op.h"

/* Numbers of one step of backward where a gradient cannot be written straight to its place. */
#define STEP 1024

static lcal_status plan(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *out,
                        lcal_error *err)
{
    (void)attr;
    (void)err;
    *out = (lcal__op_plan){.in_place = -1, .pass_grad = -1};
    out->keep_in[0] = out->keep_in[1] = shape->in_grad[0] || shape->in_grad[1];
    out->grad_over_in[0] = out->grad_over_in[1] =
        true; /* each index is read before it is written */
    return LCAL_OK;
}

typedef struct glu_job {
    const lcal__op_run *run;
    size_t cols;
} glu_job;

static void forward_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const glu_job *job = context;
    for (size_t r = first; r < first + count; r++) {
        const size_t at = r * job->cols;
        job->run->exec->kernels->swiglu_forward(job->run->out.x + at, job->run->in[0].x + at,
                                                job->run->in[1].x + at, job->cols);
    }
}

static void forward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    glu_job job = {run, attr->cols};
    lcal__for_rows(run->exec, run->rows, attr->cols, forward_rows, &job);
}

static void backward_row(const lcal__op_run *run, size_t begin, size_t end)
{
    const lcal__kernels *k = run->exec->kernels;
    const lcal__slot *gate = &run->in[0], *up = &run->in[1];
    float spare_gate[STEP], spare_up[STEP];
    for (size_t at = begin; at < end; at += STEP) {
        const size_t n = end - at < STEP ? end - at : STEP;
        float *dgate = gate->dx && !gate->add ? gate->dx + at : spare_gate;
        float *dup = up->dx && !up->add ? up->dx + at : spare_up;
        k->swiglu_backward(dgate, dup, run->out.dx + at, gate->x + at, up->x + at, n);
        if (gate->dx && gate->add)
            k->add(gate->dx + at, dgate, n);
        if (up->dx && up->add)
            k->add(up->dx + at, dup, n);
    }
}

static void backward_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const glu_job *job = context;
    for (size_t r = first; r < first + count; r++)
        backward_row(job->run, r * job->cols, (r + 1) * job->cols);
}

static void backward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    if (!run->in[0].dx && !run->in[1].dx)
        return;
    glu_job job = {run, attr->cols};
    lcal__for_rows(run->exec, run->rows, attr->cols, backward_rows, &job);
}

const lcal__op_kind lcal__op_glu = {"glu", plan, forward, backward};
