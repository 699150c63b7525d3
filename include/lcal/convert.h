/* Models of other programs in the layout that lcal, and Hugging Face's transformers, read. */
#ifndef LCAL_CONVERT_H
#define LCAL_CONVERT_H

#include <stdbool.h>

#include "lcal/log.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lcal_weight_type {
    LCAL_WEIGHTS_F32,
    LCAL_WEIGHTS_F16,
    LCAL_WEIGHTS_BF16
} lcal_weight_type;

/* Zeroed is valid. */
typedef struct lcal_convert_options {
    const char *tokenizer; /* llama2.c's tokenizer .bin of the model; NULL: none is written */
    lcal_weight_type type; /* of the weights written; other than F32 rounds to nearest */
    bool overwrite;        /* replaces a model that the directory holds */
    const lcal_log *log;   /* may be NULL */
} lcal_convert_options;

/*
 * A model of llama2.c (legacy format of export.py, version 0) as a directory with config.json,
 * model.safetensors and, where a tokenizer is given, tokenizer.bin. The directory is made; nothing
 * is written where the model or its tokenizer is refused. options may be NULL.
 * The tokenizer is copied as it is: its scores order merges in a way that the ranks of a
 * tokenizer.json cannot always express.
 * LCAL_INVALID: the directory holds a model already. LCAL_SHAPE: a tokenizer for another model.
 */
LCAL_API lcal_status lcal_convert_llama2c(const char *model, const char *directory,
                                          const lcal_convert_options *options, lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
