/*
 * What a tape is recorded from: the base's frozen weights, what is added to them, and which of the
 * numbers are trained. A leaf with a gradient is trained; a gradient of NULL means frozen, and
 * nothing is ever computed for it.
 */
#ifndef LCAL_ENGINE_NETWORK_H
#define LCAL_ENGINE_NETWORK_H

#include <stdbool.h>

#include "model/model.h"

/* A vector or matrix of f32. Neither pointer is owned. */
typedef struct lcal__leaf {
    const float *value; /* NULL: absent */
    float *grad;        /* same extents, added to; NULL: frozen */
} lcal__leaf;

/* What may be added to a projection's output y = W x + bias (METHODS.md A.8, B.2). */
typedef enum lcal__term_kind {
    LCAL__TERM_OUTPUT,    /* y += scale p */
    LCAL__TERM_BROADCAST, /* y += scale p sum(x) */
    LCAL__TERM_LOWRANK,   /* y += scale B (A (m o x)); m absent: all ones */
} lcal__term_kind;

typedef struct lcal__term {
    lcal__term_kind kind;
    float scale;
    size_t rank;  /* LOWRANK */
    lcal__leaf p; /* OUTPUT, BROADCAST: [d_out] */
    lcal__leaf a; /* LOWRANK: [rank, d_in] */
    lcal__leaf b; /* LOWRANK: [d_out, rank] */
    lcal__leaf m; /* LOWRANK: [d_in] */
} lcal__term;

typedef struct lcal__linear {
    lcal__weight weight; /* [d_out, d_in] */
    float *weight_grad;  /* [d_out, d_in], NULL: frozen */
    lcal__leaf bias;     /* [d_out] */
    const lcal__term *terms;
    size_t term_count;
} lcal__linear;

typedef struct lcal__norm {
    lcal__norm_kind kind;
    float eps;
    size_t cols;
    lcal__leaf weight; /* [cols] */
    lcal__leaf bias;   /* [cols], LayerNorm only */
} lcal__norm;

typedef struct lcal__block {
    lcal__norm attention_norm;
    lcal__norm mlp_norm; /* unused with parallel_residual */
    lcal__linear proj[LCAL__PROJ_COUNT];
} lcal__block;

/* Owns nothing but `blocks`. */
typedef struct lcal__network {
    lcal__model_config config;
    lcal__weight embedding; /* [vocab, hidden] */
    float *embedding_grad;
    lcal__weight head; /* [vocab, hidden] */
    float *head_grad;  /* a tied head's is embedding_grad */
    lcal__norm final_norm;
    lcal__block *blocks; /* [config.layers] */
} lcal__network;

/* The network of a frozen model: nothing added, nothing trained. Free with lcal__network_free. */
lcal_status lcal__network_init(const lcal__model *model, lcal__network *out, lcal_error *err);
void lcal__network_free(lcal__network *network);

/* True where anything of it is trained. */
bool lcal__linear_trains(const lcal__linear *linear);
bool lcal__norm_trains(const lcal__norm *norm);

#endif
