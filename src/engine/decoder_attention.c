/*
 * Attention of new tokens to cached keys and values. All scores of a query are made before their
 * softmax, whose sums run over absolute positions: the same bits however the tokens before it came
 * in, and whichever queries share a task.
 */
#include <string.h>

#include "engine/decoder_parts.h"
#include "num/dots.h"

/* Scores of one task that stay in the second-level cache, and how many queries it has at most and,
 * however long the sequence, at least. */
#define TILE ((size_t)65536)
#define MOST_QUERIES 32
#define LEAST_QUERIES 4
/* Tokens whose values are turned into columns together. */
#define TURN 16

/* Floats from query to query of the scores. */
static size_t stride_of(size_t length)
{
    return (length + 15) / 16 * 16;
}

size_t lcal__decoder_queries(size_t length)
{
    const size_t fit = TILE / stride_of(length);
    return fit > MOST_QUERIES ? MOST_QUERIES : fit > LEAST_QUERIES ? fit : LEAST_QUERIES;
}

size_t lcal__decoder_scores(const lcal__decoder *d)
{
    const size_t group = d->attention.group;
    const size_t least = (group > LEAST_QUERIES ? group : LEAST_QUERIES) * d->cache.capacity;
    return least > TILE ? least : TILE;
}

/* Where keys or values of a layer's sequence and kv head begin. */
static size_t cache_at(const lcal__decoder *d, size_t layer, size_t sequence, size_t kv_head)
{
    const size_t kv_heads = d->attention.heads / d->attention.group;
    return ((layer * d->options.sequences + sequence) * kv_heads + kv_head) * d->cache.capacity
           * d->attention.head_dim;
}

typedef struct store_job {
    const lcal__decoder *d;
    size_t layer;
    const lcal__span *inputs;
    const float *k, *v;
} store_job;

static void store_head(const store_job *job, const lcal__span *input, size_t head)
{
    const lcal__decoder *d = job->d;
    const size_t dim = d->attention.head_dim, cols = d->attention.kv_cols;
    const size_t at = cache_at(d, job->layer, input->sequence, head);
    const float *k = job->k + input->row * cols + head * dim;
    const float *v = job->v + input->row * cols + head * dim;
    float *keys = d->cache.keys + at + input->position * dim;
    float *values = d->cache.values + at + input->position;
    for (size_t t = 0; t < input->count; t++)
        memcpy(keys + t * dim, k + t * cols, dim * sizeof(float));
    for (size_t first = 0; first < input->count; first += TURN) {
        const size_t end = first + TURN < input->count ? first + TURN : input->count;
        for (size_t i = 0; i < dim; i++)
            for (size_t t = first; t < end; t++)
                values[i * d->cache.capacity + t] = v[t * cols + i];
    }
}

static void store_heads(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const store_job *job = context;
    const size_t kv_heads = job->d->attention.heads / job->d->attention.group;
    for (size_t i = first; i < first + count; i++)
        store_head(job, &job->inputs[i / kv_heads], i % kv_heads);
}

void lcal__decoder_store(const lcal__decoder *d, size_t layer, const lcal__span *inputs,
                         size_t count, const float *k, const float *v)
{
    const size_t heads = count * (d->attention.heads / d->attention.group);
    const size_t tokens = inputs[count - 1].row + inputs[count - 1].count;
    store_job job = {d, layer, inputs, k, v};
    lcal__for_rows(&d->exec, heads, tokens * d->attention.kv_cols / heads, store_heads, &job);
}

typedef struct attend_job {
    const lcal__decoder *d;
    size_t layer;
    const lcal__span *spans;
    size_t count;
    const float *q;
    float *out;
} attend_job;

/* Rows of queries of one kv head, against its first keys. */
typedef struct queries {
    size_t rows, ld; /* of q and out */
    const float *q;
    float *out;
    const float *keys, *values;
    size_t length;    /* keys the last row sees */
    size_t seen;      /* keys the first row sees */
    size_t seen_step; /* more keys from row to row */
} queries;

static void attend_rows(const lcal__decoder *d, const queries *at, float *scores)
{
    const lcal__kernels *k = d->exec.kernels;
    const size_t dim = d->attention.head_dim, stride = stride_of(at->length);
    const float scale = d->attention.scale;
    lcal__dots product = {
        .m = at->rows,
        .n = at->length,
        .k = dim,
        .alpha = 1.0f,
        .a = at->q,
        .lda = at->ld,
        .b = at->keys,
        .dtype = LCAL__F32,
        .ldb = dim,
        .c = scores,
        .ldc = stride,
    };
    lcal__dots_serial(k, &product);
    float sums[MOST_QUERIES];
    for (size_t i = 0; i < at->rows; i++) {
        float *row = scores + i * stride;
        const size_t seen = at->seen + i * at->seen_step;
        sums[i] = k->exp_sum(row, scale, scale * k->max(row, seen), seen);
        memset(row + seen, 0, (at->length - seen) * sizeof(float));
    }
    product = (lcal__dots){
        .m = at->rows,
        .n = dim,
        .k = at->length,
        .alpha = 1.0f,
        .a = scores,
        .lda = stride,
        .b = at->values,
        .dtype = LCAL__F32,
        .ldb = d->cache.capacity,
        .c = at->out,
        .ldc = at->ld,
    };
    lcal__dots_serial(k, &product);
    for (size_t i = 0; i < at->rows; i++)
        k->scale(at->out + i * at->ld, 1.0f / sums[i], dim);
}

static void attend_task(void *context, size_t index, size_t worker)
{
    const attend_job *job = context;
    const lcal__decoder *d = job->d;
    const lcal__attention *a = &d->attention;
    const size_t kv_heads = a->heads / a->group, kv_head = index % kv_heads;
    /* From the end: the later a block of a prompt, the more keys it sees. */
    const lcal__span *span = &job->spans[job->count - 1 - index / kv_heads];
    const size_t cache = cache_at(d, job->layer, span->sequence, kv_head);
    const size_t first = span->row * a->q_cols + kv_head * a->group * a->head_dim;
    float *scores = d->scratch + worker * lcal__decoder_scores(d);
    queries at = {
        .q = job->q + first,
        .out = job->out + first,
        .keys = d->cache.keys + cache,
        .values = d->cache.values + cache,
        .length = span->position + span->count,
        .seen = span->position + 1,
    };
    if (span->count == 1) { /* the heads of a group as rows: keys and values are read once */
        at.ld = a->head_dim;
        for (size_t left = a->group; left > 0; left -= at.rows) {
            at.rows = left < MOST_QUERIES ? left : MOST_QUERIES;
            attend_rows(d, &at, scores);
            at.q += at.rows * at.ld;
            at.out += at.rows * at.ld;
        }
        return;
    }
    at.rows = span->count;
    at.ld = a->q_cols;
    at.seen_step = 1;
    for (size_t head = 0; head < a->group; head++) {
        attend_rows(d, &at, scores);
        at.q += a->head_dim;
        at.out += a->head_dim;
    }
}

void lcal__decoder_attend(const lcal__decoder *d, size_t layer, const lcal__span *spans,
                          size_t count, const float *q, float *out)
{
    attend_job job = {d, layer, spans, count, q, out};
    lcal__parallel_for(d->exec.threads, count * (d->attention.heads / d->attention.group),
                       attend_task, &job);
}
