#define _POSIX_C_SOURCE 200809L /* posix_memalign: sizes need not be multiples of the alignment */
#include "engine/op_harness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

#define STEP 1e-5 /* of central differences in double: errors near 1e-10 */

float *op_floats(size_t count)
{
    void *place = NULL;
    assert_int_equal(posix_memalign(&place, LCAL_ALIGN, count ? count * sizeof(float) : 1), 0);
    float *x = place;
    for (size_t i = 0; i < count; i++)
        x[i] = NAN;
    return x;
}

double *op_doubles(size_t count)
{
    double *x = calloc(count ? count : 1, sizeof(double));
    assert_non_null(x);
    return x;
}

float *op_random(unsigned seed, size_t count, double spread)
{
    lcal__rng rng = {.seed = seed, .stream = 77};
    float *x = op_floats(count);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(spread * lcal__rng_normal(&rng));
    return x;
}

float op_prior(size_t index)
{
    return (float)((long)(index * 37 % 11) - 5) * 0.25f;
}

static float *copy_of(const float *x, size_t count)
{
    float *copy = op_floats(count);
    if (count)
        memcpy(copy, x, count * sizeof(float));
    return copy;
}

/* --- batches ---------------------------------------------------------------------------------- */

lcal__batch *op_batch(const size_t *lengths, size_t documents, size_t vocab, size_t stride)
{
    lcal__rng rng = {.seed = documents, .stream = 78};
    lcal__batch *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    for (size_t d = 0; d < documents; d++)
        b->tokens += lengths[d];
    b->documents = documents;
    b->starts = calloc(documents + 1, sizeof(*b->starts));
    b->ids = calloc(b->tokens, sizeof(*b->ids));
    b->positions = calloc(b->tokens, sizeof(*b->positions));
    b->row_token = calloc(b->tokens, sizeof(*b->row_token));
    b->row_target = calloc(b->tokens, sizeof(*b->row_target));
    assert_true(b->starts && b->ids && b->positions && b->row_token && b->row_target);
    for (size_t d = 0; d < documents; d++) {
        b->starts[d + 1] = b->starts[d] + lengths[d];
        for (size_t t = 0; t < lengths[d]; t++)
            b->positions[b->starts[d] + t] = (int32_t)t;
    }
    for (size_t t = 0; t < b->tokens; t++) {
        b->ids[t] = (int32_t)lcal__rng_below(&rng, vocab);
        if (t % stride != stride - 1)
            continue;
        bool counts = b->rows % 5 != 4;
        b->row_token[b->rows] = (int32_t)t;
        b->row_target[b->rows++] = counts ? (int32_t)lcal__rng_below(&rng, vocab) : -1;
        b->counted += counts;
    }
    return b;
}

void op_batch_free(lcal__batch *b)
{
    if (!b)
        return;
    free(b->starts);
    free(b->ids);
    free(b->positions);
    free(b->row_token);
    free(b->row_target);
    free(b);
}

static lcal__capacity capacity_of(const op_case *c)
{
    const lcal__batch *b = c->batch;
    lcal__capacity capacity = {.tokens = c->rows, .rows = c->rows, .documents = 1};
    if (!b)
        return capacity;
    capacity = (lcal__capacity){.tokens = b->tokens, .documents = b->documents, .rows = b->rows};
    for (size_t d = 0; d < b->documents; d++) {
        size_t length = b->starts[d + 1] - b->starts[d];
        capacity.longest = length > capacity.longest ? length : capacity.longest;
    }
    return capacity;
}

/* --- one run ---------------------------------------------------------------------------------- */

static size_t in_count(const op_case *c, size_t i)
{
    return (c->in_rows ? c->in_rows : c->rows) * c->in_cols[i];
}

static lcal__op_plan plan_case(const op_case *c, size_t threads)
{
    const bool training = c->dy || c->training;
    lcal__op_shape shape = {
        .capacity = capacity_of(c), .rows = c->rows, .training = training, .threads = threads};
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++) {
        shape.in_cols[i] = c->in_cols[i];
        shape.in_grad[i] = training && c->in_grad[i];
    }
    lcal__op_plan plan;
    lcal_error err = {0};
    lcal_status status = c->kind->plan(&c->attr, &shape, &plan, &err);
    if (status != LCAL_OK)
        fail_msg("plan of %s: %s", c->kind->name, err.message);
    return plan;
}

