/*
 * What is composed, in the forms that other programs load: a base with its adapters, their merge
 * and a calibration as a PEFT adapter, a merged model, a compact file (docs/exports.md).
 */
#ifndef LCAL_EXPORT_H
#define LCAL_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcal/model.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, word, text): the one table of formats. */
#define LCAL_EXPORT_FORMAT_MAP(X)                                                                  \
    X(CALIBRATION, "calibration", "compact HDF5 file of what was trained")                         \
    X(SAFETENSORS, "safetensors", "the same numbers and facts as safetensors")                     \
    X(PEFT, "peft", "PEFT adapter directory: adapters, their merge and the calibration in one")    \
    X(HF, "hf", "merged model directory in Hugging Face layout")                                   \
    X(GGUF_LORA, "gguf-lora", "adapter file for llama.cpp")                                        \
    X(GGUF, "gguf", "merged model file for llama.cpp, with tokenizer and chat template")           \
    X(REPORT, "report", "one page of text: what is computed, sizes in every format, how to load")

typedef enum lcal_export_format {
#define LCAL_EXPORT_FORMAT_ENUM(name, word, text) LCAL_EXPORT_##name,
    LCAL_EXPORT_FORMAT_MAP(LCAL_EXPORT_FORMAT_ENUM)
#undef LCAL_EXPORT_FORMAT_ENUM
} lcal_export_format;

/* Types of the numbers written; other than F32 rounds to the nearest. AUTO: 16 bits for compact
 * files, F32 for adapters, the base's own type for models. */
typedef enum lcal_export_type {
    LCAL_EXPORT_AUTO,
    LCAL_EXPORT_F32,
    LCAL_EXPORT_F16,
    LCAL_EXPORT_BF16,
    LCAL_EXPORT_Q8_0, /* blocks of 32 with one scale (GGUF) */
} lcal_export_type;

/* Zeroed but for nothing is valid: format CALIBRATION. Strings are borrowed. */
typedef struct lcal_export_options {
    lcal_export_format format;
    lcal_export_type type;
    size_t rank;           /* PEFT: updates cut to this rank; 0: exact */
    uint64_t shard_bytes;  /* HF: largest file of weights; 0: one file whatever its size */
    const char *as;        /* HF, GGUF: class of the model written, "llama"; NULL: the base's */
    const char *base_name; /* PEFT: base_model_name_or_path; NULL: the adapters', else the base */
    bool overwrite;        /* replaces what an earlier export left at the path */
    const lcal_log *log;   /* may be NULL */
} lcal_export_options;

/* What an export did to one module of the base. */
typedef struct lcal_export_module {
    char name[96]; /* "model.layers.0.self_attn.q_proj" */
    size_t rank;   /* of the pair written; 0 where the update was merged */
    /* Frobenius norm of what a rank cut off, over that of the update. */
    double truncation;
    /* What rounding to the type took: its largest and mean magnitude over those of the update. */
    double rounding_max, rounding_mean;
    /* Root mean square of that rounding over the calibration's; 0 where there is none. Above about
     * 0.5 most of a calibration is lost. */
    double calibration_noise;
} lcal_export_module;

/* Zeroed is valid and empty; free with lcal_export_report_free. */
typedef struct lcal_export_report {
    uint64_t bytes; /* of all files written */
    size_t files;
    const char *type; /* "F32", ...: of the numbers written; "": none are; static */
    lcal_export_module *modules;
    size_t module_count;
} lcal_export_report;

LCAL_API void lcal_export_report_free(lcal_export_report *report);

/*
 * Writes the model's composition to `path`, a file or a directory as the format has it, complete or
 * not at all: a kill, a full disk or any error leaves what was there before. options and report may
 * be NULL.
 * LCAL_UNSUPPORTED: the format cannot hold it; the message says which can. LCAL_INVALID: something
 * is at `path` already, an option that the format does not have. LCAL_NUMERIC: a number that is not
 * finite or does not fit the type.
 */
LCAL_API lcal_status lcal_export(lcal_model *model, const char *path,
                                 const lcal_export_options *options, lcal_export_report *report,
                                 lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
