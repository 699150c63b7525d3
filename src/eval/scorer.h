/* Examples in memory through a network, batch after batch: losses and logits handed out row by
 * row. */
#ifndef LCAL_EVAL_SCORER_H
#define LCAL_EVAL_SCORER_H

#include "calib/composition.h"
#include "data/dataset.h"
#include "lcal/score.h"

/* Calls fn for every example of the dataset, in order. The composition must be assembled. source:
 * what messages call the examples' origin. Errors as lcal_score. */
lcal_status lcal__scorer_run(const lcal__composition *composition, const lcal__dataset *dataset,
                             lcal_logits logits, const char *source, lcal_score_fn *fn, void *user,
                             lcal_error *err);

#endif
