/* The keys of a GGUF model that say what it is, as a model's configuration. */
#ifndef LCAL_MODEL_GGUF_CONFIG_H
#define LCAL_MODEL_GGUF_CONFIG_H

#include "format/gguf.h"
#include "model/config.h"

/* Tensors of frequency factors: what theta is divided by, pair by pair. */
#define LCAL__GGUF_ROPE_FACTORS "rope_freqs.weight"

/*
 * Biases, a tied head and a parallel residual are read off the tensors, as llama.cpp does. Factors
 * of frequencies make rope.kind LCAL__ROPE_FACTORS with rope.factors still NULL.
 * LCAL_UNSUPPORTED: another architecture, a part of a split model, a rope scaling that lcal does
 * not compute; LCAL_FORMAT: a key is missing or has another type or an impossible value.
 */
lcal_status lcal__gguf_config(const lcal__gguf *file, lcal__model_config *out, lcal_error *err);

/* "general.type" is "adapter". */
bool lcal__gguf_is_adapter(const lcal__gguf *file);

/* general.architecture as one that lcal computes, or LCAL_UNSUPPORTED. */
lcal_status lcal__gguf_arch(const lcal__gguf *file, lcal__arch *out, lcal_error *err);

#endif
