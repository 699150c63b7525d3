/*
 * Models in GGUF files as llama.cpp's converter and lcal write them: arch llama, qwen2 or stablelm,
 * types F32, F16, BF16 and Q8_0. F32 and 16-bit matrices stay in the mapped file, but for rows that
 * are stored in another order (interleave.h): those are copied. Q8_0 becomes f32.
 */
#ifndef LCAL_MODEL_GGUF_MODEL_H
#define LCAL_MODEL_GGUF_MODEL_H

#include "format/gguf.h"
#include "model/model.h"

/*
 * As lcal__model_open. sha256 is of the whole file. LCAL_FORMAT, LCAL_SHAPE: tensors are missing or
 * of another shape than the keys say; LCAL_UNSUPPORTED: tensors of another type, or that such a
 * model does not have.
 */
lcal_status lcal__gguf_model_open(const char *path, lcal__model *out, lcal_error *err);

/* A model on a parsed file, whose bytes must outlive it; directory and sha256 are left empty. */
lcal_status lcal__gguf_model_fill(const lcal__gguf *file, lcal__model *out, lcal_error *err);

#endif
