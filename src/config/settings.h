/*
 * The resolved configuration as a plain struct. One table (options.c) names every key, its type,
 * default, bounds and help, and says where in this struct it goes; parsing, --help, the dump of
 * the resolved config and docs/config.md all come from that table.
 */
#ifndef LCAL_CONFIG_SETTINGS_H
#define LCAL_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How adapters are combined (docs/merging.md); the peft rules work on factors as PEFT does. */
typedef enum lcal__merge_rule {
    LCAL__MERGE_CONCAT,
    LCAL__MERGE_LINEAR,
    LCAL__MERGE_TIES,
    LCAL__MERGE_DARE_LINEAR,
    LCAL__MERGE_DARE_TIES,
    LCAL__MERGE_SLERP,
    LCAL__MERGE_MAGNITUDE_PRUNE,
    LCAL__MERGE_SVD,
    LCAL__MERGE_PEFT_LINEAR,
    LCAL__MERGE_PEFT_TIES,
    LCAL__MERGE_PEFT_DARE_LINEAR,
    LCAL__MERGE_PEFT_DARE_TIES,
    LCAL__MERGE_PEFT_MAGNITUDE_PRUNE,
    LCAL__MERGE_PEFT_SVD
} lcal__merge_rule;

typedef enum lcal__merge_scope { LCAL__SCOPE_MODEL, LCAL__SCOPE_MODULE } lcal__merge_scope;
typedef enum lcal__majority { LCAL__MAJORITY_TOTAL, LCAL__MAJORITY_FREQUENCY } lcal__majority;
typedef enum lcal__election { LCAL__ELECTION_WEIGHTED, LCAL__ELECTION_PLAIN } lcal__election;

typedef enum lcal__method {
    LCAL__METHOD_LC,
    LCAL__METHOD_LCPP,
    LCAL__METHOD_COLUMNS,
    LCAL__METHOD_LORA,
    LCAL__METHOD_BASE
} lcal__method;

typedef enum lcal__form { LCAL__FORM_OUTPUT, LCAL__FORM_BROADCAST } lcal__form;
typedef enum lcal__share { LCAL__SHARE_LAYERS, LCAL__SHARE_NONE } lcal__share;
typedef enum lcal__schedule { LCAL__COSINE, LCAL__LINEAR, LCAL__CONSTANT } lcal__schedule;
typedef enum lcal__nonfinite { LCAL__NONFINITE_STOP, LCAL__NONFINITE_SKIP } lcal__nonfinite;
typedef enum lcal__memory { LCAL__MEMORY_FAST, LCAL__MEMORY_LOW } lcal__memory;
typedef enum lcal__recompute {
    LCAL__RECOMPUTE_AUTO,
    LCAL__RECOMPUTE_NEVER,
    LCAL__RECOMPUTE_ALWAYS
} lcal__recompute;
typedef enum lcal__precision { LCAL__PRECISION_F32 } lcal__precision;
typedef enum lcal__store { LCAL__STORE_F16, LCAL__STORE_BF16, LCAL__STORE_F32 } lcal__store;
typedef enum lcal__policy {
    LCAL__POLICY_DROP,
    LCAL__POLICY_TRUNCATE,
    LCAL__POLICY_ERROR
} lcal__policy;
typedef enum lcal__objective {
    LCAL__OBJECTIVE_SUPERVISED,
    LCAL__OBJECTIVE_DISTILL
} lcal__objective;
typedef enum lcal__template {
    LCAL__TEMPLATE_AUTO,
    LCAL__TEMPLATE_RAW,
    LCAL__TEMPLATE_LLAMA3,
    LCAL__TEMPLATE_CHATML,
    LCAL__TEMPLATE_ZEPHYR
} lcal__template;
typedef enum lcal__loss_on {
    LCAL__LOSS_ON_COMPLETION,
    LCAL__LOSS_ON_ASSISTANT,
    LCAL__LOSS_ON_ALL
} lcal__loss_on;

/* How the frozen adapters are combined: a rule and its options, of which it has some
 * (merge_rule.h). Zeroed: the exact sum. */
typedef struct lcal__merge_settings {
    lcal__merge_rule method;
    double density;
    lcal__merge_scope scope;
    lcal__majority majority;
    lcal__election election;
    double lambda;
    double t;
    uint64_t seed;
    uint64_t rank; /* 0: the largest of the adapters */
} lcal__merge_settings;

typedef struct lcal__adapter_setting {
    char *path;
    double weight;
} lcal__adapter_setting;

/* Bit (1 << lcal__proj) of each projection; all seven: 0x7F. */
typedef uint32_t lcal__targets;

/* Strings are owned, "" where not given; paths are resolved (absolute, or relative to the working
 * directory). */
typedef struct lcal__settings {
    char *model;
    lcal__adapter_setting *adapters;
    size_t adapter_count;
    lcal__merge_settings merge;
    lcal__method method;
    struct {
        lcal__form form;
        uint64_t rank;
        double scale;
        lcal__share share;
        lcal__targets targets;
        char *init;        /* "default" or a file */
        lcal__store dtype; /* of calibration.h5: f16 */
    } calibration;
    struct {
        uint64_t rank;
        double alpha;
        lcal__targets targets;
    } lora;
    struct {
        lcal__objective objective;
        char *main_train, *aux_train; /* "": none */
        double temperature, overlap;
    } columns;
    struct {
        char *train;
        char *valid;           /* "": no validation, or a share of train */
        double valid_fraction; /* of train; 0: none */
        uint64_t split_seed;
        uint64_t limit, valid_limit; /* examples; 0: all */
        char *tokenizer;             /* "": the model's */
        lcal__template template_;
        char *system; /* "": none */
        lcal__loss_on loss_on;
        uint64_t max_length;
        lcal__policy overlong;
        bool pack;
        bool shuffle;
    } data;
    struct {
        uint64_t steps;
        uint64_t batch_tokens; /* of one forward pass; ignored where batch_size is given */
        uint64_t batch_size;   /* examples; 0: batch_tokens rules */
        double lr;
        lcal__schedule schedule;
        double warmup; /* fraction of steps */
        double min_lr; /* where cosine and linear end, as a fraction of lr */
        double weight_decay, beta1, beta2, eps;
        double clip_norm; /* 0: no clipping */
        uint64_t accumulate;
        bool keep_best;
        lcal__nonfinite on_nonfinite;
        lcal__precision precision;
        lcal__memory memory;
        lcal__recompute recompute;
        double memory_budget_gib; /* 0: what is available at start */
        uint64_t seed;
        uint64_t threads; /* 0: all processors */
        uint64_t log_every, eval_every, save_every;
    } train;
    struct {
        char *test;                              /* "": none */
        char *prompt, *main_prompt, *aux_prompt; /* templates; "": none */
        uint64_t shots;
        uint64_t limit; /* 0: all */
        uint64_t max_tokens;
        uint64_t batch;
        bool stem;
        uint64_t resamples;
    } eval;
    struct {
        double temperature;
    } cocktail;
    struct {
        uint64_t budget;
        double bound, radius, penalty;
    } lorahub;
    char *out;
} lcal__settings;

#endif
