/* What GGUF calls the tensors of a model, and which of their rows it stores in another order. */
#ifndef LCAL_MODEL_GGUF_NAMES_H
#define LCAL_MODEL_GGUF_NAMES_H

#include "format/ggml_type.h"
#include "model/config.h"

/*
 * "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight",
 * "model.norm.weight" -> "output_norm.weight". `hf` is the name of a slot (slots.h).
 */
void lcal__gguf_name(const char *hf, char out[LCAL__GGUF_NAME_MAX + 1]);

/* "blk.3.attn_q.ENDING" */
void lcal__gguf_module_name(size_t layer, lcal__proj proj, const char *ending,
                            char out[LCAL__GGUF_NAME_MAX + 1]);

/* Whether rows of this projection's weight, bias and LoRA B are stored as interleave.h says. */
bool lcal__gguf_interleaves(lcal__arch arch, lcal__proj proj);

/* The same for a slot by its Hugging Face name. */
bool lcal__gguf_interleaves_slot(lcal__arch arch, const char *hf);

#endif
