#include "engine/tape.h"

#include <assert.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "engine/tape_parts.h"

static lcal_status fill_rope(lcal__tape *tape, lcal_error *err)
{
    size_t pairs = tape->network->config.rope.dims / 2, count;
    size_t positions = tape->options.capacity.longest;
    if (!lcal__size_mul(pairs, positions, &count))
        return lcal__fail(err, LCAL_NOMEM, "rotary tables of %zu positions do not fit in memory",
                          positions);
    tape->rope_cos = lcal__alloc_aligned(count, sizeof(float));
    tape->rope_sin = lcal__alloc_aligned(count, sizeof(float));
    if (!tape->rope_cos || !tape->rope_sin)
        return lcal__fail_nomem(err, "the rotary tables");
    lcal__rope_table(&tape->network->config, positions, tape->rope_cos, tape->rope_sin);
    return LCAL_OK;
}

static lcal_status record_plan(const lcal__network *network, const lcal__exec *exec,
                               const lcal__tape_options *options, lcal__tape **out, lcal_error *err)
{
    *out = NULL;
    lcal__tape *tape = lcal__calloc(1, sizeof(*tape));
    if (!tape)
        return lcal__fail_nomem(err, "a tape");
    tape->exec = *exec;
    tape->options = *options;
    tape->network = network;
    lcal_status status = lcal__tape_build(tape, err);
    if (status == LCAL_OK)
        status = lcal__tape_plan(tape, err);
    if (status != LCAL_OK)
        lcal__tape_close(&tape);
    *out = tape;
    return status;
}

lcal_status lcal__tape_record(const lcal__network *network, const lcal__exec *exec,
                              const lcal__tape_options *options, lcal__tape **out, lcal_error *err)
{
    LCAL_TRY(record_plan(network, exec, options, out, err));
    lcal_status status = fill_rope(*out, err);
    if (status != LCAL_OK)
        lcal__tape_close(out);
    return status;
}

void lcal__tape_close(lcal__tape **tape)
{
    if (!*tape)
        return;
    lcal__free((*tape)->nodes);
    lcal__free((*tape)->values);
    lcal__free((*tape)->steps);
    lcal__free((*tape)->rope_cos);
    lcal__free((*tape)->rope_sin);
    lcal__free(*tape);
    *tape = NULL;
}

size_t lcal__tape_workspace(const lcal__tape *tape)
{
    return tape->workspace;
}

void lcal__tape_bind(lcal__tape *tape, void *workspace)
{
    tape->memory = workspace;
}

static float *place(const lcal__tape *tape, size_t offset)
{
    /* Offsets are multiples of LCAL_ALIGN from an aligned start. */
    return offset == LCAL__NONE ? NULL : (float *)(void *)(tape->memory + offset);
}

void lcal__tape_run(lcal__tape *tape, lcal__feed *feed)
{
    assert(feed->batch->tokens <= tape->options.capacity.tokens);
    assert(feed->batch->rows <= tape->options.capacity.rows);
    for (size_t s = 0; s < tape->step_count; s++) {
        const lcal__tape_step *step = &tape->steps[s];
        const lcal__tape_node *node = &tape->nodes[step->node];
        const lcal__tape_value *value = &tape->values[node->out];
        lcal__op_run run = {
            .exec = &tape->exec,
            .feed = feed,
            .rows = value->of_rows ? feed->batch->rows : feed->batch->tokens,
            .rope_cos = tape->rope_cos,
            .rope_sin = tape->rope_sin,
            .out = {.x = place(tape, step->out_x), .dx = place(tape, step->out_dx)},
            .aux = place(tape, step->aux),
            .scratch = place(tape, step->scratch),
            .training = tape->options.training && node->back,
        };
        for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
            run.in[i] =
                (lcal__slot){place(tape, step->x[i]), place(tape, step->dx[i]), step->add[i]};
        if (step->phase == LCAL__BACKWARD)
            node->kind->backward(&node->attr, &run);
        else
            node->kind->forward(&node->attr, &run);
    }
}

lcal_status lcal__tape_choose_recompute(const lcal__network *network, const lcal__exec *exec,
                                        const lcal__tape_options *options, size_t budget,
                                        size_t *blocks, size_t *workspace, lcal_error *err)
{
    lcal__tape_options tried = *options;
    for (tried.recompute_blocks = 0;; tried.recompute_blocks++) {
        lcal__tape *tape = NULL;
        LCAL_TRY(record_plan(network, exec, &tried, &tape, err));
        *blocks = tried.recompute_blocks;
        *workspace = tape->workspace;
        lcal__tape_close(&tape);
        if (*workspace <= budget || *blocks == network->config.layers)
            return LCAL_OK;
    }
}

static void describe_operand(lcal__strbuf *text, const char *name, size_t offset)
{
    if (offset != LCAL__NONE)
        lcal__strbuf_printf(text, " %s@%zu", name, offset);
}

lcal_status lcal__tape_describe(const lcal__tape *tape, char **text, lcal_error *err)
{
    static const char *const phases[] = {"forward", "again", "backward"};
    lcal__strbuf lines = {0};
    for (size_t s = 0; s < tape->step_count; s++) {
        const lcal__tape_step *step = &tape->steps[s];
        const lcal__tape_node *node = &tape->nodes[step->node];
        lcal__strbuf_printf(&lines, "%s %s block %zu cols %zu", phases[step->phase],
                            node->kind->name, node->block, node->attr.cols);
        for (size_t i = 0; i < LCAL__OP_INPUTS; i++) {
            describe_operand(&lines, "x", step->x[i]);
            describe_operand(&lines, step->add[i] ? "+dx" : "dx", step->dx[i]);
        }
        describe_operand(&lines, "out", step->out_x);
        describe_operand(&lines, "dout", step->out_dx);
        describe_operand(&lines, "aux", step->aux);
        lcal__strbuf_add(&lines, "\n");
    }
    lcal__strbuf_printf(&lines, "workspace %zu bytes\n", tape->workspace);
    return lcal__strbuf_take(&lines, text, err);
}
