/*
 * Everything a training run computes with, opened from its settings in order: model, adapters,
 * network with what is trained, data, passes, optimiser.
 */
#ifndef LCAL_TRAIN_SESSION_H
#define LCAL_TRAIN_SESSION_H

#include "calib/adapter_list.h"
#include "calib/file.h"
#include "lcal/train.h"
#include "train/adamw.h"
#include "train/passes.h"

/* Zeroed is valid and empty. */
typedef struct lcal__session {
    const lcal__settings *settings;
    lcal__exec exec;
    lcal__calib_spec spec;
    lcal__model model;
    lcal__adapter_list adapters;
    lcal__assembly assembly;
    lcal__dataset train, valid; /* valid may borrow from train */
    char data_sha256[LCAL__SHA256_HEX]; /* of the training examples as read */
    lcal__batcher batcher;
    lcal__passes passes;
    lcal__adamw adamw;
    float *best; /* [params.total] best validated values; NULL where none are kept */
} lcal__session;

typedef enum lcal__session_extent {
    LCAL__SESSION_PLANNED, /* up to the memory plan: nothing is folded, no workspace, not to be run
                            */
    LCAL__SESSION_READY,
} lcal__session_extent;

/*
 * The settings must outlive the session. The trained values start as the method's default or as
 * calibration.init says. *out is empty on failure.
 */
lcal_status lcal__session_open(const lcal__settings *settings, lcal__session_extent extent,
                               const lcal_log *log, lcal__session *out, lcal_error *err);
void lcal__session_close(lcal__session *session);

/* The facts of what is trained; step, tokens and loss are left to the caller. Free with
 * lcal__calib_facts_free. */
lcal_status lcal__session_facts(const lcal__session *session, lcal__calib_facts *out,
                                lcal_error *err);

/* What it takes, in bytes; the passes must be planned. */
void lcal__session_memory(const lcal__session *session, lcal_train_plan *plan);

/* Bytes the workspace may take under train.memory_budget, or under what was `available` at start.
 */
size_t lcal__session_budget(const lcal__session *session, uint64_t available);

#endif
