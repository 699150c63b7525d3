/*
 * The op table: each kind of op is one row {name, plan, forward, backward}, one file op_NAME.c.
 *
 * An op reads values and writes one value. A value is a matrix of f32 rows, one row a token (or one
 * a wanted prediction, after `gather`), row-major and contiguous. `plan` is asked once, when a tape
 * is recorded, and says what backward will need; the planner then gives every value, gradient and
 * aux buffer its place in the workspace, and frees it as early as the plan allows.
 *
 * Rules for forward and backward: no allocation; parallel loops only through exec, over tasks fixed
 * by the shape; what is computed must not depend on the number of threads nor, for one document, on
 * the documents packed beside it (except for the rounding of matrix products of other sizes).
 */
#ifndef LCAL_ENGINE_OP_H
#define LCAL_ENGINE_OP_H

#include <stdbool.h>
#include <stddef.h>

#include "data/batch.h"
#include "engine/network.h"
#include "num/exec.h"

#define LCAL__OP_INPUTS 3

/* Receives logits [count, vocab] of rows first..first+count-1 of the batch, valid during the call.
 */
typedef void lcal__logits_fn(void *user, size_t first, size_t count, const float *logits);

/* What one run of a tape is given besides its values. */
/*
 * A loss in place of the cross-entropy: turns the logits [count, vocab] of rows first.. of the
 * batch into losses [count] and, where `gradient`, in place into their gradients, times row_weight.
 */
typedef void lcal__criterion_fn(void *user, const lcal__exec *exec, size_t first, size_t count,
                                size_t vocab, float row_weight, bool gradient, float *logits,
                                float *losses);

typedef struct lcal__feed {
    const lcal__batch *batch;
    float row_weight; /* factor of every row's loss in the gradient: 1 / (counted labels of the
                         whole step) */
    float *nll; /* [batch->rows] negative log-likelihood of each target in nats, 0 where there is
                   none; or NULL */
    lcal__logits_fn *logits; /* or NULL */
    void *logits_user;
    lcal__criterion_fn *criterion; /* NULL: cross-entropy with the batch's targets */
    void *criterion_user;
    double loss_sum; /* out: sum of nll, or of the criterion's losses */
} lcal__feed;

/* Sizes a tape is planned for; a batch may be smaller in each. */
typedef struct lcal__capacity {
    size_t tokens;
    size_t documents;
    size_t rows;
    size_t longest; /* tokens of the longest document */
} lcal__capacity;

/* A value as an op sees it while it runs. */
typedef struct lcal__slot {
    float *x;  /* the value; NULL in backward where the plan did not ask for it */
    float *dx; /* its gradient; NULL where none is wanted (inputs) or in forward */
    bool add;  /* backward, inputs: dx already holds a contribution: add to it; else overwrite */
} lcal__slot;

typedef struct lcal__op_run {
    const lcal__exec *exec;
    lcal__feed *feed;
    size_t rows; /* of out in this run: batch->tokens, or batch->rows after gather; inputs have as
                    many, but gather's */
    const float *rope_cos, *rope_sin; /* [capacity.longest, rope.dims / 2] */
    lcal__slot in[LCAL__OP_INPUTS];
    lcal__slot out;
    float *aux;     /* [rows of out, plan.aux_cols] */
    float *scratch; /* plan.forward_scratch or plan.backward_scratch floats, at LCAL_ALIGN */
    bool training;  /* a backward run follows */
} lcal__op_run;

/* What an op computes with, set when it is recorded. */
typedef struct lcal__op_attr {
    size_t cols; /* columns of out, set for every op */
    const lcal__model_config *config;
    const lcal__weight *weight; /* embed, head */
    float *weight_grad;         /* embed, head: [vocab, hidden] or NULL */
    const lcal__linear *linear; /* linear */
    const lcal__norm *norm;     /* norm */
} lcal__op_attr;

/* What planning knows about an op. */
typedef struct lcal__op_shape {
    lcal__capacity capacity;
    size_t rows; /* capacity of out's rows */
    size_t in_cols[LCAL__OP_INPUTS];
    bool in_grad[LCAL__OP_INPUTS]; /* which inputs want a gradient */
    bool training;
    size_t threads;
} lcal__op_shape;

typedef struct lcal__op_plan {
    bool keep_in[LCAL__OP_INPUTS]; /* backward reads in[i].x */
    bool keep_out;                 /* backward reads out.x */
    size_t aux_cols;               /* floats a row of out that forward leaves for backward */
    size_t forward_scratch;        /* floats, for this many threads */
    size_t backward_scratch;
    int in_place;  /* input whose place out (and in backward its gradient) takes over; -1: none */
    int pass_grad; /* input whose gradient is out's gradient itself: where the planner can share
                      the place, in[i].dx == out.dx and there is nothing to do; else add/copy; -1:
                      none */
    bool grad_over_in[LCAL__OP_INPUTS]; /* in[i].dx may be written where in[i].x lies */
    bool grad_in_forward;               /* forward already writes in[0].dx (the fused head) */
} lcal__op_plan;

typedef struct lcal__op_kind {
    const char *name;
    lcal_status (*plan)(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *plan,
                        lcal_error *err);
    void (*forward)(const lcal__op_attr *attr, const lcal__op_run *run);
    void (*backward)(const lcal__op_attr *attr, const lcal__op_run *run);
} lcal__op_kind;

/* in: none (ids from the batch); out [tokens, hidden] = rows of the embedding. */
extern const lcal__op_kind lcal__op_embed;
/* in: x; out = RMSNorm or LayerNorm of each row. */
extern const lcal__op_kind lcal__op_norm;
/* in: x [, residual]; out = residual + W x + bias + terms. */
extern const lcal__op_kind lcal__op_linear;
/* in: q or k [tokens, heads * head_dim]; out: the leading rope.dims of each head rotated by
 * position. In place. */
extern const lcal__op_kind lcal__op_rope;
/* in: q [tokens, heads*head_dim], k, v [tokens, kv_heads*head_dim]; out as q. Causal inside each
 * document, blocked (T x T is never stored), grouped-query without repeating k and v. */
extern const lcal__op_kind lcal__op_attention;
/* in: gate, up [., ffn]; out = silu(gate) o up. */
extern const lcal__op_kind lcal__op_glu;
/* in: x [tokens, c]; out [rows, c] = x at batch->row_token. */
extern const lcal__op_kind lcal__op_gather;
/* in: x [rows, hidden]; fused head and cross-entropy in chunks of rows: fills feed->nll, loss_sum
 * and logits, and when training in[0].dx and the head's gradient. out: unused (0 columns). */
extern const lcal__op_kind lcal__op_head;

#endif
