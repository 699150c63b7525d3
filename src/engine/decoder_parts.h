/* What the parts of a decoder share: decoder.c runs, decoder_plan.c sizes, decoder_attention.c
 * attends to what is cached. */
#ifndef LCAL_ENGINE_DECODER_PARTS_H
#define LCAL_ENGINE_DECODER_PARTS_H

#include "engine/attention.h"
#include "engine/decoder.h"

/* Consecutive new tokens of one sequence. */
typedef struct lcal__span {
    size_t sequence;
    size_t row;      /* of the first in the run's matrices */
    size_t position; /* of the first in the sequence */
    size_t count;
} lcal__span;

/* Where the keys and values of a layer, sequence and kv head lie: keys as rows [capacity,
 * head_dim], values by columns [head_dim, capacity], so that scores and sums both are products of
 * contiguous rows. */
typedef struct lcal__cache {
    float *keys, *values; /* [layers, sequences, kv_heads, capacity * head_dim] each */
    size_t capacity;      /* options.length, rounded up */
} lcal__cache;

struct lcal__decoder {
    const lcal__network *network;
    lcal__exec exec; /* row_invariant */
    lcal__decoder_options options;
    lcal__attention attention;
    lcal__cache cache;
    void *workspace;

    /* All below lies in the workspace, T = options.tokens, L = most inputs of a run. */
    size_t *lengths;            /* [sequences] */
    float *rope_cos, *rope_sin; /* [length, rope.dims / 2] */
    int32_t *ids, *positions;   /* [T] */
    int32_t *last_token;        /* [L] row of each input's last token ... */
    int32_t *last_position;     /* [L] ... and its position */
    lcal__span *inputs;         /* [L] all new tokens of an input */
    lcal__span *last;           /* [L] its last one, row by row */
    lcal__span *blocks;         /* [T] queries that one task takes */
    float *x, *h;               /* [T, hidden] residual stream, its norm */
    float *q, *mixed;           /* [T, heads * head_dim] */
    float *k, *v;               /* [T, kv_heads * head_dim] */
    float *gate, *up, *unit;    /* [T, ffn], over q, mixed, k and v */
    float *last_x, *last_h;     /* [L, hidden] */
    float *scratch;             /* of an op, or of attention */
};

/* Places the workspace's parts from `base` on (LCAL_ALIGN), or with NULL only counts. LCAL_NOMEM:
 * the size overflows. */
lcal_status lcal__decoder_place(lcal__decoder *decoder, float *base, size_t *floats,
                                lcal_error *err);

/* Floats of scores that a thread holds at most, for sequences of that length. */
size_t lcal__decoder_scores(const lcal__decoder *decoder);

/* Most queries that one task takes where the last of them sees `length` keys. */
size_t lcal__decoder_queries(size_t length);

/* Adds the rows of k and v of the new tokens, rotated, to a layer's cache. */
void lcal__decoder_store(const lcal__decoder *decoder, size_t layer, const lcal__span *inputs,
                         size_t count, const float *k, const float *v);

/* out = attention of q's rows to everything at or before their positions. */
void lcal__decoder_attend(const lcal__decoder *decoder, size_t layer, const lcal__span *spans,
                          size_t count, const float *q, float *out);

#endif
