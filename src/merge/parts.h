/* What the files of this room share. */
#ifndef LCAL_MERGE_PARTS_H
#define LCAL_MERGE_PARTS_H

#include "merge/merge.h"

/* An adapter's pair at a module, and which adapter it is. */
typedef struct lcal__merge_part {
    const lcal__lora_pair *pair;
    size_t index;
    float weight;
} lcal__merge_part;

/* The pairs at a module in the order of the adapters, [merge->count] at most; free with lcal__free.
 */
lcal_status lcal__merge_parts(const lcal__merge *merge, size_t layer, lcal__proj proj,
                              lcal__merge_part **parts, size_t *count, lcal_error *err);

/* --- dense: delta.c ------------------------------------------------------------------------- */

/* Rows of a block of a module: all that make or read its dense update go by the same blocks, so
 * that they see the same bits. */
size_t lcal__delta_block(size_t rows, size_t cols);

/* out[count, cols] = scale B A, rows first..first+count-1 of a block. */
void lcal__delta_rows(const lcal__exec *exec, const lcal__lora_pair *pair, float scale,
                      size_t first, size_t count, size_t cols, float *out);

/* The smallest magnitude that is among the `density` largest elements: of each adapter's whole
 * update, or of each part's at one module. */
lcal_status lcal__thresholds_model(const lcal__merge *merge, float *thresholds, lcal_error *err);
lcal_status lcal__thresholds_module(const lcal__merge *merge, const lcal__merge_part *parts,
                                    size_t count, size_t rows, size_t cols, float *thresholds,
                                    lcal_error *err);

/* lcal__merged_rows of a rule whose updates are dense. */
lcal_status lcal__dense_rows(const lcal__merged *merged, lcal__merged_fn *fn, void *context,
                             lcal_error *err);

/* --- factored: each fills pairs, count and values of *out ----------------------------------- */

lcal_status lcal__merge_sum(const lcal__merge_part *parts, size_t count, lcal__merged *out,
                            lcal_error *err);
lcal_status lcal__merge_slerp(const lcal__merge_part *parts, size_t count, lcal__merged *out,
                              lcal_error *err);
lcal_status lcal__merge_peft(const lcal__merge_part *parts, size_t count, lcal__merged *out,
                             lcal_error *err);

#endif
