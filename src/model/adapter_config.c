#include "model/adapter_config.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "format/json.h"

static lcal_status wrong_type(const char *source, const char *key, const char *expected,
                              const json_t *found, lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT, "%s: key %s: expected %s, found %s", source, key, expected,
                      lcal__json_type(found));
}

/* The member, or NULL where it is absent or null. */
static const json_t *given(const json_t *root, const char *key)
{
    const json_t *value = json_object_get(root, key);
    return json_is_null(value) ? NULL : value;
}

/* rank_pattern or alpha_pattern. */
static lcal_status read_values(const json_t *root, const char *source, const char *key,
                               bool integers, lcal__pattern_values *out, lcal_error *err)
{
    json_t *object = json_object_get(root, key);
    if (!given(root, key))
        return LCAL_OK;
    if (!json_is_object(object))
        return wrong_type(source, key, "an object", object, err);
    out->items = lcal__calloc(json_object_size(object), sizeof(*out->items));
    if (!out->items)
        return lcal__fail_nomem(err, source);
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        const json_t *value = json_object_iter_value(i);
        bool fits = integers ? json_is_integer(value) && json_integer_value(value) >= 1
                                   && json_integer_value(value) <= INT32_MAX
                             : json_is_number(value);
        if (!fits)
            return lcal__fail(err, LCAL_FORMAT, "%s: key %s: %s: expected %s", source, key,
                              json_object_iter_key(i),
                              integers ? "a rank of at least 1" : "a number");
        LCAL_TRY(lcal__pattern_compile(json_object_iter_key(i), LCAL__PATTERN_SUFFIX, source, key,
                                       &out->items[out->count].pattern, err));
        out->items[out->count++].value = json_number_value(value);
    }
    return LCAL_OK;
}

/* An expression for whole names. One that cannot be translated only leaves the set unknown. */
static lcal_status read_expression(const char *text, const char *source, const char *key,
                                   const lcal_log *log, lcal__module_set *out, lcal_error *err)
{
    lcal_error reason;
    lcal_status status =
        lcal__pattern_compile(text, LCAL__PATTERN_WHOLE, source, key, &out->patterns[0], &reason);
    if (status == LCAL_OK) {
        out->count = 1;
        return LCAL_OK;
    }
    if (status != LCAL_UNSUPPORTED)
        return lcal__fail(err, status, "%s", reason.message);
    lcal__log(log, LCAL_LOG_NOTICE, "%s; which modules it means is not checked", reason.message);
    out->unknown = true;
    return LCAL_OK;
}

/* A list of names, an expression, or "all-linear". */
static lcal_status read_modules(const json_t *value, const char *source, const char *key,
                                const lcal_log *log, lcal__module_set *out, lcal_error *err)
{
    const char *text = json_string_value(value);
    if (text && strcasecmp(text, "all-linear") == 0) {
        out->all = true;
        return LCAL_OK;
    }
    if (!text && !json_is_array(value))
        return wrong_type(source, key, "a list of names, an expression or \"all-linear\"", value,
                          err);
    out->patterns = lcal__calloc(text ? 1 : json_array_size(value), sizeof(*out->patterns));
    if (!out->patterns)
        return lcal__fail_nomem(err, source);
    if (text)
        return read_expression(text, source, key, log, out, err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *name = json_string_value(json_array_get(value, i));
        if (!name)
            return wrong_type(source, key, "a list of names", json_array_get(value, i), err);
        LCAL_TRY(lcal__pattern_compile(name, LCAL__PATTERN_NAME, source, key,
                                       &out->patterns[out->count++], err));
    }
    return LCAL_OK;
}

static lcal_status choose_layer(const json_t *value, const char *source, lcal__adapter_config *out,
                                lcal_error *err)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return wrong_type(source, "layers_to_transform", "layer numbers", value, err);
    if ((uint64_t)json_integer_value(value) < out->layer_count)
        out->layers[json_integer_value(value)] = true;
    return LCAL_OK;
}

static lcal_status read_layers(const char *source, lcal__adapter_config *out, lcal_error *err)
{
    const json_t *value = given(out->root, "layers_to_transform");
    if (!value || (json_is_array(value) && json_array_size(value) == 0))
        return LCAL_OK;
    if (json_is_string(json_object_get(out->root, "target_modules")))
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: key layers_to_transform: only a list of target_modules can have it",
                          source);
    const json_t *pattern = given(out->root, "layers_pattern");
    const char *name = json_string_value(pattern);
    if (json_array_size(pattern) == 1)
        name = json_string_value(json_array_get(pattern, 0));
    if (pattern && json_array_size(pattern) != 0 && !name)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: key layers_pattern: expected \"layers\", found %s", source,
                          lcal__json_type(pattern));
    if (name && strcmp(name, "layers") != 0)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: key layers_pattern: expected \"layers\", found \"%s\"", source,
                          name);
    out->layers = lcal__calloc(out->layer_count, sizeof(*out->layers));
    if (!out->layers)
        return lcal__fail_nomem(err, source);
    if (!json_is_array(value))
        return choose_layer(value, source, out, err);
    for (size_t i = 0; i < json_array_size(value); i++)
        LCAL_TRY(choose_layer(json_array_get(value, i), source, out, err));
    return LCAL_OK;
}

