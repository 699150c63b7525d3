/*
 * PEFT LoRA adapters: DIR/adapter_config.json and DIR/adapter_model.safetensors.
 *
 * A pair adds scale * B (A x) to a projection, scale = alpha / rank, or alpha / sqrt(rank) with
 * use_rslora; rank_pattern and alpha_pattern give single modules their own (their keys are names,
 * name endings or Python expressions, see module_pattern.h). With lora_bias a pair adds
 * scale * (B (A x) + bias). What we cannot compute exactly (DoRA, trained biases of the base,
 * modules_to_save, fan_in_fan_out, ...) is refused with the reason.
 */
#ifndef LCAL_MODEL_ADAPTER_H
#define LCAL_MODEL_ADAPTER_H

#include "base/dtype.h"
#include "base/hash.h"
#include "lcal/log.h"
#include "model/config.h"

typedef struct lcal__lora_pair {
    const float *a; /* [rank, d_in], NULL where the adapter leaves this projection alone */
    const float *b; /* [d_out, rank] */
    size_t rank;
    float scale;
    const float *bias; /* [d_out] added as scale * bias; NULL: none */
} lcal__lora_pair;

/* Owns everything it points to. */
typedef struct lcal__adapter {
    char *directory; /* where the files are, or the GGUF file */
    char *base_name; /* base_model_name_or_path; NULL: it has none */
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

/* What an adapter's directory is written from. Everything is borrowed. */
typedef struct lcal__adapter_source {
    const lcal__model_config *config;
    const char *base_name; /* base_model_name_or_path; NULL: null */
    const size_t *ranks;   /* [layers * LCAL__PROJ_COUNT] of the pairs; 0: the module has none */
    double alpha;          /* of every module; 0: each its rank, so that its scale is 1 */
    bool bias;             /* lora_bias: every pair has a bias */
    lcal__dtype dtype;     /* F32, F16 or BF16 */
    const char *const *metadata; /* [2 * metadata_pairs] keys and values for the weights' file */
    size_t metadata_pairs;
    /* Gives a pair; its numbers, valid until the next call, are written as they are: the scale that
     * a reader computes is alpha / rank. Modules come in the order of their names. */
    lcal_status (*pair)(void *context, size_t layer, lcal__proj proj, lcal__lora_pair *out,
                        lcal_error *err);
    void *context;
} lcal__adapter_source;

/* Writes a PEFT directory that PEFT loads. One rank and alpha for most modules, the others by
 * rank_pattern and alpha_pattern. LCAL_NUMERIC: a number that is not finite or does not fit. */
lcal_status lcal__adapter_write_from(const char *directory, const lcal__adapter_source *from,
                                     lcal_error *err);

/* The same in f32 of pairs in memory, which have one rank; scale must be alpha / rank
 * everywhere. */
lcal_status lcal__adapter_write(const char *directory, const char *base_name,
                                const lcal__lora_pair *pairs, size_t layers,
                                const lcal__model_config *config, size_t rank, double alpha,
                                lcal_error *err);

#endif
