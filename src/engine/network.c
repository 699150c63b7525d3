#include "engine/network.h"

#include "base/mem.h"

static lcal__norm frozen_norm(const lcal__model_config *config, const lcal__norm_weights *weights)
{
    return (lcal__norm){
        .kind = config->norm,
        .eps = config->norm_eps,
        .cols = config->hidden,
        .weight = {weights->weight, NULL},
        .bias = {weights->bias, NULL},
    };
}

lcal_status lcal__network_init(const lcal__model *model, lcal__network *out, lcal_error *err)
{
    const lcal__model_config *config = &model->config;
    *out = (lcal__network){
        .config = *config,
        .embedding = model->embedding,
        .head = model->head,
        .final_norm = frozen_norm(config, &model->final_norm),
        .blocks = lcal__calloc(config->layers, sizeof(lcal__block)),
    };
    if (!out->blocks)
        return lcal__fail_nomem(err, "the network");
    for (size_t layer = 0; layer < config->layers; layer++) {
        const lcal__layer_weights *weights = &model->layers[layer];
        lcal__block *block = &out->blocks[layer];
        block->attention_norm = frozen_norm(config, &weights->attention_norm);
        block->mlp_norm = frozen_norm(config, &weights->mlp_norm);
        for (size_t p = 0; p < LCAL__PROJ_COUNT; p++)
            block->proj[p] = (lcal__linear){
                .weight = weights->proj[p].weight,
                .bias = {weights->proj[p].bias, NULL},
            };
    }
    return LCAL_OK;
}

void lcal__network_free(lcal__network *network)
{
    lcal__free(network->blocks);
    *network = (lcal__network){0};
}

bool lcal__linear_trains(const lcal__linear *linear)
{
    if (linear->weight_grad || linear->bias.grad)
        return true;
    for (size_t i = 0; i < linear->term_count; i++) {
        const lcal__term *term = &linear->terms[i];
        if (term->p.grad || term->a.grad || term->b.grad || term->m.grad)
            return true;
    }
    return false;
}

bool lcal__norm_trains(const lcal__norm *norm)
{
    return norm->weight.grad || norm->bias.grad;
}
