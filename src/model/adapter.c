#include "model/adapter.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/safetensors.h"
#include "model/adapter_config.h"
#include "model/adapter_names.h"
#include "model/gguf_adapter.h"
#include "model/listing.h"
#include "model/storage.h"

#define LCAL_ADAPTER_CONFIG "adapter_config.json"
#define LCAL_ADAPTER_WEIGHTS "adapter_model.safetensors"

/* Everything that is needed while an adapter is opened, and let go afterwards. */
typedef struct opening {
    const lcal__model_config *base;
    const lcal_log *log;
    char *config_path, *weights_path;
    lcal__adapter_config config;
    lcal__map map;
    lcal__safetensors file;
    const lcal__tensor *(*parts)[LCAL__LORA_PARTS]; /* [layers * LCAL__PROJ_COUNT] */
    lcal__listing missing, surplus;
} opening;

/* Index of a pair, and the name of its module. */
static size_t pair_at(size_t layer, lcal__proj proj)
{
    return layer * LCAL__PROJ_COUNT + proj;
}

static lcal_status sort_tensors(opening *on, lcal_error *err)
{
    size_t count;
    if (!lcal__size_mul(on->base->layers, LCAL__PROJ_COUNT, &count))
        return lcal__fail_nomem(err, on->weights_path);
    on->parts = lcal__calloc(count, sizeof(*on->parts));
    if (!on->parts)
        return lcal__fail_nomem(err, on->weights_path);
    for (size_t i = 0; i < on->file.count; i++) {
        const lcal__tensor *tensor = &on->file.tensors[i];
        lcal__lora_name name;
        LCAL_TRY(lcal__lora_name_parse(tensor->name, on->base, on->weights_path, &name, err));
        const lcal__tensor **part = &on->parts[pair_at(name.layer, name.proj)][name.part];
        if (*part)
            return lcal__fail(err, LCAL_FORMAT, "%s: tensors %s and %s are the same part of a pair",
                              on->weights_path, (*part)->name, tensor->name);
        *part = tensor;
    }
    return LCAL_OK;
}

/* All parts of what the configuration targets, none of what it does not. */
static void compare_targets(opening *on, size_t layer, lcal__proj proj)
{
    static const char *const endings[] = {"lora_A", "lora_B", "lora_B.bias"};
    char module[LCAL__MODULE_NAME_MAX];
    const lcal__tensor *const *parts = on->parts[pair_at(layer, proj)];
    lcal__module_name(layer, proj, module);
    bool some = false;
    for (size_t part = 0; part < LCAL__LORA_PARTS; part++)
        some = some || parts[part];
    bool wanted = some;
    if (lcal__adapter_config_is_certain(&on->config))
        wanted = lcal__adapter_config_targets(&on->config, layer, module);
    if (some && !wanted)
        lcal__listing_add(&on->surplus, "%s", module);
    else if (parts[LCAL__LORA_BIAS] && !on->config.bias)
        lcal__listing_add(&on->surplus, "%s.%s (lora_bias is not true)", module,
                          endings[LCAL__LORA_BIAS]);
    for (size_t part = 0; part < LCAL__LORA_PARTS && wanted; part++)
        if (!parts[part] && (part != LCAL__LORA_BIAS || on->config.bias))
            lcal__listing_add(&on->missing, "%s.%s", module, endings[part]);
}

static lcal_status check_targets(opening *on, lcal_error *err)
{
    for (size_t layer = 0; layer < on->base->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
            compare_targets(on, layer, p);
    if (on->surplus.count)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: tensors for modules that " LCAL_ADAPTER_CONFIG
                          " does not target: %s",
                          on->weights_path, lcal__listing_text(&on->surplus));
    if (on->missing.count)
        return lcal__fail(err, LCAL_FORMAT, "%s: missing tensors: %s", on->weights_path,
                          lcal__listing_text(&on->missing));
    if (on->file.count == 0)
        return lcal__fail(err, LCAL_FORMAT, "%s: no tensors", on->weights_path);
    return LCAL_OK;
}

