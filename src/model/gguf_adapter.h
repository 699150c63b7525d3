/*
 * LoRA adapters in GGUF files, as llama.cpp loads them: pairs "blk.N.attn_q.weight.lora_a" [rank,
 * d_in] and ".lora_b" [d_out, rank], types F32, F16, BF16; a pair's scale is adapter.lora.alpha /
 * rank, or 1 where alpha is 0. Arch llama stores B of queries and keys interleaved (interleave.h).
 */
#ifndef LCAL_MODEL_GGUF_ADAPTER_H
#define LCAL_MODEL_GGUF_ADAPTER_H

#include "format/gguf.h"
#include "model/adapter.h"

/*
 * As lcal__adapter_open; sha256 is of the whole file. LCAL_INVALID: made for another architecture
 * than `base`, or no adapter.
 */
lcal_status lcal__gguf_adapter_open(const char *path, const lcal__model_config *base,
                                    lcal__adapter *out, lcal_error *err);

/* An adapter from a parsed file, which it does not need afterwards; directory and sha256 are left
 * empty. */
lcal_status lcal__gguf_adapter_fill(const lcal__gguf *file, const lcal__model_config *base,
                                    lcal__adapter *out, lcal_error *err);

#endif
