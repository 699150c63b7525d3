/*
 * RMSNorm or LayerNorm of each row. Forward leaves rstd, or mean and rstd, for backward:
 *   dx = rstd (g - [mean g] - xhat mean(g xhat)), g = w o dy;  dw = sum xhat o dy;  db = sum dy
 */
#include "engine/colsum.h"
#include "engine/op.h"
#include "engine/op_plan.h"

static size_t stat_count(const lcal__norm *norm)
{
    return norm->kind == LCAL__NORM_LAYER ? 2 : 1;
}

static lcal_status plan(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *out,
                        lcal_error *err)
{
    const lcal__norm *norm = attr->norm;
    *out = (lcal__op_plan){.in_place = -1, .pass_grad = -1};
    if (!shape->training || !(shape->in_grad[0] || lcal__norm_trains(norm)))
        return LCAL_OK;
    out->keep_in[0] = true;
    out->aux_cols = stat_count(norm);
    lcal__carver carver = {0};
    if (norm->weight.grad)
        lcal__carve(&carver, shape->rows, norm->cols);
    return lcal__carved(&carver, "norm", &out->backward_scratch, err);
}

typedef struct norm_job {
    const lcal__norm *norm;
    const lcal__op_run *run;
    float *xhat; /* [rows, cols] or NULL */
} norm_job;

static void forward_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const norm_job *job = context;
    const lcal__norm *norm = job->norm;
    const lcal__kernels *k = job->run->exec->kernels;
    const size_t stats = stat_count(norm);
    for (size_t r = first; r < first + count; r++) {
        const float *x = job->run->in[0].x + r * norm->cols;
        float *y = job->run->out.x + r * norm->cols;
        float kept[2] = {0.0f, 0.0f};
        if (norm->kind == LCAL__NORM_LAYER)
            k->layer_forward(y, x, norm->weight.value, norm->bias.value, norm->eps, kept,
                             norm->cols);
        else
            kept[0] = k->rms_forward(y, x, norm->weight.value, norm->eps, norm->cols);
        for (size_t s = 0; job->run->aux && s < stats; s++)
            job->run->aux[r * stats + s] = kept[s];
    }
}

static void forward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    norm_job job = {attr->norm, run, NULL};
    lcal__for_rows(run->exec, run->rows, attr->norm->cols, forward_rows, &job);
}

static void backward_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const norm_job *job = context;
    const lcal__norm *norm = job->norm;
    const lcal__op_run *run = job->run;
    const lcal__kernels *k = run->exec->kernels;
    const size_t cols = norm->cols;
    const bool layer = norm->kind == LCAL__NORM_LAYER;
    for (size_t r = first; r < first + count; r++) {
        const float *stats = run->aux + r * stat_count(norm);
        const float *x = run->in[0].x + r * cols, *dy = run->out.dx + r * cols;
        if (run->in[0].dx && layer)
            k->layer_backward(run->in[0].dx + r * cols, dy, x, norm->weight.value, stats,
                              run->in[0].add, cols);
        else if (run->in[0].dx)
            k->rms_backward(run->in[0].dx + r * cols, dy, x, norm->weight.value, stats[0],
                            run->in[0].add, cols);
        if (!job->xhat)
            continue;
        const float mean = layer ? stats[0] : 0.0f, rstd = layer ? stats[1] : stats[0];
        float *xhat = job->xhat + r * cols;
        for (size_t j = 0; j < cols; j++)
            xhat[j] = (x[j] - mean) * rstd;
    }
}

static void backward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    const lcal__norm *norm = attr->norm;
    norm_job job = {norm, run, norm->weight.grad ? run->scratch : NULL};
    if (run->in[0].dx || job.xhat)
        lcal__for_rows(run->exec, run->rows, norm->cols, backward_rows, &job);
    if (norm->weight.grad)
        lcal__colsum(run->exec, job.xhat, run->rows, norm->cols, run->out.dx, NULL,
                     norm->weight.grad);
    if (norm->bias.grad)
        lcal__colsum(run->exec, run->out.dx, run->rows, norm->cols, NULL, NULL, norm->bias.grad);
}

const lcal__op_kind lcal__op_norm = {"norm", plan, forward, backward};