/* rank: of the tensor; a vector has `rows` alone. */
static lcal_status check_part(const opening *on, const lcal__tensor *tensor, size_t rank,
                              size_t rows, size_t cols, lcal_error *err)
{
    if (tensor->dtype == LCAL__I32 || tensor->dtype == LCAL__I64)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tensor %s: expected F32, F16, BF16 or F64, found %s",
                          on->weights_path, tensor->name, lcal__dtype_name(tensor->dtype));
    char expected[64];
    if (rank == 1)
        snprintf(expected, sizeof(expected), "[%zu] (the base's width)", rows);
    else
        snprintf(expected, sizeof(expected), "[%zu, %zu]", rows, cols);
    if (tensor->rank != rank)
        return lcal__fail(err, LCAL_SHAPE, "%s: tensor %s: expected %s, found %zu dimensions",
                          on->weights_path, tensor->name, expected, tensor->rank);
    if (rank == 1 && tensor->shape[0] != rows)
        return lcal__fail(err, LCAL_SHAPE, "%s: tensor %s: expected %s, found [%zu]",
                          on->weights_path, tensor->name, expected, tensor->shape[0]);
    if (rank == 2 && (tensor->shape[0] != rows || tensor->shape[1] != cols))
        return lcal__fail(err, LCAL_SHAPE,
                          "%s: tensor %s: expected %s (the base's width and the rank "
                          "of " LCAL_ADAPTER_CONFIG "), found [%zu, %zu]",
                          on->weights_path, tensor->name, expected, tensor->shape[0],
                          tensor->shape[1]);
    return LCAL_OK;
}

/* Converts one part to f32 of our own; a value that is no number would spread everywhere. */
static lcal_status take_part(const opening *on, const lcal__tensor *tensor, lcal__adapter *to,
                             const float **out, lcal_error *err)
{
    float *values = lcal__storage_alloc(to->storage, tensor->elements, sizeof(float));
    if (!values)
        return lcal__fail_nomem(err, tensor->name);
    lcal__convert_to_f32(tensor->dtype, tensor->data, values, tensor->elements);
    for (size_t i = 0; i < tensor->elements; i++)
        if (!isfinite(values[i]))
            return lcal__fail(err, LCAL_NUMERIC, "%s: tensor %s: element %zu is %s",
                              on->weights_path, tensor->name, i,
                              isnan(values[i]) ? "NaN" : "infinite");
    to->parameters += tensor->elements;
    *out = values;
    return LCAL_OK;
}

static lcal_status take_pair(const opening *on, size_t layer, lcal__proj proj, lcal__adapter *out,
                             lcal_error *err)
{
    char module[LCAL__MODULE_NAME_MAX];
    const lcal__tensor *const *parts = on->parts[pair_at(layer, proj)];
    const lcal__tensor *a = parts[LCAL__LORA_A], *b = parts[LCAL__LORA_B];
    const lcal__tensor *bias = parts[LCAL__LORA_BIAS];
    if (!a)
        return LCAL_OK;
    lcal__module_name(layer, proj, module);
    const size_t rows = lcal__proj_out(on->base, proj);
    lcal__lora_pair pair = {
        .rank = lcal__adapter_config_rank(&on->config, module),
        .scale = (float)lcal__adapter_config_scale(&on->config, module),
    };
    LCAL_TRY(check_part(on, a, 2, pair.rank, lcal__proj_in(on->base, proj), err));
    LCAL_TRY(check_part(on, b, 2, rows, pair.rank, err));
    LCAL_TRY(take_part(on, a, out, &pair.a, err));
    LCAL_TRY(take_part(on, b, out, &pair.b, err));
    if (bias) {
        LCAL_TRY(check_part(on, bias, 1, rows, 1, err));
        LCAL_TRY(take_part(on, bias, out, &pair.bias, err));
    }
    out->pairs[pair_at(layer, proj)] = pair;
    return LCAL_OK;
}

