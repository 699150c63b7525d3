/*
 * PEFT LoRA adapters: DIR/adapter_config.json and DIR/adapter_model.safetensors.
 *
 * A pair adds scale * B (A x) to a projection, scale = alpha / rank, or alpha / sqrt(rank) with
 * use_rslora; rank_pattern and alpha_pattern give single modules their own (their keys are names,
 * name endings or Python expressions, see module_pattern.h). What we cannot compute
 * exactly (DoRA, biases, modules_to_save, fan_in_fan_out, ...) is refused with the reason.
 */
#ifndef LCAL_MODEL_ADAPTER_H
#define LCAL_MODEL_ADAPTER_H

#include "base/hash.h"
#include "lcal/log.h"
#include "model/config.h"

typedef struct lcal__lora_pair {
    const float *a; /* [rank, d_in], NULL where the adapter leaves this projection alone */
    const float *b; /* [d_out, rank] */
    size_t rank;
    float scale;
    const float *bias; /* [d_out] added as scale * bias (lora_bias); NULL: none */
} lcal__lora_pair;

/* Owns everything it points to. */
typedef struct lcal__adapter {
    char *directory; /* where the files are, or the GGUF file */
    size_t layers;
    lcal__lora_pair *pairs; /* [layers * LCAL__PROJ_COUNT], pair of (layer, proj) at layer *
                               LCAL__PROJ_COUNT + proj */
    size_t parameters;
    char sha256[LCAL__SHA256_HEX]; /* of adapter_model.safetensors */
    void *storage;
} lcal__adapter;

/* A frozen adapter and the weight it is merged with; an exact sum is W' = W + sum weight * scale *
 * B A. */
typedef struct lcal__adapter_use {
    const lcal__adapter *adapter;
    float weight;
} lcal__adapter_use;

/* Names and shapes are checked against `config`. Also accepts DIR/NAME for a single named adapter
 * below DIR, and a GGUF file (gguf_adapter.h). */
lcal_status lcal__adapter_open(const char *directory, const lcal__model_config *config,
                               const lcal_log *log, lcal__adapter *out, lcal_error *err);
void lcal__adapter_close(lcal__adapter *adapter);

/* The pair of (layer, proj); pair->a is NULL where there is none. */
const lcal__lora_pair *lcal__adapter_pair(const lcal__adapter *adapter, size_t layer,
                                          lcal__proj proj);

/*
 * Writes a PEFT directory (f32) that PEFT loads: pairs with their ranks; scale must be the same
 * alpha / rank everywhere (alpha given, rank from the pairs' common rank).
 */
lcal_status lcal__adapter_write(const char *directory, const char *base_name,
                                const lcal__lora_pair *pairs, size_t layers,
                                const lcal__model_config *config, size_t rank, double alpha,
                                lcal_error *err);

#endif
