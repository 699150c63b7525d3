/*
 * A composed model: a base, any number of LoRA adapters, a rule that merges them, a calibration.
 * What score and generate work with.
 *
 *     lcal_model_open(base) -> lcal_model_add_adapter() ... -> lcal_model_merge()
 *         -> lcal_model_calibrate() -> use
 *
 * A handle serves one thread at a time.
 */
#ifndef LCAL_MODEL_H
#define LCAL_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "lcal/config.h"
#include "lcal/log.h"
#include "lcal/status.h"
#include "lcal/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lcal_model lcal_model;

/* Zeroed is valid. */
typedef struct lcal_model_options {
    size_t threads;      /* 0: all processors; no result depends on it */
    bool low_memory;     /* weights stay as stored and adapters factored: less memory, more time;
                            merges of full rank are folded all the same */
    const lcal_log *log; /* must outlive the model; may be NULL */
    const char *cache;   /* directory for lcal_tokenizer_open_cached; must outlive the model; may be
                            NULL */
} lcal_model_options;

/* Opens a base in Hugging Face layout; its weights are mapped, not read. options may be NULL. Close
 * with lcal_model_close. LCAL_IO, LCAL_FORMAT, LCAL_SHAPE: a file is missing, broken or not of this
 * architecture; LCAL_UNSUPPORTED: an architecture that lcal does not compute. */
LCAL_API lcal_status lcal_model_open(const char *directory, const lcal_model_options *options,
                                     lcal_model **out, lcal_error *err);

/* Opens what a run directory trained: its base, adapters and merge, and its result on top (the
 * calibration, the new adapter, or the trained base). The data it was trained on is not needed.
 * LCAL_CONFIG: no run, or one without a result yet; else as the functions below. */
LCAL_API lcal_status lcal_model_open_run(const char *run, const lcal_model_options *options,
                                         lcal_model **out, lcal_error *err);

/* Opens the base, adapters and merge that a configuration names (LCAL_FOR_MODEL is enough), nothing
 * trained on top. config need not outlive the call. */
LCAL_API lcal_status lcal_model_open_config(const lcal_config *config,
                                            const lcal_model_options *options, lcal_model **out,
                                            lcal_error *err);

/* Also its tokenizer. Sets *model to NULL; NULL is allowed. */
LCAL_API void lcal_model_close(lcal_model **model);

/* Token ids are below this; logits are this many. */
LCAL_API size_t lcal_model_vocab(const lcal_model *model);

/* Adds a PEFT LoRA adapter with its weight: W' = W + weight * scale * B A under the merge "concat".
 * LCAL_SHAPE: made for another base; LCAL_UNSUPPORTED: one that cannot be computed exactly;
 * LCAL_INVALID: a weight that f32 cannot hold. On failure the model is as it was. Takes a
 * calibration off: it belongs to the adapters it was trained with. */
LCAL_API lcal_status lcal_model_add_adapter(lcal_model *model, const char *directory, double weight,
                                            lcal_error *err);

/* Chooses how the adapters are merged, "RULE" or "RULE:KEY=VALUE,...": "ties",
 * "dare-ties:density=0.3,seed=7" (the keys are those of "merge." in a configuration; without this
 * call it is "concat"). LCAL_CONFIG: no such rule, option or value, and the model is as it was.
 * Whether the adapters suit the rule is found when the model is first used (LCAL_INVALID). Takes a
 * calibration off. */
LCAL_API lcal_status lcal_model_merge(lcal_model *model, const char *rule, lcal_error *err);

/* Puts a calibration (.h5 or .safetensors, known by content) on top, in place of any other; NULL
 * takes it off. The file is read now and not needed afterwards. LCAL_INVALID, LCAL_SHAPE: trained
 * for another base, other adapters, weights or merge; the model is as it was. */
LCAL_API lcal_status lcal_model_calibrate(lcal_model *model, const char *path, lcal_error *err);

/* The tokenizer to read and write text with: a file, or a directory that holds one. Without this
 * call it is the one in the base's directory. The chat template is the one beside it. On
 * failure the one before stays: LCAL_SHAPE: it has more ids than the model. */
LCAL_API lcal_status lcal_model_set_tokenizer(lcal_model *model, const char *path, lcal_error *err);

/* The model's tokenizer, opened when first asked for; the model's own, valid until it is given
 * another or closed. Errors as lcal_tokenizer_open and lcal_model_set_tokenizer. */
LCAL_API lcal_status lcal_model_tokenizer(lcal_model *model, const lcal_tokenizer **out,
                                          lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
