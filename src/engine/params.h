/*
 * The parameter block: all trained numbers in one contiguous array, their gradients in another.
 * Named tensors are added first, then the block is allocated once. AdamW and checkpoints see flat
 * arrays; the network sees leaves.
 */
#ifndef LCAL_ENGINE_PARAMS_H
#define LCAL_ENGINE_PARAMS_H

#include "engine/network.h"

typedef struct lcal__param {
    char *name;        /* "q_proj.p", "layers.3.down_proj.P1", ... */
    size_t rows, cols; /* a vector has rows 1 and cols its length */
    bool vector;       /* stored with rank 1 */
    size_t offset;     /* of its first element in values and grads */
} lcal__param;

/* Zeroed is valid and empty. */
typedef struct lcal__params {
    lcal__param *items;
    size_t count, capacity;
    size_t total;  /* numbers in all */
    float *values; /* [total] at LCAL_ALIGN */
    float *grads;  /* [total] */
} lcal__params;

/* rows 0: a vector of cols. *index, where wanted, is its place in items. Names must differ. */
lcal_status lcal__params_add(lcal__params *params, const char *name, size_t rows, size_t cols,
                             size_t *index, lcal_error *err);

/* Allocates values and grads (zeroed); nothing may be added afterwards. */
lcal_status lcal__params_allocate(lcal__params *params, lcal_error *err);

/* Value and gradient of one tensor. */
lcal__leaf lcal__params_leaf(const lcal__params *params, size_t index);

/* NULL where there is none of that name. */
const lcal__param *lcal__params_find(const lcal__params *params, const char *name);

void lcal__params_free(lcal__params *params);

#endif
