/* The files of a run directory, and what may happen to a directory that is already there. */
#ifndef LCAL_TRAIN_RUN_DIR_H
#define LCAL_TRAIN_RUN_DIR_H

#include "config/run_files.h"
#include "config/settings.h"
#include "lcal/train.h"

/* Paths of everything that a run writes. Zeroed is valid and empty. */
typedef struct lcal__run_dir {
    char *root;
    char *config, *metrics, *checkpoint, *log;
    char *calibration_h5, *calibration_safetensors; /* results of lc, lcpp, columns */
    char *adapter;                                  /* directory: result of lora */
    char *model;                                    /* directory: result of base */
    bool held;                                      /* it held a run before */
} lcal__run_dir;

/*
 * Looks, touches nothing. LCAL_CONFIG: the directory holds a run and `existing` is REFUSE; holds
 * none and it is RESUME; or holds other files. Free with lcal__run_dir_close, also on failure.
 */
lcal_status lcal__run_dir_open(const char *root, lcal_existing existing, lcal__run_dir *out,
                               lcal_error *err);
void lcal__run_dir_close(lcal__run_dir *dir);

/* Makes the directory ready to go on after `step`: makes it where it is missing, for OVERWRITE
 * removes the files of the old run and nothing else, cuts metrics back, writes the configuration.
 */
lcal_status lcal__run_dir_prepare(const lcal__run_dir *dir, lcal_existing existing,
                                  const lcal_config *config, uint64_t step, lcal_error *err);

/* True where the result of a method is there. */
bool lcal__run_dir_has_result(const lcal__run_dir *dir, lcal__method method);

#endif
