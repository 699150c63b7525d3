#include "train/adamw.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK 16384 /* parameters of a task: four streams of it fit an L2 cache */

static size_t block_count(size_t total)
{
    return total / BLOCK + (total % BLOCK != 0);
}

static size_t block_size(size_t total, size_t index)
{
    size_t left = total - index * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

lcal_status lcal__adamw_init(lcal__adamw *adamw, size_t total, lcal_error *err)
{
    *adamw = (lcal__adamw){
        .total = total,
        .m = lcal__alloc_aligned(total, sizeof(float)),
        .v = lcal__alloc_aligned(total, sizeof(float)),
        .partials = lcal__calloc(block_count(total), sizeof(double)),
    };
    if (!adamw->m || !adamw->v || !adamw->partials) {
        lcal__adamw_free(adamw);
        return lcal__fail_nomem(err, "the optimiser's state");
    }
    memset(adamw->m, 0, total * sizeof(float));
    memset(adamw->v, 0, total * sizeof(float));
    return LCAL_OK;
}

void lcal__adamw_free(lcal__adamw *adamw)
{
    lcal__free(adamw->m);
    lcal__free(adamw->v);
    lcal__free(adamw->partials);
    *adamw = (lcal__adamw){0};
}

typedef struct norm_job {
    const lcal__adamw *adamw;
    const lcal__kernels *kernels;
    const float *grads;
} norm_job;

static void sum_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const norm_job *job = context;
    job->adamw->partials[index] =
        job->kernels->sum_squares(job->grads + index * BLOCK, block_size(job->adamw->total, index));
}

double lcal__adamw_norm(const lcal__adamw *adamw, const lcal__exec *exec, const float *grads)
{
    norm_job job = {adamw, exec->kernels, grads};
    const size_t blocks = block_count(adamw->total);
    lcal__parallel_for(exec->threads, blocks, sum_block, &job);
    double sum = 0.0;
    for (size_t i = 0; i < blocks; i++)
        sum += adamw->partials[i];
    return sqrt(sum);
}

double lcal__clip_factor(double norm, double limit)
{
    const double factor = limit / (norm + 1e-6);
    return limit > 0.0 && factor < 1.0 ? factor : 1.0;
}

typedef struct step_job {
    lcal__adamw *adamw;
    const lcal__kernels *kernels;
    const lcal__adamw_rates *rates;
    float correction1, correction2;
    float *values;
    const float *grads;
} step_job;

static void update_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const step_job *job = context;
    const lcal__adamw_rates *rates = job->rates;
    const size_t at = index * BLOCK;
    job->kernels->adamw(job->values + at, job->adamw->m + at, job->adamw->v + at, job->grads + at,
                        (float)rates->scale, (float)rates->lr, rates->beta1, rates->beta2,
                        (float)rates->eps, (float)rates->weight_decay, job->correction1,
                        job->correction2, block_size(job->adamw->total, index));
}

void lcal__adamw_step(lcal__adamw *adamw, const lcal__exec *exec, const lcal__adamw_rates *rates,
                      float *values, const float *grads)
{
    step_job job = {
        .adamw = adamw,
        .kernels = exec->kernels,
        .rates = rates,
        .correction1 = (float)(1.0 - pow(rates->beta1, (double)rates->time)),
        .correction2 = (float)(1.0 - pow(rates->beta2, (double)rates->time)),
        .values = values,
        .grads = grads,
    };
    lcal__parallel_for(exec->threads, block_count(adamw->total), update_block, &job);
}
