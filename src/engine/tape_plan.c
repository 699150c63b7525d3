/*
 * Planning: from nodes and values to a schedule and a place for every buffer.
 *
 * A value has up to two incarnations: the one forward writes and, inside a recomputed block, the
 * one written again on the way back. Each lives from its first to its last use in the schedule.
 */
#include "base/mem.h"
#include "engine/tape_parts.h"

/* Leases of a value: written in forward, written again, gradient; then one a node: aux; then
 * scratch. */
enum { FIRST, SECOND, GRADIENT, LEASES_PER_VALUE };

typedef struct planner {
    lcal__tape *tape;
    lcal__lease *leases;
    size_t lease_count;
} planner;

static bool recomputed(const lcal__tape *tape, size_t block)
{
    return tape->options.training && block < tape->network->config.layers
           && block < tape->options.recompute_blocks;
}

/* --- sharing of places ------------------------------------------------------------------------ */

/* A node may write where its input lives if nobody else reads that input, then or later. */
static bool may_write_in_place(const lcal__tape *tape, const lcal__tape_node *node)
{
    if (node->plan.in_place < 0)
        return false;
    const lcal__tape_value *in = &tape->values[node->in[node->plan.in_place]];
    const lcal__tape_node *producer = &tape->nodes[in->producer];
    return in->consumers == 1 && !in->boundary && !node->plan.keep_in[node->plan.in_place]
           && !(producer->back && producer->plan.keep_out);
}

static void share_places(lcal__tape *tape)
{
    for (size_t n = 0; n < tape->node_count; n++) {
        const lcal__tape_node *node = &tape->nodes[n];
        if (may_write_in_place(tape, node)) {
            size_t in = node->in[node->plan.in_place];
            tape->values[node->out].home = tape->values[in].home;
        }
    }
    /* Backward runs from the last node: a gradient passed on unchanged may stay where it is if it
     * is the first contribution to its value. Later ones are then added to it in place. */
    for (size_t n = tape->node_count; n-- > 0;) {
        const lcal__tape_node *node = &tape->nodes[n];
        if (node->plan.pass_grad < 0 || !node->back)
            continue;
        lcal__tape_value *in = &tape->values[node->in[node->plan.pass_grad]];
        if (in->grad && in->last_consumer == n)
            in->grad_home = tape->values[node->out].grad_home;
    }
    /* Nobody reads a value after its only reader's backward, which may then leave the gradient
     * there. */
    for (size_t n = 0; n < tape->node_count; n++)
        for (size_t i = 0; i < LCAL__OP_INPUTS; i++) {
            const lcal__tape_node *node = &tape->nodes[n];
            if (node->in[i] == LCAL__NONE || !node->plan.grad_over_in[i])
                continue;
            lcal__tape_value *in = &tape->values[node->in[i]];
            const lcal__tape_node *producer = &tape->nodes[in->producer];
            in->grad_over = node->back && in->consumers == 1 && !in->boundary
                            && in->home == node->in[i] && in->grad_home == node->in[i]
                            && !(producer->back && producer->plan.keep_out);
        }
}

/* --- what a recomputed block runs again ---------------------------------------------------------
 */

static void mark_again(lcal__tape *tape, bool *wanted)
{
    for (size_t n = tape->node_count; n-- > 0;) {
        lcal__tape_node *node = &tape->nodes[n];
        if (!recomputed(tape, node->block))
            continue;
        if (node->back) {
            for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
                if (node->in[i] != LCAL__NONE && node->plan.keep_in[i])
                    wanted[node->in[i]] = true;
            if (node->plan.keep_out)
                wanted[node->out] = true;
        }
        node->again = wanted[node->out] && !tape->values[node->out].boundary;
        for (size_t i = 0; node->again && i < LCAL__OP_INPUTS; i++)
            if (node->in[i] != LCAL__NONE)
                wanted[node->in[i]] = true;
    }
}

static void add_step(lcal__tape *tape, size_t node, lcal__phase phase)
{
    lcal__tape_step *step = &tape->steps[tape->step_count++];
    *step = (lcal__tape_step){
        .node = node, .phase = phase, .out_x = LCAL__NONE, .out_dx = LCAL__NONE, .aux = LCAL__NONE};
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++)
        step->x[i] = step->dx[i] = LCAL__NONE;
}

static void schedule(lcal__tape *tape)
{
    for (size_t n = 0; n < tape->node_count; n++)
        add_step(tape, n, LCAL__FORWARD);
    if (!tape->options.training)
        return;
    for (size_t n = tape->node_count; n-- > 0;) {
        size_t block = tape->nodes[n].block;
        bool enters = n + 1 == tape->node_count || tape->nodes[n + 1].block != block;
        if (enters && recomputed(tape, block)) {
            size_t first = n;
            while (first > 0 && tape->nodes[first - 1].block == block)
                first--;
            for (size_t again = first; again <= n; again++)
                if (tape->nodes[again].again)
                    add_step(tape, again, LCAL__AGAIN);
        }
        if (tape->nodes[n].back)
            add_step(tape, n, LCAL__BACKWARD);
    }
}

/* --- lifetimes
 * ------------------------------------------------------------------------------------ */

static lcal__lease *data_lease(const planner *p, size_t value, lcal__phase phase)
{
    const lcal__tape_value *v = &p->tape->values[value];
    bool second = phase != LCAL__FORWARD && !v->boundary && recomputed(p->tape, v->block);
    return &p->leases[v->home * LEASES_PER_VALUE + (second ? SECOND : FIRST)];
}

