/*
 * Forward and backward passes: the tapes of training and validation in one workspace, and the
 * batches that go through them. After opening, running allocates nothing.
 */
#ifndef LCAL_TRAIN_PASSES_H
#define LCAL_TRAIN_PASSES_H

#include "config/settings.h"
#include "engine/tape.h"

/* Sets the criterion of a training batch that is about to run. */
typedef void lcal__teach_fn(void *user, const lcal__batch *batch, lcal__feed *feed);

/* Adds to the gradients of a step what is no example's, and returns its loss. */
typedef double lcal__penalty_fn(void *user);

/* Zeroed is valid and empty. The network, datasets and batcher it was opened with must outlive it.
 */
typedef struct lcal__passes {
    const lcal__dataset *valid_data; /* NULL: no validation */
    size_t accumulate;               /* batches of a step */
    lcal__batch batch;               /* of the batcher */
    lcal__capacity batch_capacity;
    lcal__batch single; /* one document of it at a time, where packing is off */
    lcal__batch valid_batch;
    size_t valid_tokens; /* most tokens of a validation batch */
    lcal__tape_options train_options, valid_options;
    lcal__tape *train, *valid; /* valid: NULL without validation data */
    size_t workspace_bytes;
    void *workspace;
    lcal__teach_fn *teach;     /* NULL: training learns the labels */
    lcal__penalty_fn *penalty; /* NULL: none */
    void *teach_user;          /* of both */
} lcal__passes;

/* What one step's passes came to. */
typedef struct lcal__pass_sums {
    double loss; /* mean over all labels of the step, nats */
    size_t labels, tokens;
} lcal__pass_sums;

/* Sizes and batches, without tapes; valid may be NULL. */
lcal_status lcal__passes_init(lcal__passes *passes, const lcal__settings *settings,
                              const lcal__batcher *batcher, const lcal__dataset *valid,
                              lcal_error *err);

/*
 * Plans the tapes and sets workspace_bytes. Layers are recomputed as train.recompute says; auto: as
 * few as let the workspace fit `budget` bytes.
 */
lcal_status lcal__passes_plan(lcal__passes *passes, const lcal__settings *settings,
                              const lcal__network *network, const lcal__exec *exec, size_t budget,
                              lcal_error *err);

/* Allocates the workspace of the plan. */
lcal_status lcal__passes_allocate(lcal__passes *passes, lcal_error *err);

/* The next step's batches, forward and backward: adds to the gradients of the mean loss over all
 * labels of the step. */
lcal__pass_sums lcal__passes_step(lcal__passes *passes, lcal__batcher *batcher);

/* Mean loss over all labels of the validation data, in the order of the file, packed. */
double lcal__passes_validate(lcal__passes *passes);

/* Bytes of the batches. */
size_t lcal__passes_batch_bytes(const lcal__passes *passes);

void lcal__passes_free(lcal__passes *passes);

#endif
