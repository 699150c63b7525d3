#include <string.h>

#include "engine/attention.h"
#include "num/gemm.h"

#define QUERIES LCAL__ATTENTION_QUERIES
#define KEYS LCAL__ATTENTION_KEYS

typedef struct backward_job {
    lcal__attention a;
    const lcal__op_run *run;
    size_t heads; /* kv heads a task */
} backward_job;

/* One document and kv head: everything at its first token and first column. */
typedef struct kv_head {
    const lcal__attention *a;
    const lcal__kernels *k;
    const float *key, *value;
    float *dkey, *dvalue; /* NULL: not wanted */
    float *p, *dp, *ds;   /* tiles [QUERIES, stride] */
    size_t stride;
} kv_head;

/* One block of queries of one head that reads it. */
typedef struct query_block {
    const float *q, *out, *dout;
    float *dq;           /* NULL: not wanted */
    bool dq_add;         /* add to dq, else overwrite */
    const float *lse;    /* `heads` floats from query to query */
    size_t first, count; /* queries, from the document's beginning */
} query_block;

/* P = exp(scale Q K^T - lse), 0 where a key lies after its query. */
static void make_p(const kv_head *h, const query_block *b, size_t key, size_t keys)
{
    const lcal__attention *a = h->a;
    lcal__gemm_serial(h->k, false, true, b->count, keys, a->head_dim, 1.0f, b->q, a->q_cols,
                      h->key + key * a->kv_cols, a->kv_cols, 0.0f, h->p, h->stride);
    for (size_t i = 0; i < b->count; i++) {
        float *row = h->p + i * h->stride;
        const size_t seen = b->first + i + 1 - key < keys ? b->first + i + 1 - key : keys;
        h->k->exp_sum(row, a->scale, b->lse[i * a->heads], seen);
        memset(row + seen, 0, (keys - seen) * sizeof(float));
    }
}

/* dS = P o (dO V^T - D): the product is added to -D. */
static void make_ds(const kv_head *h, const query_block *b, const float *minus_d, size_t key,
                    size_t keys)
{
    const lcal__attention *a = h->a;
    for (size_t i = 0; i < b->count; i++)
        for (size_t j = 0; j < keys; j++)
            h->dp[i * h->stride + j] = minus_d[i];
    lcal__gemm_serial(h->k, false, true, b->count, keys, a->head_dim, 1.0f, b->dout, a->q_cols,
                      h->value + key * a->kv_cols, a->kv_cols, 1.0f, h->dp, h->stride);
    for (size_t i = 0; i < b->count; i++)
        h->k->mul(h->ds + i * h->stride, h->p + i * h->stride, h->dp + i * h->stride, keys);
}

static void backward_block(const kv_head *h, const query_block *b)
{
    const lcal__attention *a = h->a;
    const size_t end = b->first + b->count;
    const bool wants_ds = b->dq || h->dkey;
    float minus_d[QUERIES];
    for (size_t i = 0; wants_ds && i < b->count; i++)
        minus_d[i] = -h->k->dot(b->dout + i * a->q_cols, b->out + i * a->q_cols, a->head_dim);
    for (size_t key = 0; key < end; key += KEYS) {
        const size_t keys = end - key < KEYS ? end - key : KEYS;
        make_p(h, b, key, keys);
        if (h->dvalue)
            lcal__gemm_serial(h->k, true, false, keys, a->head_dim, b->count, 1.0f, h->p, h->stride,
                              b->dout, a->q_cols, 1.0f, h->dvalue + key * a->kv_cols, a->kv_cols);
        if (!wants_ds)
            continue;
        make_ds(h, b, minus_d, key, keys);
        if (b->dq)
            lcal__gemm_serial(h->k, false, false, b->count, a->head_dim, keys, a->scale, h->ds,
                              h->stride, h->key + key * a->kv_cols, a->kv_cols,
                              b->dq_add || key > 0 ? 1.0f : 0.0f, b->dq, a->q_cols);
        if (h->dkey)
            lcal__gemm_serial(h->k, true, false, keys, a->head_dim, b->count, a->scale, h->ds,
                              h->stride, b->q, a->q_cols, 1.0f, h->dkey + key * a->kv_cols,
                              a->kv_cols);
    }
}

/* The place of a kv head's gradient, empty or holding what is to be added to; NULL: not wanted. */
static float *open_gradient(const lcal__slot *in, size_t at, size_t tokens,
                            const lcal__attention *a)
{
    if (!in->dx)
        return NULL;
    for (size_t t = 0; !in->add && t < tokens; t++)
        memset(in->dx + at + t * a->kv_cols, 0, a->head_dim * sizeof(float));
    return in->dx + at;
}

static void backward_kv_head(const backward_job *job, size_t document, size_t kv, size_t worker)
{
    const lcal__attention *a = &job->a;
    const lcal__op_run *run = job->run;
    const lcal__slot *in = run->in;
    const size_t *starts = run->feed->batch->starts;
    const size_t start = starts[document], length = starts[document + 1] - start;
    const size_t kv_at = start * a->kv_cols + kv * a->head_dim;
    float *tiles = run->scratch + worker * LCAL__ATTENTION_BACKWARD_TILES * LCAL__ATTENTION_TILE;
    const kv_head h = {
        .a = a,
        .k = run->exec->kernels,
        .key = in[1].x + kv_at,
        .value = in[2].x ? in[2].x + kv_at : NULL,
        .dkey = open_gradient(&in[1], kv_at, length, a),
        .dvalue = open_gradient(&in[2], kv_at, length, a),
        .p = tiles,
        .dp = tiles + LCAL__ATTENTION_TILE,
        .ds = tiles + 2 * LCAL__ATTENTION_TILE,
        .stride = lcal__attention_stride(length),
    };
    for (size_t head = kv * a->group; head < (kv + 1) * a->group; head++)
        for (size_t first = 0; first < length; first += QUERIES) {
            const size_t q_at = (start + first) * a->q_cols + head * a->head_dim;
            const query_block b = {
                .q = in[0].x + q_at,
                .out = run->out.x ? run->out.x + q_at : NULL,
                .dout = run->out.dx + q_at,
                .dq = in[0].dx ? in[0].dx + q_at : NULL,
                .dq_add = in[0].add,
                .lse = run->aux + (start + first) * a->heads + head,
                .first = first,
                .count = length - first < QUERIES ? length - first : QUERIES,
            };
            backward_block(&h, &b);
        }
}

static void backward_task(void *context, size_t index, size_t worker)
{
    const backward_job *job = context;
    const size_t tasks = job->a.heads / job->a.group / job->heads;
    const size_t first = index % tasks * job->heads;
    for (size_t kv = first; kv < first + job->heads; kv++)
        backward_kv_head(job, index / tasks, kv, worker);
}

void lcal__attention_backward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    const lcal__batch *batch = run->feed->batch;
    if (!run->in[0].dx && !run->in[1].dx && !run->in[2].dx)
        return;
    backward_job job = {
        .a = lcal__attention_of(attr->config),
        .run = run,
    };
    const size_t kv_heads = job.a.heads / job.a.group;
    job.heads = lcal__attention_heads(run->exec, batch->documents, kv_heads);
    lcal__parallel_for(run->exec->threads, batch->documents * (kv_heads / job.heads), backward_task,
                       &job);
}
