/*
 * checkpoint.h5: everything needed to go on bit-identically.
 *
 *   /                        facts of the calibration, kind = train (calib/file.h)
 *   /calib/q_proj/p          the trained values, f32; "." of a tensor's name becomes "/"
 *   /train                   counters and losses as attributes; the configuration as text, without
 *                            what does not change a result; the SHA-256 of the training examples
 *   /train/adam/m/q_proj/p   moments, f32; the same under /train/adam/v
 *   /train/best/q_proj/p     best validated values, where they are kept
 *
 * It holds no clock time, host, thread count or output path: equal runs write equal bytes.
 */
#ifndef LCAL_TRAIN_CHECKPOINT_H
#define LCAL_TRAIN_CHECKPOINT_H

#include "base/file.h"
#include "format/hdf5.h"
#include "train/session.h"

/* Where a run stands, besides the values and moments. */
typedef struct lcal__train_state {
    uint64_t step;                            /* taken, skipped ones included */
    uint64_t cursor;                          /* examples handed out */
    uint64_t tokens;                          /* labels seen */
    uint64_t updates;                         /* of the optimiser: step less all skipped */
    uint64_t skipped_in_row;                  /* steps skipped since the last update */
    uint64_t best_step, best_tokens;          /* 0: nothing validated yet */
    double best_loss;                         /* NAN: nothing validated yet */
    double first_loss, last_loss, valid_loss; /* NAN: none yet */
} lcal__train_state;

/* A run that has not begun. */
lcal__train_state lcal__train_state_init(void);

/* An opened checkpoint. Zeroed is valid and empty. */
typedef struct lcal__checkpoint {
    lcal__map map;
    lcal__h5 *file;
    lcal__calib_facts facts;
    lcal__train_state state;
    char *config;                       /* text of the configuration */
    char data_sha256[LCAL__SHA256_HEX]; /* of the training examples */
} lcal__checkpoint;

/* Replaces the file at `path` atomically. config: lcal__resume_identity. */
lcal_status lcal__checkpoint_save(const char *path, const lcal__session *session,
                                  const lcal__train_state *state, const char *config,
                                  lcal_error *err);

/* Reads everything but the arrays, every counter checked. */
lcal_status lcal__checkpoint_open(const char *path, lcal__checkpoint *out, lcal_error *err);

/* Refuses a checkpoint of another model, other adapters, data or method; then fills values,
 * moments, best values and the cursor of the session. */
lcal_status lcal__checkpoint_restore(const lcal__checkpoint *checkpoint, const char *path,
                                     lcal__session *session, lcal_error *err);

void lcal__checkpoint_close(lcal__checkpoint *checkpoint);

#endif
