#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/json.h"
#include "format/safetensors.h"
#include "model/adapter.h"
#include "model/adapter_names.h"

/* Room for "base_model.model." and ".lora_A.weight" around a module's name. */
#define LCAL_TENSOR_NAME_MAX (LCAL__MODULE_NAME_MAX + 40)

/* What is written. */
typedef struct source {
    const lcal__lora_pair *pairs;
    size_t layers;
    const lcal__model_config *config;
    size_t rank;
    double alpha;
} source;

static const lcal__lora_pair *pair_of(const source *from, size_t layer, lcal__proj proj)
{
    return &from->pairs[layer * LCAL__PROJ_COUNT + proj];
}

/* One r and one lora_alpha have to say it all: old versions of PEFT know no patterns for both. */
static lcal_status check_pairs(const source *from, const char *directory, lcal_error *err)
{
    size_t count = 0;
    const float scale = (float)(from->alpha / (double)from->rank);
    for (size_t i = 0; i < from->layers * LCAL__PROJ_COUNT; i++) {
        const lcal__lora_pair *pair = &from->pairs[i];
        if (!pair->a)
            continue;
        count++;
        if (pair->rank != from->rank || pair->scale != scale)
            return lcal__fail(err, LCAL_INVALID,
                              "%s: pair %zu has rank %zu and scale %g, the adapter rank %zu and "
                              "scale %g",
                              directory, i, pair->rank, (double)pair->scale, from->rank,
                              (double)scale);
    }
    if (count == 0)
        return lcal__fail(err, LCAL_INVALID, "%s: an adapter without pairs", directory);
    return LCAL_OK;
}

/* Short names where every layer has the projection, else the full name of each module. */
static json_t *target_modules(const source *from, bool *failed)
{
    json_t *targets = json_array();
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        size_t with = 0;
        for (size_t layer = 0; layer < from->layers; layer++)
            with += pair_of(from, layer, p)->a != NULL;
        if (with == from->layers
            && json_array_append_new(targets, json_string(lcal__proj_name(p))) != 0)
            *failed = true;
        for (size_t layer = 0; layer < from->layers && with < from->layers; layer++) {
            char module[LCAL__MODULE_NAME_MAX];
            lcal__module_name(layer, p, module);
            if (pair_of(from, layer, p)->a
                && json_array_append_new(targets, json_string(module)) != 0)
                *failed = true;
        }
    }
    return targets;
}

static lcal_status write_config(const source *from, const char *base_name, const char *path,
                                lcal_error *err)
{
    bool failed = false;
    bool whole = from->alpha == floor(from->alpha) && fabs(from->alpha) < 0x1p53;
    const struct {
        const char *key;
        json_t *value;
    } fields[] = {
        {"base_model_name_or_path", base_name ? json_string(base_name) : json_null()},
        {"bias", json_string("none")},
        {"fan_in_fan_out", json_false()},
        {"inference_mode", json_true()},
        {"init_lora_weights", json_true()},
        {"lora_alpha", whole ? json_integer((json_int_t)from->alpha) : json_real(from->alpha)},
        {"lora_dropout", json_real(0.0)},
        {"modules_to_save", json_null()},
        {"peft_type", json_string("LORA")},
        {"r", json_integer((json_int_t)from->rank)},
        {"target_modules", target_modules(from, &failed)},
        {"task_type", json_string("CAUSAL_LM")},
    };
    json_t *root = json_object();
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (json_object_set_new(root, fields[i].key, fields[i].value) != 0)
            failed = true;
    char *text = NULL;
    lcal_status status = failed ? lcal__fail_nomem(err, path) : lcal__json_write(root, &text, err);
    json_decref(root);
    if (status == LCAL_OK)
        status = lcal__file_replace(path, text, strlen(text), err);
    lcal__free(text);
    return status;
}

static lcal__tensor half_tensor(char name[LCAL_TENSOR_NAME_MAX], size_t layer, lcal__proj proj,
                                char half, size_t rows, size_t cols, const float *values)
{
    char module[LCAL__MODULE_NAME_MAX];
    lcal__module_name(layer, proj, module);
    snprintf(name, LCAL_TENSOR_NAME_MAX, "base_model.model.%s.lora_%c.weight", module, half);
    return (lcal__tensor){.name = name,
                          .dtype = LCAL__F32,
                          .rank = 2,
                          .shape = {rows, cols},
                          .elements = rows * cols,
                          .data = (const unsigned char *)values};
}

static lcal_status write_weights(const source *from, const char *path, lcal_error *err)
{
    size_t pairs = from->layers * LCAL__PROJ_COUNT, count = 0;
    lcal__tensor *tensors = lcal__calloc(pairs, 2 * sizeof(*tensors));
    char(*names)[LCAL_TENSOR_NAME_MAX] = lcal__calloc(pairs, 2 * sizeof(*names));
    lcal_status status = tensors && names ? LCAL_OK : lcal__fail_nomem(err, path);
    for (size_t i = 0; i < pairs && status == LCAL_OK; i++) {
        const lcal__lora_pair *pair = &from->pairs[i];
        size_t layer = i / LCAL__PROJ_COUNT;
        lcal__proj proj = (lcal__proj)(i % LCAL__PROJ_COUNT);
        if (!pair->a)
            continue;
        tensors[count] = half_tensor(names[count], layer, proj, 'A', pair->rank,
                                     lcal__proj_in(from->config, proj), pair->a);
        count++;
        tensors[count] = half_tensor(names[count], layer, proj, 'B',
                                     lcal__proj_out(from->config, proj), pair->rank, pair->b);
        count++;
    }
    if (status == LCAL_OK)
        status = lcal__safetensors_write(path, tensors, count, NULL, 0, err);
    lcal__free(tensors);
    lcal__free(names);
    return status;
}

lcal_status lcal__adapter_write(const char *directory, const char *base_name,
                                const lcal__lora_pair *pairs, size_t layers,
                                const lcal__model_config *config, size_t rank, double alpha,
                                lcal_error *err)
{
    const source from = {pairs, layers, config, rank, alpha};
    LCAL_TRY(check_pairs(&from, directory, err));
    LCAL_TRY(lcal__dir_make(directory, err));
    char *config_path = lcal__path_join(directory, "adapter_config.json");
    char *weights_path = lcal__path_join(directory, "adapter_model.safetensors");
    lcal_status status = config_path && weights_path ? LCAL_OK : lcal__fail_nomem(err, directory);
    if (status == LCAL_OK)
        status = write_weights(&from, weights_path, err);
    if (status == LCAL_OK)
        status = write_config(&from, base_name, config_path, err);
    lcal__free(config_path);
    lcal__free(weights_path);
    return status;
}
