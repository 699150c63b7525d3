/*
 * What a composition adds to its base, module by module, so that a writer never holds more than one
 * module: y = W x + bias + sum scale B A x + D x + p.
 *
 *   merged adapters      factor pairs, or the dense D where the rule has no factors (merge/merge.h)
 *   adapters on top      pairs (a run of method lora)
 *   columns              pairs with A diag(m) in place of A
 *   lcpp                 the pair P1, P2
 *   lc broadcast         the pair of a row of ones and the column p
 *   lc output            the vector p, with the adapters' own biases (lora_bias)
 */
#ifndef LCAL_EXPORT_UPDATE_H
#define LCAL_EXPORT_UPDATE_H

#include "calib/composition.h"
#include "calib/spec.h"
#include "merge/merge.h"

/* Zeroed is valid and empty. */
typedef struct lcal__update {
    const lcal__composition *model; /* must outlive it */
    lcal__merge merge;
    const lcal__calib_spec *spec; /* NULL: no calibration */
} lcal__update;

/* Checks that the adapters suit the merge, and finds out what it needs to know of all modules. */
lcal_status lcal__update_open(const lcal__composition *model, lcal__update *out, lcal_error *err);
void lcal__update_close(lcal__update *update);

/* What a module's update is made of, from shapes alone. */
typedef struct lcal__update_shape {
    bool dense;  /* it has a dense part besides its pairs */
    size_t rank; /* of all its pairs together */
    bool bias;   /* it has a vector p */
} lcal__update_shape;

lcal__update_shape lcal__update_shape_of(const lcal__update *update, size_t layer, lcal__proj proj);

/* True where no module is changed. */
bool lcal__update_is_empty(const lcal__update *update);

/* One module's update. Zeroed is valid: none. */
typedef struct lcal__module_update {
    const lcal__update *update;
    size_t layer;
    lcal__proj proj;
    size_t rows, cols;   /* d_out, d_in */
    lcal__merged merged; /* of the adapters; its dense part is what the pairs lack */
    bool dense;
    lcal__lora_pair *pairs; /* [count] each adds scale B A */
    size_t count;
    size_t calibration; /* pairs from this one on are the calibration's */
    float *bias;        /* [rows] all vectors with their scales; NULL: none */
    float *values;      /* of pairs that are made here */
} lcal__module_update;

lcal_status lcal__update_module(const lcal__update *update, size_t layer, lcal__proj proj,
                                lcal__module_update *out, lcal_error *err);
void lcal__module_update_free(lcal__module_update *module);

/* Rows first..first+count-1 of the update as a matrix, from the top down; both [count, cols] and
 * valid during the call. calibration: the part of it that the calibration's pairs make, NULL where
 * there is none. */
typedef lcal_status lcal__update_rows_fn(void *context, size_t first, size_t count,
                                         const float *rows, const float *calibration,
                                         lcal_error *err);
lcal_status lcal__module_update_rows(const lcal__module_update *module, lcal__update_rows_fn *fn,
                                     void *context, lcal_error *err);

#endif
