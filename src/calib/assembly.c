#include "calib/assembly.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "calib/assembly_parts.h"
#include "config/merge_rule.h"
#include "num/gemm.h"

/* What a projection of one layer comes to. */
typedef struct site_plan {
    lcal__merge_shape shape;
    bool folded; /* the frozen pairs go into a copy of the weight */
    bool copied; /* the weight gets an f32 copy */
    size_t terms;
} site_plan;

static const lcal__lora_pair *pair_of(const lcal__adapter_use *use, size_t layer, size_t proj)
{
    const lcal__lora_pair *pair = lcal__adapter_pair(use->adapter, layer, (lcal__proj)proj);
    return pair->a ? pair : NULL;
}

/* uses[0..merge->count) are merged, the rest up to `count` are apart. */
static site_plan plan_site(const lcal__model *model, const lcal__merge *merge, size_t count,
                           const lcal__assembly_options *options, size_t layer, size_t proj)
{
    const lcal__calib_spec *spec = options->spec;
    bool targeted = spec && lcal__calib_targets(spec, (lcal__proj)proj);
    bool needs_factors = targeted && spec->method == LCAL__METHOD_COLUMNS;
    bool fast = options->memory == LCAL__MEMORY_FAST;
    size_t apart = 0, biases = 0;
    for (size_t a = 0; a < count; a++) {
        const lcal__lora_pair *pair = pair_of(&merge->uses[a], layer, proj);
        apart += a >= merge->count && pair;
        biases += pair && pair->bias;
    }
    site_plan plan = {.shape = lcal__merge_shape_of(merge, layer, (lcal__proj)proj)};
    const bool dense = plan.shape.adapters > 0 && plan.shape.pairs == 0;
    plan.folded = dense || (fast && !needs_factors && plan.shape.adapters + apart > 0);
    plan.copied =
        plan.folded || (fast && model->layers[layer].proj[proj].weight.dtype != LCAL__F32);
    /* Biases are no part of a matrix: they stay terms where pairs are folded. */
    plan.terms = (plan.folded ? 0 : plan.shape.pairs + apart) + biases
                 + (targeted && !needs_factors ? 1 : 0);
    return plan;
}

static bool trains_base(const lcal__assembly_options *options)
{
    return options->spec && options->spec->method == LCAL__METHOD_BASE;
}

/* --- storage ----------------------------------------------------------------------------- */

static lcal_status reserve(lcal__assembly_storage *storage, size_t sites, size_t terms,
                           lcal_error *err)
{
    storage->copies = lcal__calloc(sites + 1, sizeof(*storage->copies));
    storage->terms = lcal__calloc(terms, sizeof(*storage->terms));
    storage->merged = lcal__calloc(sites, sizeof(*storage->merged));
    if (!storage->copies || !storage->terms || !storage->merged)
        return lcal__fail_nomem(err, "the network");
    return LCAL_OK;
}

/* An f32 copy of a weight, owned by the storage; NULL where only shapes are wanted. */
static lcal_status copy_weight(lcal__assembly *out, const lcal__model *model,
                               const lcal__assembly_options *options, lcal__weight *weight,
                               float **copy, lcal_error *err)
{
    lcal__assembly_storage *storage = out->storage;
    size_t count = weight->rows * weight->cols;
    if (options->shapes_only) {
        *copy = NULL;
        *weight = (lcal__weight){weight->rows, weight->cols, LCAL__F32, NULL};
        out->weight_bytes += count * sizeof(float);
        return LCAL_OK;
    }
    *copy = lcal__alloc_aligned(count, sizeof(float));
    if (!*copy)
        return lcal__fail_nomem(err, "an f32 copy of a weight");
    storage->copies[storage->copy_count++] = *copy;
    lcal__convert_to_f32(weight->dtype, weight->data, *copy, count);
    lcal__model_release(model, weight->data, count * lcal__dtype_size(weight->dtype));
    *weight = (lcal__weight){weight->rows, weight->cols, LCAL__F32, *copy};
    out->weight_bytes += count * sizeof(float);
    return LCAL_OK;
}

/* --- one projection ---------------------------------------------------------------------- */

