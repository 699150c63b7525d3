/*
 * Head and cross-entropy in one: logits are made for a chunk of rows, turned into their own
 * gradient in place, used and forgotten, so that [rows, vocab] is never stored. The gradient of
 * row r with target t, in units of the step's loss, is row_weight (softmax(logits) - onehot(t)).
 */
#include <math.h>
#include <string.h>

#include "engine/op.h"
#include "engine/op_plan.h"
#include "num/gemm.h"

#define CHUNK_FLOATS ((size_t)16 << 20) /* logits of a chunk: 64 MiB ... */
#define CHUNK_ROWS_MIN 16               /* ... but so many rows that the products pay */
#define SUM_STEP 4096                   /* exponentials added up in f32; above in double */

typedef struct head_scratch {
    float *logits; /* [chunk, vocab] */
    float *nll;    /* [chunk] */
    float *weight; /* of the weight products */
} head_scratch;

/* At most `rows`; set by the vocabulary, so that the sums over chunks have a fixed order. */
static size_t chunk_rows(const lcal__op_attr *attr, size_t rows)
{
    size_t chunk = attr->weight->rows ? CHUNK_FLOATS / attr->weight->rows : CHUNK_ROWS_MIN;
    if (chunk < CHUNK_ROWS_MIN)
        chunk = CHUNK_ROWS_MIN;
    return chunk < rows ? chunk : rows;
}

static head_scratch carve(const lcal__op_attr *attr, size_t chunk, size_t threads,
                          lcal__carver *carver)
{
    head_scratch s;
    s.logits = lcal__carve(carver, chunk, attr->weight->rows);
    s.nll = lcal__carve(carver, chunk, 1);
    s.weight = lcal__carve(carver, 1, lcal__weight_scratch(attr->weight, threads));
    return s;
}

static lcal_status plan(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *out,
                        lcal_error *err)
{
    *out = (lcal__op_plan){.in_place = -1, .pass_grad = -1};
    LCAL_TRY(lcal__op_check_extent("head", "vocabulary", attr->weight->rows, err));
    LCAL_TRY(lcal__op_check_extent("head", "hidden size", attr->weight->cols, err));
    out->grad_in_forward = shape->training;
    lcal__carver carver = {0};
    carve(attr, chunk_rows(attr, shape->rows), shape->threads, &carver);
    return lcal__carved(&carver, "head", &out->forward_scratch, err);
}

typedef struct chunk_job {
    const lcal__op_run *run;
    size_t first; /* row of the batch the chunk begins with */
    size_t vocab;
    float *logits, *nll;
    bool gradient;
} chunk_job;

/* x = exp(x - max) in place; returns the sum. */
static double exponentiate(const lcal__kernels *k, float *x, float max, size_t n)
{
    double sum = 0.0;
    for (size_t at = 0; at < n; at += SUM_STEP)
        sum += k->exp_sum(x + at, 1.0f, max, n - at < SUM_STEP ? n - at : SUM_STEP);
    return sum;
}

/* One row's loss; its logits become its gradient where that is wanted. The target is kept apart
 * from the others: as the model grows sure of it, both 1 - p and -log p would cancel. */
static float row_loss(const chunk_job *job, float *logits, size_t target)
{
    const lcal__kernels *k = job->run->exec->kernels;
    const size_t after = target + 1;
    const float max = k->max(logits, job->vocab);
    const double gap = (double)max - logits[target], own = exp(-gap);
    const double others = exponentiate(k, logits, max, target)
                          + exponentiate(k, logits + after, max, job->vocab - after);
    const double sum = own + others;
    if (job->gradient) {
        const double scale = job->run->feed->row_weight / sum;
        logits[target] = 0.0f;
        k->scale(logits, (float)scale, job->vocab);
        logits[target] = (float)(-scale * others);
    }
    return (float)(own > others ? log1p(others / own) : gap + log(sum));
}

static void loss_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const chunk_job *job = context;
    const int32_t *targets = job->run->feed->batch->row_target + job->first;
    for (size_t r = first; r < first + count; r++) {
        float *logits = job->logits + r * job->vocab;
        if (targets[r] >= 0) {
            job->nll[r] = row_loss(job, logits, (size_t)targets[r]);
            continue;
        }
        job->nll[r] = 0.0f;
        if (job->gradient)
            memset(logits, 0, job->vocab * sizeof(float));
    }
}

/* From the chunk's dlogits: its rows of dx, and its share of the head's gradient. */
static void chunk_gradients(const lcal__op_attr *attr, const lcal__op_run *run,
                            const head_scratch *s, size_t first, size_t count)
{
    const size_t vocab = attr->weight->rows, hidden = attr->weight->cols;
    if (run->in[0].dx)
        lcal__weight_backward(run->exec, attr->weight, s->logits, count, false,
                              run->in[0].dx + first * hidden, s->weight);
    if (attr->weight_grad)
        lcal__gemm(run->exec, true, false, vocab, hidden, count, 1.0f, s->logits, vocab,
                   run->in[0].x + first * hidden, hidden, 1.0f, attr->weight_grad, hidden);
}

static void forward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    lcal__feed *feed = run->feed;
    const size_t vocab = attr->weight->rows, hidden = attr->weight->cols;
    const size_t chunk = chunk_rows(attr, run->rows);
    lcal__carver carver = {.base = run->scratch};
    const head_scratch s = carve(attr, chunk, run->exec->threads, &carver);
    feed->loss_sum = 0.0;
    for (size_t first = 0, count; first < run->rows; first += count) {
        count = run->rows - first < chunk ? run->rows - first : chunk;
        lcal__weight_forward(run->exec, attr->weight, run->in[0].x + first * hidden, count, NULL,
                             s.logits, s.weight);
        if (feed->logits)
            feed->logits(feed->logits_user, first, count, s.logits);
        chunk_job job = {
            .run = run,
            .first = first,
            .vocab = vocab,
            .logits = s.logits,
            .nll = s.nll,
            .gradient = run->training && (run->in[0].dx || attr->weight_grad),
        };
        if (feed->criterion)
            feed->criterion(feed->criterion_user, run->exec, first, count, vocab, feed->row_weight,
                            job.gradient, s.logits, s.nll);
        else
            lcal__for_rows(run->exec, count, vocab, loss_rows, &job);
        if (job.gradient)
            chunk_gradients(attr, run, &s, first, count);
        for (size_t r = 0; r < count; r++)
            feed->loss_sum += s.nll[r];
        if (feed->nll)
            memcpy(feed->nll + first, s.nll, count * sizeof(float));
    }
}

/* All of it was done in forward, where the logits were at hand (grad_in_forward). */
static void backward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    (void)attr;
    (void)run;
}

const lcal__op_kind lcal__op_head = {"head", plan, forward, backward};
