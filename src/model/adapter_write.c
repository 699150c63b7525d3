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

static size_t rank_of(const lcal__adapter_source *from, size_t layer, lcal__proj proj)
{
    return from->ranks[layer * LCAL__PROJ_COUNT + proj];
}

/* --- adapter_config.json --------------------------------------------------------------------- */

/* The rank that most modules have, the smaller of equals: r; 0 where no module has one. */
static size_t common_rank(const lcal__adapter_source *from)
{
    const size_t modules = from->config->layers * LCAL__PROJ_COUNT;
    size_t best = 0, most = 0;
    for (size_t i = 0; i < modules; i++) {
        size_t same = 0;
        for (size_t j = 0; from->ranks[i] && j < modules; j++)
            same += from->ranks[j] == from->ranks[i];
        if (same > most || (same && same == most && from->ranks[i] < best)) {
            best = from->ranks[i];
            most = same;
        }
    }
    return best;
}

/* True where every layer has the projection with the same rank. */
static bool is_even(const lcal__adapter_source *from, lcal__proj proj)
{
    for (size_t layer = 1; layer < from->config->layers; layer++)
        if (rank_of(from, layer, proj) != rank_of(from, 0, proj))
            return false;
    return true;
}

/* True where every layer has the projection. */
static bool is_everywhere(const lcal__adapter_source *from, lcal__proj proj)
{
    for (size_t layer = 0; layer < from->config->layers; layer++)
        if (!rank_of(from, layer, proj))
            return false;
    return true;
}

/* Short names where every layer has the projection, else the full name of each module. */
static json_t *target_modules(const lcal__adapter_source *from, bool *failed)
{
    json_t *targets = json_array();
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        const bool everywhere = is_everywhere(from, p);
        for (size_t layer = 0; layer < (everywhere ? 1 : from->config->layers); layer++) {
            char module[LCAL__MODULE_NAME_MAX];
            lcal__module_name(layer, p, module);
            if (rank_of(from, layer, p)
                && json_array_append_new(targets,
                                         json_string(everywhere ? lcal__proj_name(p) : module))
                       != 0)
                *failed = true;
        }
    }
    return targets;
}

/* Modules of another rank than r: a projection's short name where all its layers share one. A full
 * name is found by every version of PEFT: as an expression, or as it is. */
static json_t *ranks_apart(const lcal__adapter_source *from, size_t r, bool *failed)
{
    json_t *pattern = json_object();
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        const bool even = is_even(from, p);
        for (size_t layer = 0; layer < (even ? 1 : from->config->layers); layer++) {
            const size_t rank = rank_of(from, layer, p);
            char module[LCAL__MODULE_NAME_MAX];
            lcal__module_name(layer, p, module);
            if (rank && rank != r
                && json_object_set_new(pattern, even ? lcal__proj_name(p) : module,
                                       json_integer((json_int_t)rank))
                       != 0)
                *failed = true;
        }
    }
    return pattern;
}

static json_t *number(double value)
{
    const bool whole = value == floor(value) && fabs(value) < 0x1p53;
    return whole ? json_integer((json_int_t)value) : json_real(value);
}

static void put(json_t *root, const char *key, json_t *value, bool *failed)
{
    if (json_object_set_new(root, key, value) != 0)
        *failed = true;
}

/* Keys that old versions of PEFT do not know are left out where they would say nothing. */
static json_t *config_of(const lcal__adapter_source *from, bool *failed)
{
    const size_t r = common_rank(from);
    json_t *root = json_object();
    put(root, "base_model_name_or_path",
        from->base_name ? json_string(from->base_name) : json_null(), failed);
    put(root, "bias", json_string("none"), failed);
    put(root, "fan_in_fan_out", json_false(), failed);
    put(root, "inference_mode", json_true(), failed);
    put(root, "init_lora_weights", json_true(), failed);
    put(root, "lora_alpha", number(from->alpha != 0.0 ? from->alpha : (double)r), failed);
    put(root, "lora_dropout", json_real(0.0), failed);
    put(root, "modules_to_save", json_null(), failed);
    put(root, "peft_type", json_string("LORA"), failed);
    put(root, "r", json_integer((json_int_t)r), failed);
    put(root, "target_modules", target_modules(from, failed), failed);
    put(root, "task_type", json_string("CAUSAL_LM"), failed);
    json_t *apart = ranks_apart(from, r, failed);
    if (json_object_size(apart) && from->alpha == 0.0)
        put(root, "alpha_pattern", json_incref(apart), failed);
    if (json_object_size(apart))
        put(root, "rank_pattern", json_incref(apart), failed);
    json_decref(apart);
    if (from->bias)
        put(root, "lora_bias", json_true(), failed);
    return root;
}

static lcal_status write_config(const lcal__adapter_source *from, const char *path, lcal_error *err)
{
    bool failed = false;
    json_t *root = config_of(from, &failed);
    char *text = NULL;
    lcal_status status = failed ? lcal__fail_nomem(err, path) : lcal__json_write(root, &text, err);
    json_decref(root);
    if (status == LCAL_OK)
        status = lcal__file_replace(path, text, strlen(text), err);
    lcal__free(text);
    return status;
}

/* --- adapter_model.safetensors --------------------------------------------------------------- */

/* A tensor to be written, and whose it is. */
typedef struct part {
    char name[LCAL_TENSOR_NAME_MAX];
    size_t layer;
    lcal__proj proj;
    lcal__lora_part part;
} part;

typedef struct writing {
    const lcal__adapter_source *from;
    part *parts;
    lcal__tensor *tensors;
    size_t count;
    /* The pair whose parts are being written: they come one after another. */
    lcal__lora_pair pair;
    size_t pair_layer;
    lcal__proj pair_proj;
    bool has_pair;
} writing;

