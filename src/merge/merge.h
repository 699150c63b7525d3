/*
 * Rules that combine the updates of frozen LoRA adapters into one (docs/merging.md; METHODS.md A).
 *
 * Adapter i changes a module by D_i = s_i B_i A_i, s_i its alpha / rank, and has a weight w_i. A
 * rule makes one update D of them: as a sum of low-rank pairs where it can, else dense, made and
 * handed out in blocks of rows of one module, so that no model of dense updates is ever held.
 * A module that an adapter leaves alone is merged from the others.
 *
 * Results depend on the adapters and the rule's options alone: not on threads, nor on the order in
 * which modules are opened.
 */
#ifndef LCAL_MERGE_MERGE_H
#define LCAL_MERGE_MERGE_H

#include "config/settings.h"
#include "model/adapter.h"
#include "num/exec.h"

/* Zeroed is valid and merges nothing. */
typedef struct lcal__merge {
    lcal__merge_settings settings;
    const lcal__adapter_use *uses; /* [count], not owned */
    size_t count;
    const lcal__model_config *config; /* not owned */
    lcal__exec exec;
    float *thresholds; /* [count] smallest magnitude kept of each adapter; NULL: a module's own */
} lcal__merge;

/*
 * Checks that the adapters suit the rule (LCAL_INVALID: slerp of other than two, peft rules of
 * unequal ranks); reads none of their numbers. settings NULL: concat. uses, config and the adapters
 * must outlive it.
 */
lcal_status lcal__merge_open(const lcal__merge_settings *settings, const lcal__adapter_use *uses,
                             size_t count, const lcal__model_config *config, const lcal__exec *exec,
                             lcal__merge *out, lcal_error *err);
void lcal__merge_close(lcal__merge *merge);

/* Finds out what the rule needs to know of whole adapters; before any module is opened. */
lcal_status lcal__merge_prepare(lcal__merge *merge, lcal_error *err);

/* False: the rule's updates are dense. */
bool lcal__merge_is_factored(lcal__merge_rule rule);

/* What a module's update will be, from shapes alone. */
typedef struct lcal__merge_shape {
    size_t adapters; /* that change the module */
    size_t pairs;    /* of the factored form; 0 where it is dense or nothing changes */
    size_t rank;     /* of all its pairs together */
    size_t floats;   /* that its pairs own, the adapters' own factors not counted */
} lcal__merge_shape;

lcal__merge_shape lcal__merge_shape_of(const lcal__merge *merge, size_t layer, lcal__proj proj);

/* A module's update. Zeroed is valid: none. */
typedef struct lcal__merged {
    const lcal__merge *merge; /* must outlive it */
    size_t layer;
    lcal__proj proj;
    size_t rows, cols; /* d_out, d_in */
    bool factored;
    lcal__lora_pair *pairs; /* [count] the update as sum of scale B A, where factored */
    size_t count;
    double truncation; /* svd: Frobenius norm of what was cut off over that of the whole; else 0 */
    float *values;     /* of the pairs that are no adapter's own */
    float *thresholds; /* [merge->count] where each module has its own */
} lcal__merged;

lcal_status lcal__merge_module(const lcal__merge *merge, size_t layer, lcal__proj proj,
                               lcal__merged *out, lcal_error *err);
void lcal__merged_free(lcal__merged *merged);

/* Calls fn with the update's rows first..first+count-1, dense [count, cols], from the top down. */
typedef void lcal__merged_fn(void *context, size_t first, size_t count, const float *rows);
lcal_status lcal__merged_rows(const lcal__merged *merged, lcal__merged_fn *fn, void *context,
                              lcal_error *err);

/* w[rows, cols] += the update. */
lcal_status lcal__merged_add(const lcal__merged *merged, float *w, lcal_error *err);

#endif
