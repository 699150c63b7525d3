/* What a trainer is made of, and its steps, shared by the files that open and drive one. */
#ifndef LCAL_TRAIN_TRAINER_PARTS_H
#define LCAL_TRAIN_TRAINER_PARTS_H

#include "train/checkpoint.h"
#include "train/run_dir.h"
#include "train/run_log.h"

struct lcal_trainer {
    const lcal_config *config;
    const lcal__settings *settings;
    lcal_existing existing;
    lcal__run_dir dir; /* root is NULL where nothing is to be written */
    lcal__run_log run_log;
    const lcal_log *log;
    lcal__checkpoint checkpoint; /* to go on from, until the trainer has begun */
    bool resumed;
    lcal__session session;
    lcal__train_state state;
    char *identity;           /* the configuration that checkpoints hold */
    uint64_t saved_step;      /* of the newest checkpoint; UINT64_MAX: none */
    uint64_t known_step;      /* of known_loss; UINT64_MAX: none */
    double known_loss;        /* of the newest validation */
    uint64_t started_step;    /* where this process began */
    double started, reported; /* seconds: begin of this process, last row */
    uint64_t unreported;      /* tokens since the last row */
    uint64_t peak_rss;        /* at the last row */
};

/* Finds the run directory and what it holds, and touches nothing; *out is closed with
 * lcal_trainer_close. */
lcal_status lcal__trainer_locate(const lcal_config *config, lcal_existing existing,
                                 const lcal_log *log, lcal_trainer **out, lcal_error *err);

/* Opens everything and takes the run directory, for the first or next step. */
lcal_status lcal__trainer_begin(lcal_trainer *t, lcal_error *err);

/* What messages call it. */
const char *lcal__trainer_name(const lcal_trainer *t);

/* One step with what is due after it; allocates nothing but for a checkpoint. */
lcal_status lcal__trainer_step(lcal_trainer *trainer, lcal_progress *row, lcal_error *err);

/* The validation loss now; there must be validation data. */
double lcal__trainer_evaluate(lcal_trainer *t);

/* The same as part of the run: noted, and the values kept where they are the best. */
double lcal__trainer_validate(lcal_trainer *t);

/* A checkpoint, unless the newest is of this step. */
lcal_status lcal__trainer_checkpoint(lcal_trainer *t, lcal_error *err);

#endif