static lcal_status take_pairs(const opening *on, lcal__adapter *out, lcal_error *err)
{
    out->layers = on->base->layers;
    out->pairs = lcal__calloc(out->layers * LCAL__PROJ_COUNT, sizeof(*out->pairs));
    out->storage = lcal__calloc(1, sizeof(lcal__storage));
    if (!out->pairs || !out->storage)
        return lcal__fail_nomem(err, on->weights_path);
    for (size_t layer = 0; layer < out->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
            LCAL_TRY(take_pair(on, layer, p, out, err));
    return LCAL_OK;
}

static lcal_status take_base_name(const opening *on, lcal__adapter *out, lcal_error *err)
{
    const char *name =
        json_string_value(json_object_get(on->config.root, "base_model_name_or_path"));
    out->base_name = name ? lcal__strdup(name) : NULL;
    return name && !out->base_name ? lcal__fail_nomem(err, on->config_path) : LCAL_OK;
}

/* Names in target_modules that no module of this base has, "lm_head" for example. */
static void report_idle_targets(const opening *on)
{
    const lcal__module_set *set = &on->config.targets;
    lcal__listing idle = {0};
    for (size_t i = 0; i < set->count; i++) {
        bool hit = false;
        for (size_t m = 0; m < on->base->layers * LCAL__PROJ_COUNT && !hit; m++) {
            char module[LCAL__MODULE_NAME_MAX];
            lcal__module_name(m / LCAL__PROJ_COUNT, m % LCAL__PROJ_COUNT, module);
            hit = lcal__pattern_matches(&set->patterns[i], module);
        }
        if (!hit)
            lcal__listing_add(&idle, "%s", set->patterns[i].text);
    }
    if (idle.count)
        lcal__log(on->log, LCAL_LOG_NOTICE,
                  "%s: ignored target_modules that are no projection of the base: %s",
                  on->config_path, lcal__listing_text(&idle));
    lcal__listing_free(&idle);
}

static lcal_status open_files(opening *on, const char *directory, lcal_error *err)
{
    on->config_path = lcal__path_join(directory, LCAL_ADAPTER_CONFIG);
    on->weights_path = lcal__path_join(directory, LCAL_ADAPTER_WEIGHTS);
    if (!on->config_path || !on->weights_path)
        return lcal__fail_nomem(err, directory);
    LCAL_TRY(
        lcal__adapter_config_read(on->config_path, on->base->layers, on->log, &on->config, err));
    LCAL_TRY(lcal__map_open(on->weights_path, &on->map, err));
    return lcal__safetensors_parse(on->map.data, on->map.size, on->weights_path, &on->file, err);
}

static void close_opening(opening *on)
{
    lcal__listing_free(&on->missing);
    lcal__listing_free(&on->surplus);
    lcal__free(on->parts);
    lcal__safetensors_free(&on->file);
    lcal__map_close(&on->map);
    lcal__adapter_config_free(&on->config);
    lcal__free(on->config_path);
    lcal__free(on->weights_path);
}

static lcal_status open_adapter(opening *on, lcal__adapter *out, lcal_error *err)
{
    LCAL_TRY(open_files(on, out->directory, err));
    LCAL_TRY(sort_tensors(on, err));
    LCAL_TRY(check_targets(on, err));
    LCAL_TRY(take_pairs(on, out, err));
    LCAL_TRY(take_base_name(on, out, err));
    report_idle_targets(on);
    return lcal__sha256(on->map.data, on->map.size, out->sha256, err);
}

lcal_status lcal__adapter_open(const char *directory, const lcal__model_config *config,
                               const lcal_log *log, lcal__adapter *out, lcal_error *err)
{
    lcal__adapter adapter = {0};
    opening on = {.base = config, .log = log};
    if (lcal__path_is_file(directory))
        return lcal__gguf_adapter_open(directory, config, out, err);
    lcal_status status = lcal__adapter_find(directory, &adapter.directory, err);
    if (status == LCAL_OK)
        status = open_adapter(&on, &adapter, err);
    close_opening(&on);
    if (status == LCAL_OK)
        *out = adapter;
    else
        lcal__adapter_close(&adapter);
    return status;
}

void lcal__adapter_close(lcal__adapter *adapter)
{
    lcal__storage_close(&adapter->storage);
    lcal__free(adapter->pairs);
    lcal__free(adapter->directory);
    lcal__free(adapter->base_name);
    *adapter = (lcal__adapter){0};
}

const lcal__lora_pair *lcal__adapter_pair(const lcal__adapter *adapter, size_t layer,
                                          lcal__proj proj)
{
    return &adapter->pairs[pair_at(layer, proj)];
}
