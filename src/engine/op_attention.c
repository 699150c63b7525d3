/* The plan of attention (attention.h); forward and backward have files of their own. */
#include <math.h>

#include "engine/attention.h"
#include "engine/op_plan.h"

lcal__attention lcal__attention_of(const lcal__model_config *config)
{
    return (lcal__attention){
        .heads = config->heads,
        .group = config->heads / config->kv_heads,
        .head_dim = config->head_dim,
        .q_cols = config->heads * config->head_dim,
        .kv_cols = config->kv_heads * config->head_dim,
        .scale = (float)(1.0 / sqrt((double)config->head_dim)),
    };
}

size_t lcal__attention_stride(size_t length)
{
    return length < LCAL__ATTENTION_KEYS ? (length + 15) / 16 * 16 : LCAL__ATTENTION_KEYS;
}

size_t lcal__attention_heads(const lcal__exec *exec, size_t blocks, size_t heads)
{
    return blocks / 8 >= exec->threads ? heads : 1;
}

static lcal_status plan(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *out,
                        lcal_error *err)
{
    const bool *wanted = shape->in_grad;
    lcal__carver forward = {0}, backward = {0};
    *out = (lcal__op_plan){.in_place = -1, .pass_grad = -1};
    LCAL_TRY(lcal__op_check_extent("attention", "heads * head_dim", shape->in_cols[0], err));
    lcal__carve(&forward, shape->threads, LCAL__ATTENTION_FORWARD_TILES * LCAL__ATTENTION_TILE);
    LCAL_TRY(lcal__carved(&forward, "attention", &out->forward_scratch, err));
    if (!wanted[0] && !wanted[1] && !wanted[2])
        return LCAL_OK;
    out->keep_in[0] = out->keep_in[1] = true;
    out->keep_in[2] = out->keep_out = wanted[0] || wanted[1];
    out->aux_cols = attr->config->heads;
    lcal__carve(&backward, shape->threads, LCAL__ATTENTION_BACKWARD_TILES * LCAL__ATTENTION_TILE);
    return lcal__carved(&backward, "attention", &out->backward_scratch, err);
}

const lcal__op_kind lcal__op_attention = {"attention", plan, lcal__attention_forward,
                                          lcal__attention_backward};
