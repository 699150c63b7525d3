/*
 * A base model's frozen weights: mapped from safetensors where the file's type allows, read only.
 */
#ifndef LCAL_MODEL_MODEL_H
#define LCAL_MODEL_MODEL_H

#include "base/hash.h"
#include "lcal/log.h"
#include "model/config.h"
#include "num/weight.h"

typedef struct lcal__norm_weights {
    const float *weight; /* [hidden] */
    const float *bias;   /* [hidden], NULL for RMSNorm */
} lcal__norm_weights;

typedef struct lcal__linear_weights {
    lcal__weight weight; /* [d_out, d_in] */
    const float *bias;   /* [d_out] or NULL */
} lcal__linear_weights;

typedef struct lcal__layer_weights {
    lcal__norm_weights attention_norm; /* input_layernorm */
    lcal__norm_weights mlp_norm;       /* post_attention_layernorm; unused with parallel_residual */
    lcal__linear_weights proj[LCAL__PROJ_COUNT];
} lcal__layer_weights;

/* Opened by lcal__model_open or lcal__model_random; everything it points to it owns. */
typedef struct lcal__model {
    lcal__model_config config;
    lcal__weight embedding; /* [vocab, hidden] */
    lcal__weight head;      /* [vocab, hidden]; equals embedding when tied */
    lcal__norm_weights final_norm;
    lcal__layer_weights *layers;   /* [config.layers] */
    char *directory;               /* or the GGUF file; NULL for a random model */
    char sha256[LCAL__SHA256_HEX]; /* of all weight files, see lcal__model_open; "" for a random
                                      model */
    size_t mapped_bytes;           /* of the files */
    void *storage;
} lcal__model;

/*
 * Opens DIR/config.json and DIR/model.safetensors or DIR/model.safetensors.index.json with its
 * shards. Shape, presence and type of every tensor are checked; norms and biases are converted to
 * f32; a tensor that is not the model's gives a notice. sha256: of the single file, or of the text
 * "HEX  NAME\n" of all shards in order of name (what `sha256sum` prints).
 * A path that is a file is a GGUF model (gguf_model.h).
 */
lcal_status lcal__model_open(const char *directory, const lcal_log *log, lcal__model *out,
                             lcal_error *err);

/* Only config.json. */
lcal_status lcal__model_open_config(const char *directory, lcal__model_config *out,
                                    lcal_error *err);

/*
 * A model of random f32 weights: matrices uniform with standard deviation 0.02, norms 1, biases 0.
 * A value is a pure function of the seed, its tensor's name and its place in the tensor.
 */
lcal_status lcal__model_random(const lcal__model_config *config, uint64_t seed, lcal__model *out,
                               lcal_error *err);

/* Writes DIR/config.json and DIR/model.safetensors (dtype F32, F16 or BF16). DIR is made. */
lcal_status lcal__model_write(const lcal__model *model, lcal__dtype dtype, const char *directory,
                              lcal_error *err);

/* Visits every parameter tensor under its Hugging Face name, tied head once. A vector (norm, bias)
 * has `rows` values and cols 1. data: where the model points now (a const float * for vectors).
 * fn's failure ends the walk. */
typedef lcal_status lcal__model_visit_fn(void *context, const char *name, size_t rows, size_t cols,
                                         lcal__dtype dtype, const void *data, lcal_error *err);
lcal_status lcal__model_visit(const lcal__model *model, lcal__model_visit_fn *fn, void *context,
                              lcal_error *err);

/* Says that a weight will hardly be read again: what of it lies in a file leaves resident memory.
 */
void lcal__model_release(const lcal__model *model, const void *data, size_t bytes);

void lcal__model_close(lcal__model *model);

#endif