static lcal__lease *gradient_lease(const planner *p, size_t value)
{
    if (p->tape->values[value].grad_over)
        return data_lease(p, value, LCAL__BACKWARD);
    return &p->leases[p->tape->values[value].grad_home * LEASES_PER_VALUE + GRADIENT];
}

static lcal__lease *aux_lease(const planner *p, size_t node)
{
    return &p->leases[p->tape->value_count * LEASES_PER_VALUE + node];
}

static lcal__lease *scratch_lease(const planner *p, size_t step)
{
    return &p->leases[p->tape->value_count * LEASES_PER_VALUE + p->tape->node_count + step];
}

/* What a step touches is met twice: first to widen lifetimes, then to learn the places. */
static void use(lcal__lease *lease, size_t at, bool offsets, size_t *place)
{
    if (offsets)
        *place = lease->bytes ? lease->offset : LCAL__NONE;
    else
        lcal__lease_touch(lease, at);
}

static bool later_contribution(const lcal__tape *tape, size_t value, size_t node)
{
    /* Backward meets consumers from the last on: anything after `node` was there before it. */
    return tape->values[value].last_consumer > node;
}

static void visit_step(const planner *p, size_t at, bool offsets)
{
    lcal__tape *tape = p->tape;
    lcal__tape_step *step = &tape->steps[at];
    const lcal__tape_node *node = &tape->nodes[step->node];
    const bool back = step->phase == LCAL__BACKWARD;
    for (size_t i = 0; i < LCAL__OP_INPUTS; i++) {
        size_t in = node->in[i];
        if (in == LCAL__NONE)
            continue;
        if (!back || node->plan.keep_in[i])
            use(data_lease(p, in, step->phase), at, offsets, &step->x[i]);
        bool early = node->plan.grad_in_forward && i == 0 && node->back;
        if (tape->values[in].grad && (back || early)) {
            use(gradient_lease(p, in), at, offsets, &step->dx[i]);
            step->add[i] = later_contribution(tape, in, step->node);
        }
    }
    if (!back || node->plan.keep_out)
        use(data_lease(p, node->out, step->phase), at, offsets, &step->out_x);
    if (back)
        use(gradient_lease(p, node->out), at, offsets, &step->out_dx);
    if (node->plan.aux_cols)
        use(aux_lease(p, step->node), at, offsets, &step->aux);
    use(scratch_lease(p, at), at, offsets, &step->scratch);
}

static bool buffer_bytes(const lcal__tape *tape, const lcal__tape_value *value, size_t cols,
                         size_t *bytes)
{
    const lcal__capacity *capacity = &tape->options.capacity;
    return lcal__size_mul(value->of_rows ? capacity->rows : capacity->tokens, cols, bytes)
           && lcal__size_mul(*bytes, sizeof(float), bytes);
}

static lcal_status size_leases(planner *p, lcal_error *err)
{
    lcal__tape *tape = p->tape;
    bool fits = true;
    for (size_t i = 0; i < p->lease_count; i++)
        p->leases[i] = (lcal__lease){.first = LCAL__NEVER};
    for (size_t v = 0; v < tape->value_count; v++) {
        size_t bytes;
        fits = fits && buffer_bytes(tape, &tape->values[v], tape->values[v].cols, &bytes);
        for (size_t i = 0; fits && i < LEASES_PER_VALUE; i++)
            p->leases[v * LEASES_PER_VALUE + i].bytes = bytes;
    }
    for (size_t n = 0; n < tape->node_count; n++) {
        const lcal__tape_node *node = &tape->nodes[n];
        fits = fits
               && buffer_bytes(tape, &tape->values[node->out], node->plan.aux_cols,
                               &aux_lease(p, n)->bytes);
    }
    for (size_t s = 0; s < tape->step_count; s++) {
        const lcal__op_plan *plan = &tape->nodes[tape->steps[s].node].plan;
        size_t floats =
            tape->steps[s].phase == LCAL__BACKWARD ? plan->backward_scratch : plan->forward_scratch;
        fits = fits && lcal__size_mul(floats, sizeof(float), &scratch_lease(p, s)->bytes);
    }
    return fits ? LCAL_OK
                : lcal__fail(err, LCAL_NOMEM, "a batch of %zu tokens does not fit in memory",
                             tape->options.capacity.tokens);
}

lcal_status lcal__tape_plan(lcal__tape *tape, lcal_error *err)
{
    planner p = {.tape = tape};
    bool *wanted = lcal__calloc(tape->value_count, sizeof(*wanted));
    tape->steps = lcal__calloc(tape->node_count * 3, sizeof(*tape->steps));
    lcal_status status = LCAL_OK;
    if (!wanted || !tape->steps) {
        status = lcal__fail_nomem(err, "the memory plan");
        goto out;
    }
    share_places(tape);
    mark_again(tape, wanted);
    schedule(tape);
    p.lease_count = tape->value_count * LEASES_PER_VALUE + tape->node_count + tape->step_count;
    p.leases = lcal__calloc(p.lease_count, sizeof(*p.leases));
    if (!p.leases) {
        status = lcal__fail_nomem(err, "the memory plan");
        goto out;
    }
    LCAL_TRY_GOTO(status, out, size_leases(&p, err));
    for (size_t at = 0; at < tape->step_count; at++)
        visit_step(&p, at, false);
    LCAL_TRY_GOTO(status, out, lcal__place(p.leases, p.lease_count, &tape->workspace, err));
    for (size_t at = 0; at < tape->step_count; at++)
        visit_step(&p, at, true);
out:
    lcal__free(wanted);
    lcal__free(p.leases);
    return status;
}
