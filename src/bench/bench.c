/* A step of training as the trainer runs it, on random weights, tokens and targets. */
#include "lcal/bench.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "bench/flops.h"
#include "num/gemm.h"
#include "train/session.h"

#define SEED 1
#define RANK 4 /* of method lcpp, as in the paper */
#define STEPS 7
#define STEPS_MAX 100000
#define TARGETS_ALL (((lcal__targets)1 << LCAL__PROJ_COUNT) - 1)

/* Batch and length where none are given: about as many tokens as a small machine takes well. */
static const struct {
    const char *name;
    size_t batch, length;
} defaults[] = {
    {"mini", 32, 64}, {"small", 8, 256}, {"135m", 2, 256},
    {"1b", 1, 256},   {"1.5b", 1, 256},  {"1.6b", 1, 256},
};

/* The options with every default filled in. */
typedef struct setup {
    lcal__model_config config;
    lcal__method method;
    size_t batch, length, tokens;
    size_t rows; /* of a sequence, its last ones, with a loss */
    size_t steps, recompute;
} setup;

static lcal_status check_sizes(const lcal_bench_options *options, setup *out, lcal_error *err)
{
    if (options->loss_last > out->length)
        return lcal__fail(err, LCAL_INVALID,
                          "loss on the last %zu positions: a sequence has only %zu",
                          options->loss_last, out->length);
    if (!lcal__size_mul(out->batch, out->length, &out->tokens) || out->tokens > INT32_MAX)
        return lcal__fail(err, LCAL_INVALID, "%zu sequences of %zu tokens: at most %d tokens",
                          out->batch, out->length, INT32_MAX);
    if (out->steps > STEPS_MAX)
        return lcal__fail(err, LCAL_INVALID, "steps %zu: at most %d", out->steps, STEPS_MAX);
    if (out->recompute > out->config.layers)
        return lcal__fail(err, LCAL_INVALID, "recompute %zu: the shape has only %zu layers",
                          out->recompute, out->config.layers);
    return LCAL_OK;
}

static lcal_status check_options(const lcal_bench_options *options, setup *out, lcal_error *err)
{
    const char *shape = options->shape ? options->shape : "";
    const char *method = options->method ? options->method : "";
    *out = (setup){.recompute = options->recompute_blocks};
    if (!lcal__model_config_shape(shape, &out->config))
        return lcal__fail(err, LCAL_INVALID,
                          "shape \"%s\": expected mini, small, 135m, 1b, 1.5b or 1.6b", shape);
    if (strcmp(method, "lc") != 0 && strcmp(method, "lcpp") != 0)
        return lcal__fail(err, LCAL_INVALID, "method \"%s\": expected lc or lcpp", method);
    if (options->precision && strcmp(options->precision, "f32") != 0)
        return lcal__fail(err, LCAL_UNSUPPORTED, "precision \"%s\": this version has f32",
                          options->precision);
    out->method = strcmp(method, "lc") == 0 ? LCAL__METHOD_LC : LCAL__METHOD_LCPP;
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (strcmp(defaults[i].name, shape) == 0) {
            out->batch = options->batch ? options->batch : defaults[i].batch;
            out->length = options->length ? options->length : defaults[i].length;
        }
    out->rows = options->loss_last ? options->loss_last : out->length;
    out->steps = options->steps ? options->steps : STEPS;
    return check_sizes(options, out, err);
}

/* Every position of the last `rows` of a sequence gets a target, the very last one too: as many
 * products as a program that shifts targets beforehand. */
static void fill_batch(const setup *with, lcal__batch *batch)
{
    lcal__rng rng = {SEED, lcal__rng_stream("bench"), 0};
    lcal__batch_clear(batch);
    for (size_t d = 0; d < with->batch; d++) {
        for (size_t t = 0; t < with->length; t++) {
            batch->ids[batch->tokens] = (int32_t)lcal__rng_below(&rng, with->config.vocab);
            batch->positions[batch->tokens] = (int32_t)t;
            if (t + with->rows >= with->length) {
                batch->row_token[batch->rows] = (int32_t)batch->tokens;
                batch->row_target[batch->rows++] =
                    (int32_t)lcal__rng_below(&rng, with->config.vocab);
            }
            batch->tokens++;
        }
        batch->starts[d + 1] = batch->tokens;
    }
    batch->documents = with->batch;
    batch->counted = batch->rows;
}