static void fold(const lcal__exec *exec, const lcal__lora_pair *pair, float weight,
                 const lcal__weight *shape, float *copy)
{
    lcal__gemm(exec, false, false, shape->rows, shape->cols, pair->rank, weight * pair->scale,
               pair->b, pair->rank, pair->a, shape->cols, 1.0f, copy, shape->cols);
}

/* The merge, and what is apart from it, into the copy of the weight. */
static lcal_status fold_site(lcal__assembly *out, size_t count, size_t layer, size_t proj,
                             const lcal__weight *shape, float *copy, lcal_error *err)
{
    const lcal__merge *merge = &((lcal__assembly_storage *)out->storage)->merge;
    lcal__merged merged;
    LCAL_TRY(lcal__merge_module(merge, layer, (lcal__proj)proj, &merged, err));
    lcal_status status = lcal__merged_add(&merged, copy, err);
    if (merged.truncation > out->truncation)
        out->truncation = merged.truncation;
    lcal__merged_free(&merged);
    LCAL_TRY(status);
    for (size_t a = merge->count; a < count; a++) {
        const lcal__lora_pair *pair = pair_of(&merge->uses[a], layer, proj);
        if (pair)
            fold(&merge->exec, pair, merge->uses[a].weight, shape, copy);
    }
    return LCAL_OK;
}

static lcal__leaf trained_leaf(const lcal__assembly *out, bool training, const char *prefix,
                               size_t proj, const char *leaf)
{
    char name[128];
    snprintf(name, sizeof(name), "%s%s.%s", prefix, lcal__proj_name((lcal__proj)proj), leaf);
    const lcal__param *param = lcal__params_find(&out->params, name);
    return (lcal__leaf){out->params.values + param->offset,
                        training ? out->params.grads + param->offset : NULL};
}

/* The term of lc, lcpp or lora at one projection. */
static lcal__term trained_term(const lcal__assembly *out, const lcal__calib_spec *spec,
                               bool training, size_t layer, size_t proj)
{
    char prefix[64] = "";
    bool lora = spec->method == LCAL__METHOD_LORA;
    if (lora || spec->share == LCAL__SHARE_NONE)
        snprintf(prefix, sizeof(prefix), "layers.%zu.", layer);
    lcal__term term = {.scale = (float)spec->scale, .rank = spec->rank};
    if (spec->method == LCAL__METHOD_LC) {
        term.kind = spec->form == LCAL__FORM_OUTPUT ? LCAL__TERM_OUTPUT : LCAL__TERM_BROADCAST;
        term.p = trained_leaf(out, training, prefix, proj, "p");
    } else {
        term.kind = LCAL__TERM_LOWRANK;
        term.a = trained_leaf(out, training, prefix, proj, lora ? "A" : "P1");
        term.b = trained_leaf(out, training, prefix, proj, lora ? "B" : "P2");
    }
    return term;
}

static lcal__term frozen_term(const lcal__lora_pair *pair, float weight)
{
    return (lcal__term){.kind = LCAL__TERM_LOWRANK,
                        .scale = weight * pair->scale,
                        .rank = pair->rank,
                        .a = {pair->a, NULL},
                        .b = {pair->b, NULL}};
}

/* The biases of adapters (lora_bias), which every merge that allows them adds up. */
static size_t bias_terms(const lcal__adapter_use *uses, size_t count, size_t layer, size_t proj,
                         lcal__term *terms)
{
    size_t used = 0;
    for (size_t a = 0; a < count; a++) {
        const lcal__lora_pair *pair = pair_of(&uses[a], layer, proj);
        if (pair && pair->bias)
            terms[used++] = (lcal__term){.kind = LCAL__TERM_OUTPUT,
                                         .scale = uses[a].weight * pair->scale,
                                         .p = {pair->bias, NULL}};
    }
    return used;
}

