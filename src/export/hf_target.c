#include "export/hf_target.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "model/family.h"

/* --- its configuration ----------------------------------------------------------------------- */

static const lcal__switch *bias_switch(const lcal__family *family, lcal__proj proj)
{
    switch (proj) {
    case LCAL__Q:
    case LCAL__K:
    case LCAL__V:
        return &family->qkv_bias;
    case LCAL__O:
        return &family->o_bias;
    case LCAL__GATE:
    case LCAL__UP:
    case LCAL__DOWN:
    case LCAL__PROJ_COUNT:
        break;
    }
    return &family->mlp_bias;
}

static bool needs_bias(const lcal__exporting *job, lcal__proj proj)
{
    for (size_t layer = 0; layer < job->model->base.config.layers; layer++)
        if (lcal__update_shape_of(job->update, layer, proj).bias)
            return true;
    return false;
}

static lcal_status refuse_bias(const lcal__model_config *config, lcal__proj proj, lcal_error *err)
{
    const bool qwen = config->arch == LCAL__ARCH_QWEN2;
    return lcal__fail(err, LCAL_UNSUPPORTED,
                      "the update adds a vector to %s, but the class %s has no bias there; %speft "
                      "(lora_bias) can hold it",
                      lcal__proj_name(proj), lcal__arch_name(config->arch),
                      qwen ? "as llama, or " : "");
}

/* Switches biases on until every needed one has a place; a key of a class switches several. */
static lcal_status switch_biases(const lcal__exporting *job, lcal__model_config *config,
                                 lcal_error *err)
{
    const lcal__family *family = lcal__family_of(config->arch);
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        const char *key = bias_switch(family, p)->key;
        if (config->bias[p] || !needs_bias(job, p))
            continue;
        if (!key)
            return refuse_bias(config, p, err);
        for (lcal__proj other = 0; other < LCAL__PROJ_COUNT; other++) {
            const char *same = bias_switch(family, other)->key;
            if (same && strcmp(same, key) == 0)
                config->bias[other] = true;
        }
    }
    return LCAL_OK;
}

/* qwen2 is llama with biases on q, k and v; llama has them on o too, where zeros do nothing. */
static lcal_status change_class(const char *class, lcal__model_config *config, lcal_error *err)
{
    lcal__arch arch;
    if (!class || strcmp(class, lcal__arch_name(config->arch)) == 0)
        return LCAL_OK;
    if (!lcal__family_find(class, &arch) || arch != LCAL__ARCH_LLAMA
        || config->arch != LCAL__ARCH_QWEN2)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "a %s model cannot be written as %s: only qwen2 as llama",
                          lcal__arch_name(config->arch), class);
    config->arch = LCAL__ARCH_LLAMA;
    config->bias[LCAL__O] = true;
    return LCAL_OK;
}

lcal_status lcal__hf_target_config(const lcal__exporting *job, lcal__model_config *out,
                                   lcal_error *err)
{
    *out = job->model->base.config;
    LCAL_TRY(change_class(job->options->as, out, err));
    return switch_biases(job, out, err);
}

/* --- its tensors ----------------------------------------------------------------------------- */

/* Which projection a slot belongs to. */
static void find_projection(const lcal__model *view, const lcal__model_slot *slot,
                            lcal__hf_tensor *out)
{
    for (size_t layer = 0; layer < view->config.layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            lcal__linear_weights *linear = &view->layers[layer].proj[p];
            if (slot->matrix == &linear->weight || slot->vector == &linear->bias) {
                out->projection = true;
                out->layer = layer;
                out->proj = p;
                return;
            }
        }
}

static lcal_status add_slot(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    lcal__hf_target *target = context;
    if (!lcal__grow((void **)&target->tensors, &target->capacity, target->count + 1,
                    sizeof(*target->tensors)))
        return lcal__fail_nomem(err, slot->name);
    lcal__hf_tensor *t = &target->tensors[target->count++];
    *t = (lcal__hf_tensor){
        .rows = slot->rows,
        .cols = slot->cols,
        .vector = !slot->matrix,
        .dtype = slot->matrix ? slot->matrix->dtype : LCAL__F32,
        .data = slot->matrix ? slot->matrix->data : *slot->vector,
    };
    snprintf(t->name, sizeof(t->name), "%s", slot->name);
    find_projection(&target->view, slot, t);
    return LCAL_OK;
}

lcal_status lcal__hf_target_open(const lcal__exporting *job, lcal__hf_target *out, lcal_error *err)
{
    const lcal__model *base = &job->model->base;
    *out = (lcal__hf_target){.view = *base};
    out->view.layers = NULL;
    lcal_status status = lcal__hf_target_config(job, &out->config, err);
    if (status == LCAL_OK) {
        out->converted = out->config.arch != base->config.arch;
        out->view.config = out->config;
        status = lcal__layers_alloc(&out->view, err);
    }
    if (status == LCAL_OK) {
        memcpy(out->view.layers, base->layers, base->config.layers * sizeof(*base->layers));
        status = lcal__slots_walk(&out->view, add_slot, out, err);
    }
    if (status != LCAL_OK)
        lcal__hf_target_close(out);
    return status;
}

void lcal__hf_target_close(lcal__hf_target *target)
{
    lcal__free(target->view.layers);
    lcal__free(target->tensors);
    *target = (lcal__hf_target){0};
}
