/* Method base: all weights move into the parameter block, under their Hugging Face names. */
#include <string.h>

#include "calib/assembly_parts.h"

static lcal_status add_tensor(void *context, const char *name, size_t rows, size_t cols,
                              lcal__dtype dtype, const void *data, lcal_error *err)
{
    (void)dtype;
    (void)data;
    return lcal__params_add(context, name, rows, cols, NULL, err);
}

/* Where each tensor of the block is used; the walk is the same as the one that added them. */
typedef struct binder {
    const lcal__model *model;
    lcal__assembly *out;
    bool training;
    size_t next;
} binder;

static void bind_matrix(lcal__weight *weight, float **grad, const lcal__weight *of_model,
                        const void *data, lcal__leaf leaf)
{
    if (of_model->data != data)
        return;
    *weight = (lcal__weight){of_model->rows, of_model->cols, LCAL__F32, leaf.value};
    *grad = leaf.grad;
}

static void bind_vector(lcal__leaf *place, const float *of_model, const void *data, lcal__leaf leaf)
{
    if (of_model && (const void *)of_model == data)
        *place = leaf;
}

static void bind_norm(lcal__norm *norm, const lcal__norm_weights *of_model, const void *data,
                      lcal__leaf leaf)
{
    bind_vector(&norm->weight, of_model->weight, data, leaf);
    bind_vector(&norm->bias, of_model->bias, data, leaf);
}

static lcal_status bind_tensor(void *context, const char *name, size_t rows, size_t cols,
                               lcal__dtype dtype, const void *data, lcal_error *err)
{
    (void)name;
    (void)err;
    binder *b = context;
    const lcal__model *model = b->model;
    lcal__network *network = &b->out->network;
    lcal__leaf leaf = lcal__params_leaf(&b->out->params, b->next++);
    const size_t count = (rows ? rows : 1) * cols;
    lcal__convert_to_f32(dtype, data, (float *)leaf.value, count);
    lcal__model_release(model, data, count * lcal__dtype_size(dtype));
    if (!b->training)
        leaf.grad = NULL;
    bind_matrix(&network->embedding, &network->embedding_grad, &model->embedding, data, leaf);
    bind_matrix(&network->head, &network->head_grad, &model->head, data, leaf);
    bind_norm(&network->final_norm, &model->final_norm, data, leaf);
    for (size_t layer = 0; layer < model->config.layers; layer++) {
        const lcal__layer_weights *weights = &model->layers[layer];
        lcal__block *block = &network->blocks[layer];
        bind_norm(&block->attention_norm, &weights->attention_norm, data, leaf);
        bind_norm(&block->mlp_norm, &weights->mlp_norm, data, leaf);
        for (size_t p = 0; p < LCAL__PROJ_COUNT; p++) {
            bind_matrix(&block->proj[p].weight, &block->proj[p].weight_grad,
                        &weights->proj[p].weight, data, leaf);
            bind_vector(&block->proj[p].bias, weights->proj[p].bias, data, leaf);
        }
    }
    return LCAL_OK;
}

lcal_status lcal__assemble_base(const lcal__model *model, bool training, lcal__assembly *out,
                                lcal_error *err)
{
    LCAL_TRY(lcal__network_init(model, &out->network, err));
    LCAL_TRY(lcal__model_visit(model, add_tensor, &out->params, err));
    LCAL_TRY(lcal__params_allocate(&out->params, err));
    binder b = {model, out, training, 0};
    return lcal__model_visit(model, bind_tensor, &b, err);
}
