/*
 * The architectures as data: what a family's config.json calls things, what it leaves out means,
 * and what of it lcal does not compute. Keys that all families share are not repeated here.
 */
#ifndef LCAL_MODEL_FAMILY_H
#define LCAL_MODEL_FAMILY_H

#include "model/config.h"

/* Where a yes or no comes from: the key, or `fallback` where it is absent; always `fallback` where
 * the family has no such key (NULL). */
typedef struct lcal__switch {
    const char *key;
    bool fallback;
} lcal__switch;

typedef struct lcal__family {
    const char *model_type;   /* key model_type */
    const char *architecture; /* what `architectures` is written as */
    lcal__norm_kind norm;
    const char *norm_eps_key;
    double norm_eps;
    lcal__switch qkv_bias, o_bias, mlp_bias, parallel_residual;
    size_t max_positions;    /* fallback */
    double partial_rotary;   /* fallback */
    bool has_partial_rotary; /* otherwise only a factor of 1 can be computed */
    bool has_head_dim;       /* otherwise only hidden / heads can be computed */
    const char *refused_key; /* must be absent or false, NULL: none */
    const char *refused_why;
} lcal__family;

/* The row of an architecture. Static. */
const lcal__family *lcal__family_of(lcal__arch arch);

/* False: no row has this model_type. */
bool lcal__family_find(const char *model_type, lcal__arch *out);

#endif
