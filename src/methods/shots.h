/* A few examples of the training data: drawn, put in front of a prompt, or what a loss is of. */
#ifndef LCAL_METHODS_SHOTS_H
#define LCAL_METHODS_SHOTS_H

#include "data/dataset.h"
#include "methods/job.h"

/* eval.shots different examples of data.train, in the order they were drawn by train.seed. */
lcal_status lcal__shots_draw(const lcal__job *job, lcal__cases *out, lcal_error *err);

/* The same as token ids, prompt tokens masked, by the tokenizer and template of the model. Free
 * with lcal__dataset_free. */
lcal_status lcal__shots_encode(const lcal__job *job, const lcal__cases *shots, lcal_model *model,
                               lcal__dataset *out, lcal_error *err);

/* The model's loss on the examples: mean over batches of `batch` (0: all in one) of the mean over
 * their labelled tokens. */
lcal_status lcal__shots_loss(lcal_model *model, const lcal__dataset *shots, size_t batch,
                             double *out, lcal_error *err);

#endif
