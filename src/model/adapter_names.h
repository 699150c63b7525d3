/* Names of adapter tensors: "base_model.model." + module + ".lora_A.weight". */
#ifndef LCAL_MODEL_ADAPTER_NAMES_H
#define LCAL_MODEL_ADAPTER_NAMES_H

#include "model/config.h"

#define LCAL__MODULE_NAME_MAX 96

/* The parts of a pair: two matrices, and with lora_bias the vector of lora_B. */
typedef enum lcal__lora_part {
    LCAL__LORA_A,
    LCAL__LORA_B,
    LCAL__LORA_BIAS,
    LCAL__LORA_PARTS
} lcal__lora_part;

typedef struct lcal__lora_name {
    size_t layer;
    lcal__proj proj;
    lcal__lora_part part;
} lcal__lora_name;

/* "model.layers.3.self_attn.q_proj" */
void lcal__module_name(size_t layer, lcal__proj proj, char out[LCAL__MODULE_NAME_MAX]);

/*
 * Reads a tensor's name; an adapter name of "default" between lora_A and weight is passed over.
 * LCAL_UNSUPPORTED: a part of an adapter that lcal does not compute (embeddings, DoRA magnitudes,
 * modules_to_save, the head); LCAL_FORMAT: no module of the base; LCAL_SHAPE: no such layer.
 */
lcal_status lcal__lora_name_parse(const char *name, const lcal__model_config *config,
                                  const char *source, lcal__lora_name *out, lcal_error *err);

#endif
