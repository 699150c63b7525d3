/* Names inside a run directory that more than one room knows. */
#ifndef LCAL_CONFIG_RUN_FILES_H
#define LCAL_CONFIG_RUN_FILES_H

#define LCAL__RUN_CONFIG "config.resolved.yaml" /* written first: it makes a directory a run */

/* What a run leaves, by its method. */
#define LCAL__RUN_CALIBRATION "calibration.h5"               /* lc, lcpp, columns */
#define LCAL__RUN_CALIBRATION_TWIN "calibration.safetensors" /* the same in the other format */
#define LCAL__RUN_ADAPTER "adapter"                          /* lora: a directory */
#define LCAL__RUN_MODEL "model"                              /* base: a directory */

#endif
