/* Which model a command works with: the options that name one, and opening it. */
#ifndef LCAL_TOOLS_MODEL_ARGS_H
#define LCAL_TOOLS_MODEL_ARGS_H

#include "cli.h"
#include "lcal/model.h"

/* Part of a command's values. */
typedef struct model_args {
    const char *model, *run, *merge, *calibration;
    cli_texts adapters; /* DIR[:WEIGHT] */
    size_t precision, memory, threads;
} model_args;

extern const char *const model_args_precisions[], *const model_args_memories[];

/* Rows of a command's option table whose values have a model_args at `field`: adapters on a base;
 * all that names a model; that, and with how it is computed. */
#define MODEL_ARGS_MERGE_OPTIONS(values, field)                                                    \
    {"model", CLI_TEXT, offsetof(values, field.model), "DIR",                                      \
     .help = "Base model: a directory in Hugging Face layout, or a GGUF file."},                   \
        {"adapter", CLI_TEXTS, offsetof(values, field.adapters), "DIR[:WEIGHT]",                   \
         .help = "LoRA adapter, a directory in PEFT layout or a GGUF file, added with its weight " \
                 "(1 where none is given). May be given several times."},                          \
    {                                                                                              \
        "merge", CLI_TEXT, offsetof(values, field.merge), "RULE[:KEY=VALUE,...]",                  \
            .fallback = "concat",                                                                  \
            .help = "How the adapters are combined: a merge.method of the configuration with its " \
                    "options, \"ties:density=0.3\" for example."                                   \
    }

#define MODEL_ARGS_SOURCE_OPTIONS(values, field)                                                   \
    MODEL_ARGS_MERGE_OPTIONS(values, field),                                                       \
        {"calibration", CLI_TEXT, offsetof(values, field.calibration), "FILE",                     \
         .help = "Calibration, .h5 or .safetensors; refused on another base, other adapters or "   \
                 "another merge."},                                                                \
    {                                                                                              \
        "run", CLI_TEXT, offsetof(values, field.run), "RUN",                                       \
            .help = "Run directory of `lcal train`, in place of the four above: its base and "     \
                    "adapters with what it trained on top."                                        \
    }

#define MODEL_ARGS_OPTIONS(values, field)                                                          \
    MODEL_ARGS_SOURCE_OPTIONS(values, field),                                                      \
        {"precision",                                                                              \
         CLI_CHOICE,                                                                               \
         offsetof(values, field.precision),                                                        \
         "TYPE",                                                                                   \
         .words = model_args_precisions,                                                           \
         .fallback = "f32",                                                                        \
         .help = "Arithmetic of weights and activations."},                                        \
        {"memory",                                                                                 \
         CLI_CHOICE,                                                                               \
         offsetof(values, field.memory),                                                           \
         "HOW",                                                                                    \
         .words = model_args_memories,                                                             \
         .fallback = "fast",                                                                       \
         .help = "fast folds adapters into a private f32 copy of the weights; low keeps the "      \
                 "weights as stored and the adapters apart."},                                     \
    {                                                                                              \
        "threads", CLI_COUNT, offsetof(values, field.threads), "N",                                \
            .low = 0, .high = 1024, .fallback = "0",                                               \
            .help =                                                                                \
                "Threads to compute with; 0: all processors. The result does not depend on it."    \
    }

/* Prints what the options lack or forbid together; returns the exit status, 0 where all is well. */
int model_args_check(const model_args *args, const cli_command *command);

/* log must outlive the model; close it with lcal_model_close. */
lcal_status model_args_open(const model_args *args, const lcal_log *log, lcal_model **out,
                            lcal_error *err);

#endif