static lcal_status open_batch(const setup *with, lcal__session *s, lcal_error *err)
{
    const lcal__capacity capacity = {
        .tokens = with->tokens,
        .documents = with->batch,
        .rows = with->batch * with->rows,
        .longest = with->length,
    };
    LCAL_TRY(lcal__batch_init(&s->passes.batch, capacity.tokens, capacity.documents, err));
    s->passes.batch_capacity = capacity;
    s->passes.train_options = (lcal__tape_options){capacity, true, with->recompute};
    s->train.longest = with->length;
    fill_batch(with, &s->passes.batch);
    return LCAL_OK;
}

static lcal_status open_session(const lcal_bench_options *options, const setup *with,
                                lcal__session *s, lcal_error *err)
{
    s->exec = lcal__exec_init(options->threads);
    s->spec = (lcal__calib_spec){
        .method = with->method, .rank = RANK, .scale = 1.0, .targets = TARGETS_ALL};
    const lcal__assembly_options assembly = {.spec = &s->spec, .training = true};
    LCAL_TRY(lcal__model_random(&with->config, SEED, &s->model, err));
    LCAL_TRY(lcal__assemble(&s->model, NULL, 0, &assembly, &s->exec, &s->assembly, err));
    lcal__calib_init(&s->spec, SEED, &s->assembly.params);
    LCAL_TRY(open_batch(with, s, err));
    LCAL_TRY(lcal__tape_record(&s->assembly.network, &s->exec, &s->passes.train_options,
                               &s->passes.train, err));
    s->passes.workspace_bytes = lcal__tape_workspace(s->passes.train);
    LCAL_TRY(lcal__passes_allocate(&s->passes, err));
    return lcal__adamw_init(&s->adamw, s->assembly.params.total, err);
}

/* Returns the mean loss. */
static double run_step(lcal__session *s, uint64_t time)
{
    const lcal__batch *batch = &s->passes.batch;
    const lcal__params *params = &s->assembly.params;
    lcal__feed feed = {.batch = batch, .row_weight = (float)(1.0 / (double)batch->counted)};
    const lcal__adamw_rates rates = {
        .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .scale = 1.0, .time = time};
    memset(params->grads, 0, params->total * sizeof(float));
    lcal__tape_run(s->passes.train, &feed);
    lcal__adamw_step(&s->adamw, &s->exec, &rates, params->values, params->grads);
    return feed.loss_sum / (double)batch->counted;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static lcal_status time_steps(const setup *with, lcal__session *s, lcal_bench_result *result,
                              lcal_error *err)
{
    double *seconds = lcal__calloc(with->steps, sizeof(*seconds));
    if (!seconds)
        return lcal__fail_nomem(err, "the times of the steps");
    run_step(s, 1); /* touches every page */
    for (size_t i = 0; i < with->steps; i++) {
        const double start = lcal__seconds();
        result->loss = run_step(s, i + 2);
        seconds[i] = lcal__seconds() - start;
    }
    qsort(seconds, with->steps, sizeof(*seconds), by_size);
    result->step_s = seconds[with->steps / 2];
    result->tokens_per_s = (double)with->tokens / result->step_s;
    result->best_tokens_per_s = (double)with->tokens / seconds[0];
    result->gflops =
        1e-9 * lcal__step_flops(&with->config, with->tokens, s->passes.batch.rows) / result->step_s;
    lcal__free(seconds);
    return LCAL_OK;
}

lcal_status lcal_bench(const lcal_bench_options *options, lcal_bench_result *result,
                       lcal_error *err)
{
    setup with;
    lcal__session session = {0};
    lcal_train_plan plan = {0};
    if (!options || !result)
        return lcal__fail(err, LCAL_INVALID, "lcal_bench: options and result must be given");
    *result = (lcal_bench_result){0};
    if (lcal__blas_complaint())
        lcal__log(options->log, LCAL_LOG_NOTICE, "%s", lcal__blas_complaint());
    LCAL_TRY(check_options(options, &with, err));
    lcal_status status = open_session(options, &with, &session, err);
    if (status == LCAL_OK)
        status = time_steps(&with, &session, result, err);
    if (status == LCAL_OK) {
        lcal__session_memory(&session, &plan);
        result->planned_bytes = plan.peak_bytes;
        result->peak_rss = lcal__peak_rss();
        result->tokens = with.tokens;
        result->threads = session.exec.threads;
    }
    lcal__session_close(&session);
    return status;
}
