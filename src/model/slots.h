/*
 * Every parameter tensor of a model: its Hugging Face name, its extents and the field of
 * lcal__model that it fills. Opening, filling, visiting and writing a model all walk this list.
 */
#ifndef LCAL_MODEL_SLOTS_H
#define LCAL_MODEL_SLOTS_H

#include "model/model.h"

#define LCAL__SLOT_NAME_MAX 96

typedef enum lcal__slot_kind {
    LCAL__SLOT_MATRIX,
    LCAL__SLOT_NORM,
    LCAL__SLOT_BIAS
} lcal__slot_kind;

typedef struct lcal__model_slot {
    char name[LCAL__SLOT_NAME_MAX];
    lcal__slot_kind kind; /* a norm's own bias is LCAL__SLOT_BIAS */
    size_t rows, cols;    /* of a vector: its length and 1 */
    lcal__weight *matrix; /* NULL for a vector */
    const float **vector; /* NULL for a matrix */
} lcal__model_slot;

/* Calls fn for every slot of a model whose `config` and `layers` are set; fn's failure ends the
 * walk. A tied head is no slot. */
typedef lcal_status lcal__slot_fn(void *context, const lcal__model_slot *slot, lcal_error *err);
lcal_status lcal__slots_walk(lcal__model *model, lcal__slot_fn *fn, void *context, lcal_error *err);

/* Allocates model->layers for model->config, zeroed. */
lcal_status lcal__layers_alloc(lcal__model *model, lcal_error *err);

#endif