/* Gives run.in[i].dx its place, filled with what is to be added to, or NaN. */
static void open_gradients(const op_case *c, const lcal__op_plan *plan, lcal__op_run *run,
                           op_result *result)
{
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++) {
        if (!c->in_grad[i] || !c->in_cols[i])
            continue;
        const bool shared = c->share_grad && plan->pass_grad == (int)i;
        result->dx[i] = shared ? run->out.dx : op_floats(in_count(c, i));
        for (size_t j = 0; c->add[i] && !shared && j < in_count(c, i); j++)
            result->dx[i][j] = op_prior(j);
        run->in[i].dx = result->dx[i];
        run->in[i].add = c->add[i] && !shared;
    }
}

static void check_untouched(const char *what, const float *now, const float *before, size_t count)
{
    if (count && memcmp(now, before, count * sizeof(float)) != 0)
        fail_msg("the op changed its %s", what);
}

static void run_backward(const op_case *c, lcal__op_run *run, op_result *result)
{
    const size_t out_count = c->rows * c->attr.cols;
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
        if (!result->plan.keep_in[i])
            run->in[i].x = NULL;
    if (!result->plan.keep_out)
        run->out.x = NULL;
    run->out.dx = copy_of(c->dy, out_count);
    run->scratch = op_floats(result->plan.backward_scratch);
    if (!result->plan.grad_in_forward)
        open_gradients(c, &result->plan, run, result);
    c->kind->backward(&c->attr, run);
    bool passed = false;
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
        passed = passed || run->in[i].dx == run->out.dx;
    if (!passed) {
        check_untouched("out's gradient", run->out.dx, c->dy, out_count);
        free(run->out.dx);
    }
    free(run->scratch);
}

op_result op_run(const op_case *c)
{
    const bool training = c->dy || c->training;
    const lcal__exec exec = lcal__exec_init(c->threads ? c->threads : 1);
    op_result result = {.plan = plan_case(c, exec.threads), .nll = op_floats(c->rows)};
    lcal__feed feed = {.batch = c->batch,
                       .row_weight = c->row_weight,
                       .nll = result.nll,
                       .logits = c->logits,
                       .logits_user = c->logits_user};
    lcal__op_run run = {.exec = &exec,
                        .feed = &feed,
                        .rows = c->rows,
                        .rope_cos = c->rope_cos,
                        .rope_sin = c->rope_sin,
                        .training = training};
    float *in[LCAL__OP_INPUTS] = {NULL};
    for (size_t p = 0; p < c->param_count; p++)
        memset(c->params[p].grad, 0, c->params[p].count * sizeof(float));
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
        if (c->in_cols[i])
            run.in[i].x = in[i] = copy_of(c->in[i], in_count(c, i));
    const int shared = c->share_place ? result.plan.in_place : -1;
    result.out = shared >= 0 ? in[shared] : op_floats(c->rows * c->attr.cols);
    run.out.x = result.out;
    float *aux = op_floats(c->rows * result.plan.aux_cols);
    run.aux = result.plan.aux_cols ? aux : NULL;
    run.scratch = op_floats(result.plan.forward_scratch);
    if (result.plan.grad_in_forward)
        open_gradients(c, &result.plan, &run, &result);
    c->kind->forward(&c->attr, &run);
    free(run.scratch);
    if (training && (c->dy || result.plan.grad_in_forward))
        run_backward(c, &run, &result);
    for (size_t p = 0; p < c->param_count; p++)
        result.params[p] = copy_of(c->params[p].grad, c->params[p].count);
    result.loss_sum = feed.loss_sum;
    free(aux);
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
        if (in[i] && shared != (int)i) {
            check_untouched("input", in[i], c->in[i], in_count(c, i));
            free(in[i]);
        }
    return result;
}

void op_result_free(op_result *result)
{
    free(result->out);
    free(result->nll);
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
        free(result->dx[i]);
    for (size_t p = 0; p < OP_PARAMS; p++)
        free(result->params[p]);
    *result = (op_result){0};
}

/* --- properties ------------------------------------------------------------------------------- */

static void check_bytes(const char *what, const float *a, const float *b, size_t count)
{
    assert_int_equal(a == NULL, b == NULL);
    for (size_t i = 0; a && i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof(float)) != 0)
            fail_msg("%s differs at %zu of %zu: %.9g and %.9g", what, i, count, (double)a[i],
                     (double)b[i]);
}

