#include <math.h>
#include <string.h>

#include "engine/attention.h"
#include "num/gemm.h"

#define QUERIES LCAL__ATTENTION_QUERIES
#define KEYS LCAL__ATTENTION_KEYS

typedef struct forward_job {
    lcal__attention a;
    const lcal__op_run *run;
    size_t slots;
    size_t heads; /* a task */
} forward_job;

/* One block of queries of one head against all its keys. */
typedef struct query_block {
    const lcal__kernels *k;
    float *scores;       /* tile [count, stride] */
    size_t stride;       /* of scores */
    size_t first, count; /* queries, from the document's beginning */
    float *out;          /* first query's */
    size_t out_cols;
    size_t head_dim;
    float scale;
    float max[QUERIES]; /* running, of scale S */
    float sum[QUERIES]; /* of exp(scale S - max) */
} query_block;

/* Exponentiates the scores of keys [key, key + keys) and rescales what earlier keys gave. */
static void softmax_tile(query_block *b, size_t key, size_t keys)
{
    for (size_t i = 0; i < b->count; i++) {
        float *row = b->scores + i * b->stride;
        const size_t seen = b->first + i + 1 - key < keys ? b->first + i + 1 - key : keys;
        const float before = b->max[i], tile_max = b->scale * b->k->max(row, seen);
        if (key == 0 || tile_max > before)
            b->max[i] = tile_max;
        const float sum = b->k->exp_sum(row, b->scale, b->max[i], seen);
        memset(row + seen, 0, (keys - seen) * sizeof(float));
        if (key == 0) {
            b->sum[i] = sum;
        } else if (b->max[i] == before) {
            b->sum[i] += sum;
        } else {
            const float shrink = expf(before - b->max[i]);
            b->sum[i] = b->sum[i] * shrink + sum;
            b->k->scale(b->out + i * b->out_cols, shrink, b->head_dim);
        }
    }
}

/*
 * Blocks of queries without a table of them: document d owns the slots from starts[d] / QUERIES + d
 * on, which is as many as it has blocks, or one more. False: that one more.
 */
static bool find_block(const lcal__batch *batch, size_t slot, size_t *document, size_t *first)
{
    size_t low = 0, high = batch->documents;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (batch->starts[middle] / QUERIES + middle <= slot)
            low = middle;
        else
            high = middle;
    }
    *document = low;
    *first = (slot - batch->starts[low] / QUERIES - low) * QUERIES;
    return *first < batch->starts[low + 1] - batch->starts[low];
}

static void forward_head(const forward_job *job, size_t document, size_t first, size_t head,
                         size_t worker)
{
    const lcal__attention *a = &job->a;
    const lcal__op_run *run = job->run;
    const lcal__batch *batch = run->feed->batch;
    const size_t start = batch->starts[document], length = batch->starts[document + 1] - start;
    const size_t q_at = (start + first) * a->q_cols + head * a->head_dim;
    const size_t kv_at = start * a->kv_cols + head / a->group * a->head_dim;
    query_block b = {
        .k = run->exec->kernels,
        .scores = run->scratch + worker * LCAL__ATTENTION_TILE,
        .stride = lcal__attention_stride(length),
        .first = first,
        .count = length - first < QUERIES ? length - first : QUERIES,
        .out = run->out.x + q_at,
        .out_cols = a->q_cols,
        .head_dim = a->head_dim,
        .scale = a->scale,
    };
    const size_t end = first + b.count;
    for (size_t key = 0; key < end; key += KEYS) {
        const size_t keys = end - key < KEYS ? end - key : KEYS;
        lcal__gemm_serial(b.k, false, true, b.count, keys, a->head_dim, 1.0f, run->in[0].x + q_at,
                          a->q_cols, run->in[1].x + kv_at + key * a->kv_cols, a->kv_cols, 0.0f,
                          b.scores, b.stride);
        softmax_tile(&b, key, keys);
        lcal__gemm_serial(b.k, false, false, b.count, a->head_dim, keys, 1.0f, b.scores, b.stride,
                          run->in[2].x + kv_at + key * a->kv_cols, a->kv_cols,
                          key == 0 ? 0.0f : 1.0f, b.out, a->q_cols);
    }
    for (size_t i = 0; i < b.count; i++) {
        b.k->scale(b.out + i * a->q_cols, 1.0f / b.sum[i], a->head_dim);
        if (run->aux)
            run->aux[(start + first + i) * a->heads + head] = b.max[i] + logf(b.sum[i]);
    }
}

static void forward_task(void *context, size_t index, size_t worker)
{
    const forward_job *job = context;
    const size_t tasks = job->a.heads / job->heads, head = index % tasks * job->heads;
    size_t document, first;
    /* From the end: the later a block, the more keys it sees. */
    if (!find_block(job->run->feed->batch, job->slots - 1 - index / tasks, &document, &first))
        return;
    for (size_t h = head; h < head + job->heads; h++)
        forward_head(job, document, first, h, worker);
}

void lcal__attention_forward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    const lcal__batch *batch = run->feed->batch;
    forward_job job = {
        .a = lcal__attention_of(attr->config),
        .run = run,
        .slots = batch->tokens / QUERIES + batch->documents,
    };
    job.heads = lcal__attention_heads(run->exec, job.slots, job.a.heads);
    lcal__parallel_for(run->exec->threads, job.slots * (job.a.heads / job.heads), forward_task,
                       &job);
}
