#include "model/slots.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

/* The walk in progress. */
typedef struct walk {
    const lcal__model *model;
    lcal__slot_fn *fn;
    void *context;
    lcal_error *err;
} walk;

LCAL_PRINTF(3, 4)
static lcal_status call(const walk *on, lcal__model_slot slot, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(slot.name, sizeof(slot.name), format, args);
    va_end(args);
    return on->fn(on->context, &slot, on->err);
}

static lcal__model_slot matrix(lcal__weight *weight, size_t rows, size_t cols)
{
    return (lcal__model_slot){
        .kind = LCAL__SLOT_MATRIX, .rows = rows, .cols = cols, .matrix = weight};
}

static lcal__model_slot vector(lcal__slot_kind kind, const float **values, size_t length)
{
    return (lcal__model_slot){.kind = kind, .rows = length, .cols = 1, .vector = values};
}

/* prefix: what stands before ".weight". */
static lcal_status walk_norm(const walk *on, lcal__norm_weights *norm, const char *prefix)
{
    const lcal__model_config *config = &on->model->config;
    LCAL_TRY(call(on, vector(LCAL__SLOT_NORM, &norm->weight, config->hidden), "%s.weight", prefix));
    if (config->norm == LCAL__NORM_LAYER)
        LCAL_TRY(call(on, vector(LCAL__SLOT_BIAS, &norm->bias, config->hidden), "%s.bias", prefix));
    return LCAL_OK;
}

static lcal_status walk_proj(const walk *on, size_t index, lcal__proj proj)
{
    const lcal__model_config *config = &on->model->config;
    lcal__linear_weights *linear = &on->model->layers[index].proj[proj];
    const char *module = lcal__proj_module(proj);
    size_t rows = lcal__proj_out(config, proj), cols = lcal__proj_in(config, proj);
    LCAL_TRY(
        call(on, matrix(&linear->weight, rows, cols), "model.layers.%zu.%s.weight", index, module));
    if (config->bias[proj])
        LCAL_TRY(call(on, vector(LCAL__SLOT_BIAS, &linear->bias, rows), "model.layers.%zu.%s.bias",
                      index, module));
    return LCAL_OK;
}

static lcal_status walk_layer(const walk *on, size_t index)
{
    char prefix[LCAL__SLOT_NAME_MAX];
    lcal__layer_weights *layer = &on->model->layers[index];
    snprintf(prefix, sizeof(prefix), "model.layers.%zu.input_layernorm", index);
    LCAL_TRY(walk_norm(on, &layer->attention_norm, prefix));
    if (!on->model->config.parallel_residual) {
        snprintf(prefix, sizeof(prefix), "model.layers.%zu.post_attention_layernorm", index);
        LCAL_TRY(walk_norm(on, &layer->mlp_norm, prefix));
    }
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
        LCAL_TRY(walk_proj(on, index, p));
    return LCAL_OK;
}

lcal_status lcal__slots_walk(lcal__model *model, lcal__slot_fn *fn, void *context, lcal_error *err)
{
    const walk on = {model, fn, context, err};
    const lcal__model_config *config = &model->config;
    LCAL_TRY(call(&on, matrix(&model->embedding, config->vocab, config->hidden),
                  "model.embed_tokens.weight"));
    for (size_t i = 0; i < config->layers; i++)
        LCAL_TRY(walk_layer(&on, i));
    LCAL_TRY(walk_norm(&on, &model->final_norm, "model.norm"));
    if (config->tied)
        return LCAL_OK;
    return call(&on, matrix(&model->head, config->vocab, config->hidden), "lm_head.weight");
}

lcal_status lcal__layers_alloc(lcal__model *model, lcal_error *err)
{
    model->layers = lcal__calloc(model->config.layers, sizeof(*model->layers));
    return model->layers ? LCAL_OK : lcal__fail_nomem(err, "the layers of a model");
}