static void add_part(writing *w, size_t layer, lcal__proj proj, lcal__lora_part which, size_t rows,
                     size_t cols)
{
    static const char *const endings[] = {"lora_A.weight", "lora_B.weight", "lora_B.bias"};
    char module[LCAL__MODULE_NAME_MAX];
    part *p = &w->parts[w->count];
    p->layer = layer;
    p->proj = proj;
    p->part = which;
    lcal__module_name(layer, proj, module);
    snprintf(p->name, sizeof(p->name), "base_model.model.%s.%s", module, endings[which]);
    w->tensors[w->count++] = (lcal__tensor){.name = p->name,
                                            .dtype = w->from->dtype,
                                            .rank = which == LCAL__LORA_BIAS ? 1 : 2,
                                            .shape = {rows, cols},
                                            .elements = rows * cols};
}

static void add_parts(writing *w, size_t layer, lcal__proj proj)
{
    const size_t rank = rank_of(w->from, layer, proj);
    const size_t rows = lcal__proj_out(w->from->config, proj);
    if (!rank)
        return;
    add_part(w, layer, proj, LCAL__LORA_A, rank, lcal__proj_in(w->from->config, proj));
    add_part(w, layer, proj, LCAL__LORA_B, rows, rank);
    if (w->from->bias)
        add_part(w, layer, proj, LCAL__LORA_BIAS, rows, 1);
}

static lcal_status put_part(void *context, size_t index, lcal__tensor_sink *sink, lcal_error *err)
{
    writing *w = context;
    const part *p = &w->parts[index];
    if (!w->has_pair || w->pair_layer != p->layer || w->pair_proj != p->proj) {
        LCAL_TRY(w->from->pair(w->from->context, p->layer, p->proj, &w->pair, err));
        w->has_pair = true;
        w->pair_layer = p->layer;
        w->pair_proj = p->proj;
    }
    const float *const values[] = {w->pair.a, w->pair.b, w->pair.bias};
    return lcal__tensor_put_f32(sink, values[p->part], w->tensors[index].elements, err);
}

static lcal_status write_weights(const lcal__adapter_source *from, const char *path,
                                 lcal_error *err)
{
    const size_t most = from->config->layers * LCAL__PROJ_COUNT * LCAL__LORA_PARTS;
    writing w = {
        .from = from,
        .parts = lcal__calloc(most, sizeof(part)),
        .tensors = lcal__calloc(most, sizeof(lcal__tensor)),
    };
    lcal_status status = w.parts && w.tensors ? LCAL_OK : lcal__fail_nomem(err, path);
    for (size_t layer = 0; layer < from->config->layers && status == LCAL_OK; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
            add_parts(&w, layer, p);
    if (status == LCAL_OK)
        status = lcal__safetensors_write_from(path, w.tensors, w.count, from->metadata,
                                              from->metadata_pairs, put_part, &w, err);
    lcal__free(w.parts);
    lcal__free(w.tensors);
    return status;
}

lcal_status lcal__adapter_write_from(const char *directory, const lcal__adapter_source *from,
                                     lcal_error *err)
{
    if (common_rank(from) == 0)
        return lcal__fail(err, LCAL_INVALID, "%s: an adapter without pairs", directory);
    LCAL_TRY(lcal__dir_make(directory, err));
    char *config_path = lcal__path_join(directory, "adapter_config.json");
    char *weights_path = lcal__path_join(directory, "adapter_model.safetensors");
    lcal_status status = config_path && weights_path ? LCAL_OK : lcal__fail_nomem(err, directory);
    if (status == LCAL_OK)
        status = write_weights(from, weights_path, err);
    if (status == LCAL_OK)
        status = write_config(from, config_path, err);
    lcal__free(config_path);
    lcal__free(weights_path);
    return status;
}

/* --- pairs in memory ------------------------------------------------------------------------- */

static lcal_status give_pair(void *context, size_t layer, lcal__proj proj, lcal__lora_pair *out,
                             lcal_error *err)
{
    (void)err;
    const lcal__lora_pair *pairs = context;
    *out = pairs[layer * LCAL__PROJ_COUNT + proj];
    return LCAL_OK;
}

lcal_status lcal__adapter_write(const char *directory, const char *base_name,
                                const lcal__lora_pair *pairs, size_t layers,
                                const lcal__model_config *config, size_t rank, double alpha,
                                lcal_error *err)
{
    const float scale = (float)(alpha / (double)rank);
    const size_t modules = layers * LCAL__PROJ_COUNT;
    size_t *ranks = lcal__calloc(modules, sizeof(*ranks));
    lcal_status status = ranks ? LCAL_OK : lcal__fail_nomem(err, directory);
    for (size_t i = 0; i < modules && status == LCAL_OK; i++) {
        if (!pairs[i].a)
            continue;
        ranks[i] = pairs[i].rank;
        if (pairs[i].rank != rank || pairs[i].scale != scale)
            status = lcal__fail(err, LCAL_INVALID,
                                "%s: pair %zu has rank %zu and scale %g, the adapter rank %zu and "
                                "scale %g",
                                directory, i, pairs[i].rank, (double)pairs[i].scale, rank,
                                (double)scale);
    }
    const lcal__adapter_source from = {
        .config = config,
        .base_name = base_name,
        .ranks = ranks,
        .alpha = alpha,
        .pair = give_pair,
        .context = (void *)pairs,
    };
    if (status == LCAL_OK)
        status = lcal__adapter_write_from(directory, &from, err);
    lcal__free(ranks);
    return status;
}
