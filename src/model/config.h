/*
 * What a model is: the architecture as data, read from a Hugging Face config.json.
 *
 * Three families share one skeleton (pre-norm decoder, rotary grouped-query attention, SwiGLU MLP)
 * and differ in the fields below. Old (v4) and new (v5) spellings of the file are read.
 */
#ifndef LCAL_MODEL_CONFIG_H
#define LCAL_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum lcal__arch { LCAL__ARCH_LLAMA, LCAL__ARCH_QWEN2, LCAL__ARCH_STABLELM } lcal__arch;

/* The seven projections of a layer, in the order they are applied. */
typedef enum lcal__proj {
    LCAL__Q,
    LCAL__K,
    LCAL__V,
    LCAL__O,
    LCAL__GATE,
    LCAL__UP,
    LCAL__DOWN,
    LCAL__PROJ_COUNT
} lcal__proj;

typedef enum lcal__norm_kind { LCAL__NORM_RMS, LCAL__NORM_LAYER } lcal__norm_kind;
typedef enum lcal__rope_kind {
    LCAL__ROPE_DEFAULT,
    LCAL__ROPE_LINEAR,
    LCAL__ROPE_LLAMA3,
    LCAL__ROPE_FACTORS /* as GGUF stores them: each pair's own */
} lcal__rope_kind;

#define LCAL__EOS_MAX 8

typedef struct lcal__model_config {
    lcal__arch arch;
    size_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab, max_positions;
    lcal__norm_kind norm;
    float norm_eps;
    bool bias[LCAL__PROJ_COUNT]; /* which projections have one */
    bool parallel_residual;      /* attention and MLP both read the first norm */
    bool tied;                   /* the head is the embedding */
    struct {
        lcal__rope_kind kind;
        size_t dims; /* leading dimensions of a head that are rotated; even */
        double theta, factor, low_freq_factor, high_freq_factor, original_positions;
        const float *factors; /* FACTORS: [dims / 2] what frequencies are divided by; the model's */
    } rope;
    int64_t bos;                /* -1: none */
    int64_t eos[LCAL__EOS_MAX]; /* eos_count of them */
    size_t eos_count;
} lcal__model_config;

/* "llama", "qwen2", "stablelm". Static. */
const char *lcal__arch_name(lcal__arch arch);

/* "q_proj" ... "down_proj"; "self_attn.q_proj" ... "mlp.down_proj"; inverse of the first. Static.
 */
const char *lcal__proj_name(lcal__proj proj);
const char *lcal__proj_module(lcal__proj proj);
bool lcal__proj_from_name(const char *name, lcal__proj *out);

/* Extents of a projection's weight [d_out, d_in]. */
size_t lcal__proj_in(const lcal__model_config *config, lcal__proj proj);
size_t lcal__proj_out(const lcal__model_config *config, lcal__proj proj);

/* Parameters of the whole model (tied head counted once). */
size_t lcal__model_parameters(const lcal__model_config *config);

/* Parses the text of a config.json. LCAL_UNSUPPORTED: an architecture, rope type or feature we do
 * not compute. */
lcal_status lcal__model_config_parse(const char *text, size_t size, const char *source,
                                     lcal__model_config *out, lcal_error *err);

/* Extents that fit together and whose products fit in memory arithmetic; the parser calls it. */
lcal_status lcal__model_config_check(const lcal__model_config *config, const char *source,
                                     lcal_error *err);

/* The config as config.json text for a model that lcal writes (free with lcal__free). */
lcal_status lcal__model_config_write(const lcal__model_config *config, const char *dtype,
                                     char **text, lcal_error *err);

/* Named shapes of `lcal bench` and of the tests: "mini", "small", "135m", "1b", "1.5b", "1.6b".
 * False: unknown. */
bool lcal__model_config_shape(const char *name, lcal__model_config *out);

/* What the scaling divides the frequency of rotated pair i by: 1 without one. */
double lcal__rope_slowdown(const lcal__model_config *config, size_t i);

/* cos and sin of every rotated pair: tables [positions, dims/2] each, for rotary positions
 * 0..positions-1. */
void lcal__rope_table(const lcal__model_config *config, size_t positions, float *cos_table,
                      float *sin_table);

#endif