/* The merge as terms; where only shapes are wanted, terms of its ranks with no numbers. */
static lcal_status merge_terms(lcal__assembly *out, const lcal__merge_shape *shape,
                               bool shapes_only, size_t layer, size_t proj, lcal__term *terms,
                               lcal_error *err)
{
    lcal__assembly_storage *storage = out->storage;
    out->weight_bytes += shape->floats * sizeof(float);
    if (shapes_only && shape->floats) {
        terms[0] = (lcal__term){.kind = LCAL__TERM_LOWRANK, .scale = 1.0f, .rank = shape->rank};
        return LCAL_OK;
    }
    lcal__merged *merged = &storage->merged[storage->merged_count++];
    LCAL_TRY(lcal__merge_module(&storage->merge, layer, (lcal__proj)proj, merged, err));
    for (size_t i = 0; i < merged->count; i++)
        terms[i] = frozen_term(&merged->pairs[i], 1.0f);
    if (merged->truncation > out->truncation)
        out->truncation = merged->truncation;
    return LCAL_OK;
}

/* The adapters' own pairs with a trained vector each (method columns). */
static size_t column_terms(const lcal__assembly *out, const lcal__adapter_use *uses, size_t count,
                           bool training, size_t layer, size_t proj, lcal__term *terms)
{
    size_t used = 0;
    for (size_t a = 0; a < count; a++) {
        const lcal__lora_pair *pair = pair_of(&uses[a], layer, proj);
        char prefix[64];
        if (!pair)
            continue;
        snprintf(prefix, sizeof(prefix), "adapters.%zu.layers.%zu.", a, layer);
        terms[used] = frozen_term(pair, uses[a].weight);
        terms[used++].m = trained_leaf(out, training, prefix, proj, "m");
    }
    return used;
}

static lcal_status build_site(lcal__assembly *out, const lcal__model *model, size_t count,
                              const lcal__assembly_options *options, size_t layer, size_t proj,
                              lcal_error *err)
{
    lcal__assembly_storage *storage = out->storage;
    const lcal__merge *merge = &storage->merge;
    const lcal__calib_spec *spec = options->spec;
    const site_plan plan = plan_site(model, merge, count, options, layer, proj);
    const bool targeted = spec && lcal__calib_targets(spec, (lcal__proj)proj);
    const bool columns = targeted && spec->method == LCAL__METHOD_COLUMNS;
    lcal__linear *linear = &out->network.blocks[layer].proj[proj];
    lcal__term *terms = &storage->terms[storage->term_count];
    float *copy = NULL;
    size_t used = 0;
    if (plan.copied)
        LCAL_TRY(copy_weight(out, model, options, &linear->weight, &copy, err));
    if (columns) {
        used = column_terms(out, merge->uses, count, options->training, layer, proj, terms);
    } else if (plan.folded && copy) {
        LCAL_TRY(fold_site(out, count, layer, proj, &linear->weight, copy, err));
    } else if (!plan.folded) {
        if (plan.shape.pairs)
            LCAL_TRY(merge_terms(out, &plan.shape, options->shapes_only, layer, proj, terms, err));
        used = plan.shape.pairs;
        for (size_t a = merge->count; a < count; a++) {
            const lcal__lora_pair *pair = pair_of(&merge->uses[a], layer, proj);
            if (pair)
                terms[used++] = frozen_term(pair, merge->uses[a].weight);
        }
    }
    used += bias_terms(merge->uses, count, layer, proj, terms + used);
    if (targeted && !columns)
        terms[used++] = trained_term(out, spec, options->training, layer, proj);
    linear->terms = terms;
    linear->term_count = used;
    storage->term_count += used;
    return LCAL_OK;
}

/* --- the whole --------------------------------------------------------------------------- */

/* FAST: the head, and the embedding that may be the same matrix, in f32. */
static lcal_status widen_embedding(lcal__assembly *out, const lcal__model *model,
                                   const lcal__assembly_options *options, lcal_error *err)
{
    float *copy;
    if (model->head.dtype != LCAL__F32)
        LCAL_TRY(copy_weight(out, model, options, &out->network.head, &copy, err));
    if (model->config.tied)
        out->network.embedding = out->network.head;
    return LCAL_OK;
}

static size_t as_stored(const lcal__weight *used, const lcal__weight *of_model)
{
    return used->data == of_model->data ? used->rows * used->cols * lcal__dtype_size(used->dtype)
                                        : 0;
}

