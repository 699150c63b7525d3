/* Examples of a file packed into batches for scoring: in order, nothing dropped. */
#ifndef LCAL_EVAL_SCORE_BATCH_H
#define LCAL_EVAL_SCORE_BATCH_H

#include "engine/op.h"
#include "lcal/score.h"

/* How a dataset is cut. Owns nothing. */
typedef struct lcal__score_cut {
    const lcal__dataset *dataset;
    lcal_logits logits;
    size_t documents_max; /* of a batch, at least 1 */
} lcal__score_cut;

lcal__score_cut lcal__score_cut_init(const lcal__dataset *dataset, lcal_logits logits,
                                     size_t vocab);

/* The examples first..end-1 make a batch; returns end. first < dataset->count. */
size_t lcal__score_cut_end(const lcal__score_cut *cut, size_t first);

/* Sizes that every batch of the cut fits into; wanted: most positions of a batch whose logits are
 * handed out. */
lcal__capacity lcal__score_capacity(const lcal__score_cut *cut, size_t *wanted);

/* Clears the batch and packs examples first..end-1: rows are the labelled positions and those whose
 * logits are wanted. */
void lcal__score_pack(const lcal__score_cut *cut, size_t first, size_t end, lcal__batch *batch);

#endif
