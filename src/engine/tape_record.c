/* Recording: the decoder as a list of nodes, which values need a gradient, and each op's plan. */
#include "base/mem.h"
#include "engine/tape_parts.h"

/* Nodes of one layer and of the whole, at most (attention 10, MLP 5, gathers 3; embed, norm, head).
 */
#define NODES_PER_LAYER 18
#define NODES_OUTSIDE 3

/* Adds a node and the value it writes; returns the value. The arrays are sized for the worst case.
 */
static size_t emit(lcal__tape *tape, const lcal__op_kind *kind, lcal__op_attr attr, size_t block,
                   size_t cols, bool of_rows, size_t in0, size_t in1, size_t in2)
{
    size_t node = tape->node_count++, value = tape->value_count++;
    attr.cols = cols;
    attr.config = &tape->network->config;
    tape->nodes[node] = (lcal__tape_node){
        .kind = kind, .attr = attr, .in = {in0, in1, in2}, .out = value, .block = block};
    tape->values[value] = (lcal__tape_value){.cols = cols,
                                             .of_rows = of_rows,
                                             .producer = node,
                                             .block = block,
                                             .home = value,
                                             .grad_home = value};
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++) {
        size_t in = tape->nodes[node].in[i];
        if (in == LCAL__NONE)
            continue;
        tape->values[in].consumers++;
        tape->values[in].last_consumer = node;
        tape->values[in].boundary |= tape->values[in].block != block;
    }
    return value;
}

typedef struct layer_recorder {
    lcal__tape *tape;
    size_t layer;
    bool of_rows;
} layer_recorder;

static size_t emit_linear(const layer_recorder *at, lcal__proj proj, size_t x, size_t residual)
{
    const lcal__linear *linear = &at->tape->network->blocks[at->layer].proj[proj];
    return emit(at->tape, &lcal__op_linear, (lcal__op_attr){.linear = linear}, at->layer,
                linear->weight.rows, at->of_rows, x, residual, LCAL__NONE);
}

static size_t emit_unary(const layer_recorder *at, const lcal__op_kind *kind,
                         const lcal__norm *norm, size_t x)
{
    return emit(at->tape, kind, (lcal__op_attr){.norm = norm}, at->layer, at->tape->values[x].cols,
                at->of_rows, x, LCAL__NONE, LCAL__NONE);
}

static size_t record_layer(lcal__tape *tape, size_t layer, size_t x)
{
    const lcal__network *network = tape->network;
    const lcal__block *block = &network->blocks[layer];
    layer_recorder at = {tape, layer, false};
    size_t h = emit_unary(&at, &lcal__op_norm, &block->attention_norm, x);
    size_t q = emit_linear(&at, LCAL__Q, h, LCAL__NONE);
    size_t k = emit_linear(&at, LCAL__K, h, LCAL__NONE);
    size_t v = emit_linear(&at, LCAL__V, h, LCAL__NONE);
    q = emit_unary(&at, &lcal__op_rope, NULL, q);
    k = emit_unary(&at, &lcal__op_rope, NULL, k);
    size_t mixed = emit(tape, &lcal__op_attention, (lcal__op_attr){0}, layer, tape->values[q].cols,
                        false, q, k, v);
    if (layer + 1 == network->config.layers) {
        /* Past the last attention only the rows whose prediction is wanted matter. */
        at.of_rows = true;
        mixed = emit_unary(&at, &lcal__op_gather, NULL, mixed);
        x = emit_unary(&at, &lcal__op_gather, NULL, x);
        if (network->config.parallel_residual)
            h = emit_unary(&at, &lcal__op_gather, NULL, h);
    }
    x = emit_linear(&at, LCAL__O, mixed, x);
    if (!network->config.parallel_residual)
        h = emit_unary(&at, &lcal__op_norm, &block->mlp_norm, x);
    size_t gate = emit_linear(&at, LCAL__GATE, h, LCAL__NONE);
    size_t up = emit_linear(&at, LCAL__UP, h, LCAL__NONE);
    size_t unit = emit(tape, &lcal__op_glu, (lcal__op_attr){0}, layer, network->config.ffn,
                       at.of_rows, gate, up, LCAL__NONE);
    return emit_linear(&at, LCAL__DOWN, unit, x);
}

static void record(lcal__tape *tape)
{
    const lcal__network *network = tape->network;
    const size_t layers = network->config.layers;
    layer_recorder outside = {tape, layers, true};
    size_t x =
        emit(tape, &lcal__op_embed,
             (lcal__op_attr){.weight = &network->embedding, .weight_grad = network->embedding_grad},
             layers, network->config.hidden, false, LCAL__NONE, LCAL__NONE, LCAL__NONE);
    for (size_t layer = 0; layer < layers; layer++)
        x = record_layer(tape, layer, x);
    x = emit_unary(&outside, &lcal__op_norm, &network->final_norm, x);
    emit(tape, &lcal__op_head,
         (lcal__op_attr){.weight = &network->head, .weight_grad = network->head_grad}, layers, 0,
         true, x, LCAL__NONE, LCAL__NONE);
}

static bool trains(const lcal__tape_node *node)
{
    return node->attr.weight_grad || (node->attr.linear && lcal__linear_trains(node->attr.linear))
           || (node->attr.norm && lcal__norm_trains(node->attr.norm));
}

lcal_status lcal__tape_build(lcal__tape *tape, lcal_error *err)
{
    const lcal__tape_options *options = &tape->options;
    size_t nodes = tape->network->config.layers * NODES_PER_LAYER + NODES_OUTSIDE;
    tape->nodes = lcal__calloc(nodes, sizeof(*tape->nodes));
    tape->values = lcal__calloc(nodes, sizeof(*tape->values));
    if (!tape->nodes || !tape->values)
        return lcal__fail_nomem(err, "the tape");
    record(tape);
    for (size_t n = 0; n < tape->node_count; n++) {
        lcal__tape_node *node = &tape->nodes[n];
        lcal__tape_value *out = &tape->values[node->out];
        lcal__op_shape shape = {
            .capacity = options->capacity,
            .rows = out->of_rows ? options->capacity.rows : options->capacity.tokens,
            .training = options->training,
            .threads = tape->exec.threads,
        };
        node->back = options->training && trains(node);
        for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
            if (node->in[i] != LCAL__NONE) {
                shape.in_cols[i] = tape->values[node->in[i]].cols;
                shape.in_grad[i] = tape->values[node->in[i]].grad;
                node->back |= shape.in_grad[i];
            }
        out->grad = node->back;
        LCAL_TRY(node->kind->plan(&node->attr, &shape, &node->plan, err));
    }
    return LCAL_OK;
}
