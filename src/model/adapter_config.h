/*
 * adapter_config.json: the fields of PEFT's LoraConfig that decide what a LoRA computes. What lcal
 * does not compute is refused here, each with its reason.
 */
#ifndef LCAL_MODEL_ADAPTER_CONFIG_H
#define LCAL_MODEL_ADAPTER_CONFIG_H

#include <jansson.h>

#include "lcal/log.h"
#include "model/module_pattern.h"

/* A value of their own for the modules that a pattern matches; the first match counts. */
typedef struct lcal__pattern_value {
    lcal__pattern pattern;
    double value;
} lcal__pattern_value;

typedef struct lcal__pattern_values {
    lcal__pattern_value *items;
    size_t count;
} lcal__pattern_values;

/* Modules chosen by a list of names, by an expression, or all of them. */
typedef struct lcal__module_set {
    bool all;
    bool unknown; /* an expression that cannot be translated: nobody can tell what is in the set */
    lcal__pattern *patterns;
    size_t count;
} lcal__module_set;

/* Zeroed is valid. */
typedef struct lcal__adapter_config {
    json_t *root; /* owns all text */
    size_t rank;
    double alpha;
    bool rslora;
    bool bias; /* lora_bias: every module has one, scaled as its pair */
    lcal__pattern_values ranks, alphas;
    lcal__module_set targets, excluded;
    bool *layers; /* [base layers] layers_to_transform; NULL: every layer */
    size_t layer_count;
} lcal__adapter_config;

/*
 * The directory that holds adapter_config.json: `directory`, or the one below it that has it (PEFT
 * saves an adapter of another name than "default" there). LCAL_IO: none; LCAL_INVALID: several.
 * Free *out with lcal__free.
 */
lcal_status lcal__adapter_find(const char *directory, char **out, lcal_error *err);

/* Parses the text of an adapter_config.json; layers: of the base. Then the same for a file. */
lcal_status lcal__adapter_config_parse(const char *text, size_t size, const char *source,
                                       size_t layers, const lcal_log *log,
                                       lcal__adapter_config *out, lcal_error *err);
lcal_status lcal__adapter_config_read(const char *path, size_t layers, const lcal_log *log,
                                      lcal__adapter_config *out, lcal_error *err);
void lcal__adapter_config_free(lcal__adapter_config *config);

/* LCAL_UNSUPPORTED: the file asks for what lcal does not compute. The reader calls it. */
lcal_status lcal__adapter_config_refuse(const json_t *root, const char *source, lcal_error *err);

/* Of one module: alpha / rank, or alpha / sqrt(rank) with rsLoRA. */
size_t lcal__adapter_config_rank(const lcal__adapter_config *config, const char *module);
double lcal__adapter_config_scale(const lcal__adapter_config *config, const char *module);

/* Whether the configuration puts a LoRA on a module; with `unknown` sets nobody can tell. */
bool lcal__adapter_config_is_certain(const lcal__adapter_config *config);
bool lcal__adapter_config_targets(const lcal__adapter_config *config, size_t layer,
                                  const char *module);

#endif
