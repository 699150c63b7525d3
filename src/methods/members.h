/*
 * What takes turns in training one set of numbers: sub-tasks that share a calibration, each with
 * its own adapters, training and validation examples; or the single tasks whose adapters teach
 * column weights. All have the model, rule and training of the evaluated configuration. The order
 * does not depend on which sub-task is evaluated.
 */
#ifndef LCAL_METHODS_MEMBERS_H
#define LCAL_METHODS_MEMBERS_H

#include "methods/job.h"

typedef struct lcal__member {
    lcal_config *config; /* for a trainer, without a run directory */
    char *identity;      /* of what it computes */
    bool own;            /* the evaluated sub-task */
    size_t teacher;      /* of single tasks: number of its adapter */
} lcal__member;

/* Zeroed is valid and empty. */
typedef struct lcal__members {
    lcal__member *items; /* [count], sorted by identity */
    size_t count;
    size_t own;     /* which of them is evaluated */
    char *identity; /* of all together: a hash a line */
} lcal__members;

/* The configurations of options->with. LCAL_CONFIG: another model, or a sub-task twice. */
lcal_status lcal__members_open(const lcal__job *job, lcal__members *out, lcal_error *err);

/* The tasks of two adapters. LCAL_CONFIG: keys of columns.objective distill are missing. */
lcal_status lcal__members_open_tasks(const lcal__job *job, lcal__members *out, lcal_error *err);
void lcal__members_close(lcal__members *members);

#endif
