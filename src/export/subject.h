/* What an export at a path is, by its content. */
#ifndef LCAL_EXPORT_SUBJECT_H
#define LCAL_EXPORT_SUBJECT_H

#include "base/status.h"

typedef enum lcal__subject_kind {
    LCAL__SUBJECT_MODEL,       /* directory in Hugging Face layout, or GGUF */
    LCAL__SUBJECT_ADAPTER,     /* PEFT directory, or GGUF */
    LCAL__SUBJECT_CALIBRATION, /* HDF5 or safetensors file */
} lcal__subject_kind;

/* LCAL_IO: nothing there. Any file that is no GGUF is taken for a calibration, whose reader tells
 * what is wrong with it. */
lcal_status lcal__export_subject(const char *path, lcal__subject_kind *out, lcal_error *err);

/* "model", "adapter", "calibration". Static. */
const char *lcal__subject_name(lcal__subject_kind kind);

#endif