static lcal_status read_fields(const char *source, const lcal_log *log, lcal__adapter_config *out,
                               lcal_error *err)
{
    const json_t *root = out->root;
    out->rank = 8;
    out->alpha = 8;
    LCAL_TRY(lcal__json_size(root, source, "r", 1, INT32_MAX, &out->rank, err));
    LCAL_TRY(lcal__json_real(root, source, "lora_alpha", &out->alpha, err));
    LCAL_TRY(lcal__json_bool(root, source, "use_rslora", &out->rslora, err));
    LCAL_TRY(lcal__json_bool(root, source, "lora_bias", &out->bias, err));
    LCAL_TRY(read_values(root, source, "rank_pattern", true, &out->ranks, err));
    LCAL_TRY(read_values(root, source, "alpha_pattern", false, &out->alphas, err));
    LCAL_TRY(read_modules(given(root, "target_modules"), source, "target_modules", log,
                          &out->targets, err));
    if (given(root, "exclude_modules"))
        LCAL_TRY(read_modules(given(root, "exclude_modules"), source, "exclude_modules", log,
                              &out->excluded, err));
    return read_layers(source, out, err);
}

/* Takes over `root`. */
static lcal_status read_root(json_t *root, const char *source, size_t layers, const lcal_log *log,
                             lcal__adapter_config *out, lcal_error *err)
{
    *out = (lcal__adapter_config){.root = root, .layer_count = layers};
    lcal_status status = lcal__adapter_config_refuse(root, source, err);
    if (status == LCAL_OK)
        status = read_fields(source, log, out, err);
    if (status != LCAL_OK)
        lcal__adapter_config_free(out);
    return status;
}

lcal_status lcal__adapter_config_parse(const char *text, size_t size, const char *source,
                                       size_t layers, const lcal_log *log,
                                       lcal__adapter_config *out, lcal_error *err)
{
    json_t *root = NULL;
    *out = (lcal__adapter_config){0};
    LCAL_TRY(lcal__json_parse_object(text, size, source, &root, err));
    return read_root(root, source, layers, log, out, err);
}

lcal_status lcal__adapter_config_read(const char *path, size_t layers, const lcal_log *log,
                                      lcal__adapter_config *out, lcal_error *err)
{
    json_t *root = NULL;
    *out = (lcal__adapter_config){0};
    LCAL_TRY(lcal__json_read_object(path, &root, err));
    return read_root(root, path, layers, log, out, err);
}

static void free_values(lcal__pattern_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        lcal__pattern_free(&values->items[i].pattern);
    lcal__free(values->items);
}

static void free_modules(lcal__module_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        lcal__pattern_free(&set->patterns[i]);
    lcal__free(set->patterns);
}

void lcal__adapter_config_free(lcal__adapter_config *config)
{
    free_values(&config->ranks);
    free_values(&config->alphas);
    free_modules(&config->targets);
    free_modules(&config->excluded);
    lcal__free(config->layers);
    json_decref(config->root);
    *config = (lcal__adapter_config){0};
}

static double value_of(const lcal__pattern_values *values, const char *module, double fallback)
{
    for (size_t i = 0; i < values->count; i++)
        if (lcal__pattern_matches(&values->items[i].pattern, module))
            return values->items[i].value;
    return fallback;
}

size_t lcal__adapter_config_rank(const lcal__adapter_config *config, const char *module)
{
    return (size_t)value_of(&config->ranks, module, (double)config->rank);
}

double lcal__adapter_config_scale(const lcal__adapter_config *config, const char *module)
{
    double rank = (double)lcal__adapter_config_rank(config, module);
    double alpha = value_of(&config->alphas, module, config->alpha);
    return alpha / (config->rslora ? sqrt(rank) : rank);
}

static bool set_has(const lcal__module_set *set, const char *module)
{
    bool has = set->all;
    for (size_t i = 0; i < set->count && !has; i++)
        has = lcal__pattern_matches(&set->patterns[i], module);
    return has;
}

bool lcal__adapter_config_is_certain(const lcal__adapter_config *config)
{
    return !config->targets.unknown && !config->excluded.unknown;
}

bool lcal__adapter_config_targets(const lcal__adapter_config *config, size_t layer,
                                  const char *module)
{
    if (config->layers && !config->layers[layer])
        return false;
    return set_has(&config->targets, module) && !set_has(&config->excluded, module);
}
