/* What training leaves, in the form that suits its method. */
#ifndef LCAL_TRAIN_RESULT_H
#define LCAL_TRAIN_RESULT_H

#include "train/checkpoint.h"
#include "train/run_dir.h"

/* Trained values and when they were. Owns nothing. */
typedef struct lcal__result {
    const float *values; /* [params.total] */
    uint64_t step, tokens;
    double valid_loss; /* NAN: not known */
} lcal__result;

/* The best validated values; values is NULL where none are kept or nothing was validated yet. */
lcal__result lcal__result_best(const lcal__session *session, const lcal__train_state *state);

/* The values after the last step; valid_loss is the state's last one. */
lcal__result lcal__result_last(const lcal__session *session, const lcal__train_state *state);

/* A calibration to a file by its ending (.h5, .safetensors), an adapter or a model to a directory.
 */
lcal_status lcal__result_save(const lcal__session *session, const lcal__result *result,
                              const char *path, lcal_error *err);

/* Into a run directory, a calibration in both formats. */
lcal_status lcal__result_write(const lcal__session *session, const lcal__result *result,
                               const lcal__run_dir *dir, lcal_error *err);

#endif
