#include "engine/decoder.h"

#include <assert.h>
#include <string.h>

#include "engine/decoder_parts.h"

/* The rows that the ops of a run work on: all new tokens, or past the last attention the last one
 * of each input. */
typedef struct rows {
    lcal__batch batch;
    size_t count;
    const lcal__span *spans; /* queries by task */
    size_t span_count;
    float *x, *h;
} rows;

static void run_op(lcal__decoder *d, const lcal__op_kind *kind, lcal__op_attr attr, const rows *r,
                   float *in, float *other, float *out)
{
    lcal__feed feed = {.batch = &r->batch};
    attr.config = &d->network->config;
    const lcal__op_run run = {
        .exec = &d->exec,
        .feed = &feed,
        .rows = r->count,
        .rope_cos = d->rope_cos,
        .rope_sin = d->rope_sin,
        .in = {{.x = in}, {.x = other}},
        .out = {.x = out},
        .scratch = d->scratch,
    };
    kind->forward(&attr, &run);
}

static void run_norm(lcal__decoder *d, const lcal__norm *norm, const rows *r)
{
    run_op(d, &lcal__op_norm, (lcal__op_attr){.cols = norm->cols, .norm = norm}, r, r->x, NULL,
           r->h);
}

/* out = residual + W in + terms; residual may be out itself, or NULL. */
static void run_linear(lcal__decoder *d, const lcal__linear *linear, const rows *r, float *in,
                       float *residual, float *out)
{
    run_op(d, &lcal__op_linear, (lcal__op_attr){.cols = linear->weight.rows, .linear = linear}, r,
           in, residual, out);
}

static void run_rope(lcal__decoder *d, const rows *r, size_t cols, float *x)
{
    run_op(d, &lcal__op_rope, (lcal__op_attr){.cols = cols}, r, x, NULL, x);
}

/* Keys and values of the new tokens of one layer, into its cache. */
static void remember(lcal__decoder *d, size_t layer, const rows *all, size_t inputs)
{
    const lcal__block *block = &d->network->blocks[layer];
    run_norm(d, &block->attention_norm, all);
    run_linear(d, &block->proj[LCAL__K], all, all->h, NULL, d->k);
    run_linear(d, &block->proj[LCAL__V], all, all->h, NULL, d->v);
    run_rope(d, all, d->attention.kv_cols, d->k);
    lcal__decoder_store(d, layer, d->inputs, inputs, d->k, d->v);
}

/* The rest of a layer: attention of the rows to what is cached, and the MLP. */
static void run_layer(lcal__decoder *d, size_t layer, const rows *r)
{
    const lcal__model_config *config = &d->network->config;
    const lcal__block *block = &d->network->blocks[layer];
    run_linear(d, &block->proj[LCAL__Q], r, r->h, NULL, d->q);
    run_rope(d, r, d->attention.q_cols, d->q);
    lcal__decoder_attend(d, layer, r->spans, r->span_count, d->q, d->mixed);
    run_linear(d, &block->proj[LCAL__O], r, d->mixed, r->x, r->x);
    if (!config->parallel_residual)
        run_norm(d, &block->mlp_norm, r);
    run_linear(d, &block->proj[LCAL__GATE], r, r->h, NULL, d->gate);
    run_linear(d, &block->proj[LCAL__UP], r, r->h, NULL, d->up);
    run_op(d, &lcal__op_glu, (lcal__op_attr){.cols = config->ffn}, r, d->gate, d->up, d->unit);
    run_linear(d, &block->proj[LCAL__DOWN], r, d->unit, r->x, r->x);
}

/* One task's queries at a time; returns how many blocks. */
static size_t cut_into_blocks(lcal__decoder *d, size_t inputs)
{
    size_t count = 0;
    for (size_t i = 0; i < inputs; i++) {
        const lcal__span *input = &d->inputs[i];
        const size_t most = lcal__decoder_queries(input->position + input->count);
        for (size_t t = 0; t < input->count; t += most)
            d->blocks[count++] = (lcal__span){
                .sequence = input->sequence,
                .row = input->row + t,
                .position = input->position + t,
                .count = input->count - t < most ? input->count - t : most,
            };
    }
    return count;
}

/* Lays the inputs' tokens one after another; returns how many. */
static size_t take_inputs(lcal__decoder *d, const lcal__decode_input *inputs, size_t count)
{
    size_t row = 0;
    assert(count <= d->options.sequences);
    for (size_t i = 0; i < count; i++) {
        const lcal__decode_input *input = &inputs[i];
        const size_t position = d->lengths[input->sequence], after = position + input->count;
        assert(input->sequence < d->options.sequences && input->count > 0);
        assert(after <= d->options.length && row + input->count <= d->options.tokens);
        d->inputs[i] = (lcal__span){input->sequence, row, position, input->count};
        d->last[i] = (lcal__span){input->sequence, i, after - 1, 1};
        memcpy(d->ids + row, input->ids, input->count * sizeof(int32_t));
        for (size_t t = 0; t < input->count; t++)
            d->positions[row + t] = (int32_t)(position + t);
        row += input->count;
        d->last_token[i] = (int32_t)(row - 1);
        d->last_position[i] = (int32_t)(after - 1);
        d->lengths[input->sequence] = after;
    }
    return row;
}

void lcal__decoder_run(lcal__decoder *d, const lcal__decode_input *inputs, size_t count,
                       float *logits)
{
    if (count == 0)
        return;
    const lcal__network *network = d->network;
    const size_t layers = network->config.layers, hidden = network->config.hidden;
    const size_t tokens = take_inputs(d, inputs, count);
    const rows all = {
        .batch = {.tokens = tokens, .ids = d->ids, .positions = d->positions},
        .count = tokens,
        .spans = d->blocks,
        .span_count = cut_into_blocks(d, count),
        .x = d->x,
        .h = d->h,
    };
    const rows last = {
        .batch = {.positions = d->last_position, .row_token = d->last_token},
        .count = count,
        .spans = d->last,
        .span_count = count,
        .x = d->last_x,
        .h = d->last_h,
    };
    run_op(d, &lcal__op_embed, (lcal__op_attr){.cols = hidden, .weight = &network->embedding}, &all,
           NULL, NULL, d->x);
    for (size_t layer = 0; layer + 1 < layers; layer++) {
        remember(d, layer, &all, count);
        run_layer(d, layer, &all);
    }
    /* Of the last layer other tokens need but their keys and values. */
    remember(d, layers - 1, &all, count);
    if (!logits)
        return;
    run_op(d, &lcal__op_gather, (lcal__op_attr){.cols = hidden}, &last, d->x, NULL, d->last_x);
    run_op(d, &lcal__op_gather, (lcal__op_attr){.cols = hidden}, &last, d->h, NULL, d->last_h);
    run_layer(d, layers - 1, &last);
    run_norm(d, &network->final_norm, &last);
    lcal__weight_forward(&d->exec, &network->head, d->last_h, count, NULL, logits, d->scratch);
}

size_t lcal__decoder_length(const lcal__decoder *d, size_t sequence)
{
    assert(sequence < d->options.sequences);
    return d->lengths[sequence];
}

void lcal__decoder_truncate(lcal__decoder *d, size_t sequence, size_t length)
{
    assert(sequence < d->options.sequences);
    if (length < d->lengths[sequence])
        d->lengths[sequence] = length;
}