static size_t stored_bytes(const lcal__network *network, const lcal__model *model)
{
    size_t bytes = as_stored(&network->head, &model->head);
    if (!model->config.tied)
        bytes += as_stored(&network->embedding, &model->embedding);
    for (size_t layer = 0; layer < model->config.layers; layer++)
        for (size_t proj = 0; proj < LCAL__PROJ_COUNT; proj++)
            bytes += as_stored(&network->blocks[layer].proj[proj].weight,
                               &model->layers[layer].proj[proj].weight);
    return bytes;
}

/* Column mergers scale the inputs of each adapter: they need what concat keeps apart. */
static lcal_status check_columns(const lcal__assembly_options *options, lcal_error *err)
{
    const lcal__merge_settings *merge = options->merge;
    if (!options->spec || options->spec->method != LCAL__METHOD_COLUMNS || !merge
        || merge->method == LCAL__MERGE_CONCAT || merge->method == LCAL__MERGE_LINEAR)
        return LCAL_OK;
    return lcal__fail(err, LCAL_INVALID,
                      "method columns scales the adapters' own factors: expected merge concat or "
                      "linear, found %s",
                      lcal__merge_rule_name(merge->method));
}

static lcal_status build(lcal__assembly *out, const lcal__model *model,
                         const lcal__adapter_use *uses, size_t count,
                         const lcal__assembly_options *options, const lcal__exec *exec,
                         lcal_error *err)
{
    lcal__assembly_storage *storage = out->storage;
    const size_t layers = model->config.layers, merged = count - options->apart;
    size_t terms = 0;
    LCAL_TRY(check_columns(options, err));
    LCAL_TRY(
        lcal__merge_open(options->merge, uses, merged, &model->config, exec, &storage->merge, err));
    LCAL_TRY(lcal__network_init(model, &out->network, err));
    if (options->spec) {
        LCAL_TRY(lcal__calib_layout(options->spec, &model->config, uses, count, &out->params, err));
        LCAL_TRY(lcal__params_allocate(&out->params, err));
    }
    if (!options->shapes_only)
        LCAL_TRY(lcal__merge_prepare(&storage->merge, err));
    for (size_t layer = 0; layer < layers; layer++)
        for (size_t proj = 0; proj < LCAL__PROJ_COUNT; proj++)
            terms += plan_site(model, &storage->merge, count, options, layer, proj).terms;
    LCAL_TRY(reserve(storage, layers * LCAL__PROJ_COUNT, terms, err));
    for (size_t layer = 0; layer < layers; layer++)
        for (size_t proj = 0; proj < LCAL__PROJ_COUNT; proj++)
            LCAL_TRY(build_site(out, model, count, options, layer, proj, err));
    if (options->memory == LCAL__MEMORY_FAST)
        LCAL_TRY(widen_embedding(out, model, options, err));
    out->stored_bytes = stored_bytes(&out->network, model);
    return LCAL_OK;
}

lcal_status lcal__assemble(const lcal__model *model, const lcal__adapter_use *uses, size_t count,
                           const lcal__assembly_options *options, const lcal__exec *exec,
                           lcal__assembly *out, lcal_error *err)
{
    *out = (lcal__assembly){.storage = lcal__calloc(1, sizeof(lcal__assembly_storage))};
    if (!out->storage)
        return lcal__fail_nomem(err, "the network");
    lcal_status status;
    if (!trains_base(options))
        status = build(out, model, uses, count, options, exec, err);
    else if (count)
        status = lcal__fail(err, LCAL_INVALID,
                            "method base trains every weight: it takes no "
                            "adapters, but %zu are given",
                            count);
    else
        status = lcal__assemble_base(model, options->training, out, err);
    if (status != LCAL_OK)
        lcal__assembly_free(out);
    return status;
}

void lcal__assembly_free(lcal__assembly *assembly)
{
    lcal__assembly_storage *storage = assembly->storage;
    if (storage) {
        for (size_t i = 0; i < storage->copy_count; i++)
            lcal__free(storage->copies[i]);
        for (size_t i = 0; i < storage->merged_count; i++)
            lcal__merged_free(&storage->merged[i]);
        lcal__free(storage->merged);
        lcal__merge_close(&storage->merge);
        lcal__free(storage->copies);
        lcal__free(storage->terms);
        lcal__free(storage);
    }
    lcal__network_free(&assembly->network);
    lcal__params_free(&assembly->params);
    *assembly = (lcal__assembly){0};
}