void op_check_threads(const op_case *c)
{
    op_case other = *c;
    other.threads = 1;
    op_result one = op_run(&other);
    for (other.threads = 2; other.threads <= 4; other.threads++) {
        op_result many = op_run(&other);
        check_bytes("out", one.out, many.out, c->rows * c->attr.cols);
        for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
            check_bytes("dx", one.dx[i], many.dx[i], in_count(c, i));
        for (size_t p = 0; p < c->param_count; p++)
            check_bytes("parameter gradient", one.params[p], many.params[p], c->params[p].count);
        check_bytes("nll", one.nll, many.nll, c->rows);
        assert_memory_equal(&one.loss_sum, &many.loss_sum, sizeof(double));
        op_result_free(&many);
    }
    op_result_free(&one);
}

void op_check_packed(const op_case *c)
{
    op_result all = op_run(c);
    for (size_t d = 0; d < c->batch->documents; d++) {
        const size_t start = c->batch->starts[d], length = c->batch->starts[d + 1] - start;
        lcal__batch *batch = op_batch(&length, 1, 2, 1);
        op_case one = *c;
        one.batch = batch;
        one.rows = length;
        one.dy = c->dy + start * c->attr.cols;
        for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
            one.in[i] = c->in_cols[i] ? c->in[i] + start * c->in_cols[i] : NULL;
        op_result alone = op_run(&one);
        check_bytes("out of a packed document", all.out + start * c->attr.cols, alone.out,
                    length * c->attr.cols);
        for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
            check_bytes("dx of a packed document",
                        all.dx[i] ? all.dx[i] + start * c->in_cols[i] : NULL, alone.dx[i],
                        length * c->in_cols[i]);
        op_result_free(&alone);
        op_batch_free(batch);
    }
    op_result_free(&all);
}

/* --- references ------------------------------------------------------------------------------- */

void op_check_close(const char *what, const float *got, const double *want, size_t count, bool add,
                    double bar)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < count; i++) {
        double error = (double)got[i] - want[i] - (add ? (double)op_prior(i) : 0.0);
        difference += error * error;
        norm += want[i] * want[i] + (add ? op_prior(i) * op_prior(i) : 0.0f);
    }
    if (norm == 0.0)
        norm = (double)count;
    if (!(sqrt(difference) <= bar * sqrt(norm)))
        fail_msg("%s: |difference| / |reference| = %.3g, expected at most %.3g", what,
                 sqrt(difference / norm), bar);
}

static double dot_row(const double *out, const float *dy, size_t cols)
{
    double sum = 0.0;
    for (size_t j = 0; j < cols; j++)
        sum += out[j] * (double)dy[j];
    return sum;
}

void op_check_rows(const op_case *c, op_row_fn *fn, const void *context, double bar_forward,
                   double bar_gradient)
{
    const size_t cols = c->attr.cols;
    double *in[LCAL__OP_INPUTS], *dx[LCAL__OP_INPUTS];
    double *out = op_doubles(c->rows * cols), *moved = op_doubles(cols);
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++) {
        in[i] = op_doubles(c->in_cols[i]);
        dx[i] = op_doubles(in_count(c, i));
    }
    for (size_t r = 0; r < c->rows; r++) {
        for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
            for (size_t j = 0; j < c->in_cols[i]; j++)
                in[i][j] = (double)c->in[i][r * c->in_cols[i] + j];
        fn(context, r, in, out + r * cols);
        for (size_t i = 0; c->dy && i < LCAL__OP_INPUTS; i++)
            for (size_t j = 0; c->in_grad[i] && j < c->in_cols[i]; j++) {
                const double at = in[i][j];
                in[i][j] = at + STEP;
                fn(context, r, in, moved);
                const double above = dot_row(moved, c->dy + r * cols, cols);
                in[i][j] = at - STEP;
                fn(context, r, in, moved);
                in[i][j] = at;
                dx[i][r * c->in_cols[i] + j] =
                    (above - dot_row(moved, c->dy + r * cols, cols)) / (2 * STEP);
            }
    }
    op_result result = op_run(c);
    op_check_close("out", result.out, out, c->rows * cols, false, bar_forward);
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
        if (result.dx[i])
            op_check_close("dx", result.dx[i], dx[i], in_count(c, i), c->add[i], bar_gradient);
    op_result_free(&result);
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++) {
        free(in[i]);
        free(dx[i]);
    }
    free(out);
    free(moved);
}

void op_difference(double *x, size_t count, op_loss_fn *loss, const void *context, double *grad)
{
    for (size_t i = 0; i < count; i++) {
        const double at = x[i];
        x[i] = at + STEP;
        const double above = loss(context);
        x[i] = at - STEP;
        grad[i] = (above - loss(context)) / (2 * STEP);
        x[i] = at;
    }
}
