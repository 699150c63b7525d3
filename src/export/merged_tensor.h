/*
 * The numbers of a merged model's tensor: the base's with what is added to its module, in f32,
 * block of rows by block. Writers of merged models give them a place and say what rounding leaves.
 */
#ifndef LCAL_EXPORT_MERGED_TENSOR_H
#define LCAL_EXPORT_MERGED_TENSOR_H

#include "export/hf_target.h"
#include "export/rounding.h"

/* Where numbers go. */
typedef struct lcal__merged_sink {
    /* Rows first..first+rows-1 of the tensor, from the top down; a vector comes as a whole. */
    lcal_status (*put)(void *context, const lcal__hf_tensor *tensor, size_t first, size_t rows,
                       const float *values, lcal_error *err);
    /* stored[count] = what whole rows read back as; false where they do not fit, which put tells.
     */
    bool (*round)(void *context, const lcal__hf_tensor *tensor, const float *values, float *stored,
                  size_t count);
    void *context;
} lcal__merged_sink;

/* Tensors being merged, one at a time. Zeroed but for job and sink is valid. */
typedef struct lcal__merging {
    const lcal__exporting *job;
    lcal__merged_sink sink;
    lcal__module_update module; /* of the last projection: its bias and weight are neighbours */
    const lcal__hf_tensor *tensor;
    lcal__rounding rounding;
    float *exact, *stored; /* [capacity] scratch */
    size_t capacity;
} lcal__merging;

/* All of one tensor. A module that is changed gets its rounding into the report. */
lcal_status lcal__merge_tensor(lcal__merging *merging, const lcal__hf_tensor *tensor,
                               lcal_error *err);
void lcal__merging_free(lcal__merging *merging);

#endif
