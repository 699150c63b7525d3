/*
 * Causal grouped-query attention inside each document of a packed batch, in tiles: a few dozen
 * queries against a few hundred keys at a time (Dao et al. 2022, FlashAttention; here on sgemm).
 * q, k, v, out keep their layout [tokens, heads * head_dim]: a head is a column range, reached
 * by the products' leading dimensions, nothing is copied or repeated.
 *
 * Forward, per document, query head and block of queries: S = Q K^T, softmax by running maximum
 * and sum, O += P V. It leaves lse = log sum exp(scale S) of each query and head.
 * Backward, per document and kv head, its query heads one after another, P made again from lse:
 *   dV += P^T dO;  dS = P o (dO V^T - rowsum(dO o O));  dQ += scale dS K;  dK += scale dS^T Q
 *
 * Tiles depend on the document alone, so that a packed document equals the same one alone.
 */
#ifndef LCAL_ENGINE_ATTENTION_H
#define LCAL_ENGINE_ATTENTION_H

#include "engine/op.h"

/* Few queries waste little on the causal diagonal, many keys keep the products large: measured best
 * or near it for heads of 32 to 64 and documents of 64 to 2048 tokens. */
#define LCAL__ATTENTION_QUERIES 32 /* rows of a tile */
#define LCAL__ATTENTION_KEYS 256   /* columns of a tile; a multiple of QUERIES */
#define LCAL__ATTENTION_TILE (LCAL__ATTENTION_QUERIES * LCAL__ATTENTION_KEYS) /* its floats */

/* Tiles of scratch a thread: S or P; P, dP, dS. */
#define LCAL__ATTENTION_FORWARD_TILES 1
#define LCAL__ATTENTION_BACKWARD_TILES 3

typedef struct lcal__attention {
    size_t heads, group; /* query heads; of them per kv head */
    size_t head_dim;
    size_t q_cols, kv_cols; /* floats from token to token of q and out; of k and v */
    float scale;            /* 1 / sqrt(head_dim) */
} lcal__attention;

lcal__attention lcal__attention_of(const lcal__model_config *config);

/* Floats from row to row of a tile of a document of that many tokens. */
size_t lcal__attention_stride(size_t length);

/* How many of `heads` one task takes, where there are `blocks` to share out: all, so that a token's
 * heads, which lie side by side, are read by one thread; or one, where blocks are few. Heads do not
 * touch each other: this changes no result. */
size_t lcal__attention_heads(const lcal__exec *exec, size_t blocks, size_t heads);

void lcal__attention_forward(const lcal__op_attr *attr, const lcal__op_run *run);
void lcal__attention_backward(const lcal__op_attr *attr, const lcal__op_run *run);

#endif
