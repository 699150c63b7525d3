/*
 * The model that a merged export makes: its class, which of its projections have biases, and its
 * tensors with where each comes from.
 */
#ifndef LCAL_EXPORT_HF_TARGET_H
#define LCAL_EXPORT_HF_TARGET_H

#include "export/export.h"
#include "model/slots.h"

/* One tensor of the model written. */
typedef struct lcal__hf_tensor {
    char name[LCAL__SLOT_NAME_MAX];
    size_t rows, cols; /* of a vector: its length and 1 */
    bool vector;
    bool projection; /* weight or bias of (layer, proj) */
    size_t layer;
    lcal__proj proj;
    lcal__dtype dtype; /* of data */
    const void *data;  /* the base's; NULL: zeros (a bias that the base has not) */
} lcal__hf_tensor;

/* Zeroed is valid and empty. */
typedef struct lcal__hf_target {
    lcal__model_config config;
    bool converted; /* of another class than the base */
    lcal__hf_tensor *tensors;
    size_t count, capacity;
    lcal__model view; /* the base with the target's configuration; owns its layers alone */
} lcal__hf_target;

/* The configuration alone: LCAL_UNSUPPORTED where the class has no bias that is needed, or cannot
 * be turned into the one asked for. */
lcal_status lcal__hf_target_config(const lcal__exporting *job, lcal__model_config *out,
                                   lcal_error *err);

/* With its tensors, in the order of the model. */
lcal_status lcal__hf_target_open(const lcal__exporting *job, lcal__hf_target *out, lcal_error *err);
void lcal__hf_target_close(lcal__hf_target *target);

#endif
