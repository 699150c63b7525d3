/* The parts of reading and writing calibration files, shared by both formats and by checkpoints. */
#ifndef LCAL_CALIB_FILE_PARTS_H
#define LCAL_CALIB_FILE_PARTS_H

#include "calib/file.h"
#include "format/hdf5.h"

/* Kinds of HDF5 files with facts: a result, or a checkpoint of training. */
#define LCAL__CALIB_KIND_RESULT "deploy"
#define LCAL__CALIB_KIND_CHECKPOINT "train"

/* Most numbers that a calibration may claim to hold: 1 GiB of f32. */
#define LCAL__CALIB_NUMBERS_MAX ((size_t)1 << 28)

/* --- facts as named values ------------------------------------------------------------------- */

/* Where facts go: attributes of "/" or strings of safetensors metadata. */
typedef struct lcal__facts_sink {
    void *file;
    lcal_status (*text)(void *file, const char *key, const char *value, lcal_error *err);
    lcal_status (*integer)(void *file, const char *key, int64_t value, lcal_error *err);
    lcal_status (*real)(void *file, const char *key, double value, lcal_error *err);
} lcal__facts_sink;

/* Where they come from; a missing key is an error that names the file. */
typedef struct lcal__facts_source {
    void *file;
    const char *name; /* what messages call the file */
    bool (*has)(void *file, const char *key);
    lcal_status (*text)(void *file, const char *key, char **out, lcal_error *err);
    lcal_status (*integer)(void *file, const char *key, int64_t *out, lcal_error *err);
    lcal_status (*real)(void *file, const char *key, double *out, lcal_error *err);
} lcal__facts_source;

lcal_status lcal__calib_facts_put(const lcal__calib_facts *facts, const char *kind,
                                  lcal__store dtype, const lcal__facts_sink *sink, lcal_error *err);

/* Every value is checked against its bounds before anything is allocated by it; a file of another
 * kind is refused. *out is empty on failure. */
lcal_status lcal__calib_facts_get(const lcal__facts_source *source, const char *kind,
                                  lcal__calib_facts *out, lcal__store *dtype, lcal_error *err);

/* Attributes of "/" of an HDF5 file. */
lcal__facts_sink lcal__calib_sink_h5(lcal__h5 *file);
lcal__facts_source lcal__calib_source_h5(lcal__h5 *file, const char *name);

/* --- tensors --------------------------------------------------------------------------------- */

lcal__dtype lcal__store_dtype(lcal__store store);

/* A tensor's values as they are stored, in `out` [rows * cols elements of dtype]; LCAL_NUMERIC
 * where one is not finite or does not fit. `target` is what messages call the file. */
lcal_status lcal__calib_narrow(const lcal__param *param, const float *values, lcal__store dtype,
                               void *out, const char *target, lcal_error *err);

/* "PREFIX/layers/0/q_proj/p" for "layers.0.q_proj.p"; free with lcal__free. NULL: out of memory. */
char *lcal__calib_h5_path(const char *prefix, const char *name);

/* Names of the tensors that a file holds. Zeroed is valid and empty. */
typedef struct lcal__calib_names {
    char **items;
    size_t count, capacity;
} lcal__calib_names;

lcal_status lcal__calib_names_add(lcal__calib_names *names, const char *name, const char *source,
                                  lcal_error *err);
void lcal__calib_names_free(lcal__calib_names *names);

/*
 * From the facts and the names found (which it sorts): the parameter block that the file must hold,
 * values allocated. A missing or an unexpected tensor is LCAL_FORMAT by name.
 */
lcal_status lcal__calib_expect(lcal__calib_file *file, lcal__calib_names *names, const char *source,
                               lcal_error *err);

/* LCAL_FORMAT naming the tensor where a value is not finite. */
lcal_status lcal__calib_check_finite(const lcal__param *param, const float *values,
                                     const char *source, lcal_error *err);

/* --- the two formats; *out is empty on failure ----------------------------------------------- */

lcal_status lcal__calib_parse_h5(const void *bytes, size_t size, const char *source,
                                 lcal__calib_file *out, lcal_error *err);
lcal_status lcal__calib_parse_safetensors(const void *bytes, size_t size, const char *source,
                                          lcal__calib_file *out, lcal_error *err);

#endif
