/* The evaluation of one row: what it is given, and what preparing it comes to. */
#ifndef LCAL_METHODS_JOB_H
#define LCAL_METHODS_JOB_H

#include "calib/composition.h"
#include "eval/cases.h"
#include "lcal/evaluate.h"
#include "methods/derive.h"

typedef struct lcal__row lcal__row;

typedef struct lcal__job {
    const lcal__row *row;
    const lcal_config *config;
    const lcal__settings *settings; /* of config */
    const lcal_eval_options *options;
    char *folder; /* out/METHOD-SEED, made when first written to; NULL: nothing is kept */
    lcal__cases test;
} lcal__job;

/* A prepared row. Zeroed is valid and empty. */
typedef struct lcal__stage {
    lcal_model *passes[2]; /* [pass_count] models that answer, one after the other */
    size_t pass_count;
    lcal__cases shots; /* of the training data, for the prompt; empty: none */
    double *weights;   /* [weight_count] of the adapters, where the row finds them */
    size_t weight_count;
    size_t searches;
    uint64_t trained_parameters, stored_bytes;
    bool interrupted;
    lcal_train_plan plan; /* plan_only: of what would be trained */
    double seconds;       /* that preparing took */
} lcal__stage;

/* Trains, searches and opens, as the row says. With plan_only, opens only what takes no training.
 * The job must outlive the stage. Free with lcal__stage_free, also on failure. */
typedef lcal_status lcal__prepare_fn(const lcal__job *job, lcal__stage *stage, lcal_error *err);

void lcal__stage_free(lcal__stage *stage);

/* Opens the model of the config with changes as the stage's next pass; frees the changes. */
lcal_status lcal__stage_open(const lcal__job *job, lcal__stage *stage, lcal__changes *changes,
                             lcal_error *err);

/* A path below the job's folder, which there must be. NULL: out of memory. Free with lcal__free. */
char *lcal__job_path(const lcal__job *job, const char *name);

/* Bytes of the files of a PEFT directory. */
uint64_t lcal__adapter_bytes(const char *directory);

/* Trained numbers of the calibration that is on top. */
uint64_t lcal__model_trained(const lcal_model *model);

lcal_model_options lcal__job_model_options(const lcal__job *job);

bool lcal__job_should_stop(const lcal__job *job);

#endif
