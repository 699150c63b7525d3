/* What is inspected, and one function for each kind of thing. Each adds "kind" and its facts. */
#ifndef LCAL_INSPECT_SUBJECT_H
#define LCAL_INSPECT_SUBJECT_H

#include "calib/file.h"
#include "inspect/report.h"

/* A file in memory, or a directory (bytes NULL). Owns nothing. */
typedef struct lcal__subject {
    const char *path;
    const unsigned char *bytes;
    size_t size;
} lcal__subject;

typedef lcal_status lcal__inspect_fn(const lcal__subject *subject, lcal__report *facts,
                                     lcal_error *err);

/* Files. */
lcal__inspect_fn lcal__inspect_h5;
lcal__inspect_fn lcal__inspect_calibration; /* either format */
lcal__inspect_fn lcal__inspect_checkpoint;
lcal__inspect_fn lcal__inspect_safetensors;
lcal__inspect_fn lcal__inspect_records;
lcal__inspect_fn lcal__inspect_gguf;

/* Directories. */
lcal__inspect_fn lcal__inspect_adapter;
lcal__inspect_fn lcal__inspect_model;
lcal__inspect_fn lcal__inspect_run;

/* Maps the file, calls fn and unmaps it. */
lcal_status lcal__inspect_file(const char *path, lcal__inspect_fn *fn, lcal__report *facts,
                               lcal_error *err);

/* DIRECTORY/NAME given to fn; free with lcal__free. NULL: out of memory. */
char *lcal__subject_join(const lcal__subject *directory, const char *name, lcal_error *err);

/* What a model is: its architecture and extents. */
void lcal__inspect_config(const lcal__model_config *config, lcal__report *facts);

/* Method, model and adapters of a calibration or checkpoint. */
void lcal__inspect_calib_facts(const lcal__calib_facts *made, lcal__store dtype,
                               lcal__report *facts);

#endif
