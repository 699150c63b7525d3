/*
 * Choosing the next token from logits.
 *
 * The steps in their order, which is that of Hugging Face transformers:
 *   penalty      of every token that occurred: l / r where l > 0, else l r (Keskar et al. 2019)
 *   greedy       temperature 0: the largest logit, and nothing below
 *   temperature  weight w = exp((l - max l) / temperature)
 *   top-k        the k largest
 *   top-p        of these, the fewest largest that sum to p of their total (Holtzman et al. 2020)
 *   min-p        of these, w >= p; the largest weight is 1 (Nguyen et al. 2024)
 *   draw         by weight
 * Equal logits rank by id, the lowest first. The likeliest token always stays.
 */
#ifndef LCAL_EVAL_SAMPLER_H
#define LCAL_EVAL_SAMPLER_H

#include "eval/seen.h"

/* Zeroed is valid: greedy. */
typedef struct lcal__sampler_options {
    double temperature;        /* 0: greedy */
    size_t top_k;              /* 0: all */
    double top_p;              /* 0 or 1: all */
    double min_p;              /* 0: all */
    double repetition_penalty; /* 0 or 1: off */
} lcal__sampler_options;

/* LCAL_INVALID names the option, its bounds and what was found. */
lcal_status lcal__sampler_options_check(const lcal__sampler_options *options, lcal_error *err);

/* A token in the running. */
typedef struct lcal__candidate {
    double logit; /* the penalty taken off */
    double weight;
    int32_t id;
} lcal__candidate;

/* Options and scratch; keeps nothing between draws. Zeroed is valid and empty. */
typedef struct lcal__sampler {
    lcal__sampler_options options;
    size_t vocab;
    const uint8_t *barred;       /* [vocab], 1: never chosen; NULL: none. Borrowed */
    lcal__candidate *candidates; /* [vocab] */
} lcal__sampler;

/* vocab: ids below it are chosen from. options are those that were checked. */
lcal_status lcal__sampler_init(lcal__sampler *sampler, const lcal__sampler_options *options,
                               size_t vocab, const uint8_t *barred, lcal_error *err);
void lcal__sampler_free(lcal__sampler *sampler);

/*
 * The next token. logits: [vocab]; seen may be NULL where there is no penalty; draw: uniform in
 * [0, 1), unused where greedy. The same arguments give the same id. LCAL_NUMERIC: a logit that is
 * NaN or +infinity, or no token is possible.
 */
lcal_status lcal__sampler_next(lcal__sampler *sampler, const float *logits, const lcal__seen *seen,
                               double draw, int32_t *out, lcal_error *err);

#endif
