/* The result of a run, in the form that suits its method. */
#ifndef LCAL_TRAIN_RESULT_H
#define LCAL_TRAIN_RESULT_H

#include "train/checkpoint.h"
#include "train/run_dir.h"

/* Writes the best validated values where they are kept and there are any, else the last ones. */
lcal_status lcal__result_write(const lcal__session *session, const lcal__train_state *state,
                               const lcal__run_dir *dir, lcal_error *err);

#endif
