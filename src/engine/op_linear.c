/*
 * y = residual + W x + bias + terms (METHODS.md A.8, B.2).
 *
 * Forward lets the product start from the residual and everything that is the same for all rows.
 * Backward:
 *   dx       = W^T dy + what the terms add
 *   dbias    = sum over rows of dy;            OUTPUT: dp = scale * that
 *   BROADCAST: dp = scale sum_r sum(x_r) dy_r; dx_r += scale (p . dy_r) 1
 *   LOWRANK, u = A (m o x), t = scale B^T dy:  dB = scale dy u^T, dA = t (m o x)^T,
 *              dm = sum_r (A^T t_r) o x_r,     dx += m o (A^T t)
 * Only broadcast terms leave something behind: one sum a row.
 */
#include <string.h>

#include "engine/colsum.h"
#include "engine/op.h"
#include "engine/op_plan.h"
#include "num/gemm.h"

static bool has_kind(const lcal__linear *linear, lcal__term_kind kind)
{
    for (size_t i = 0; i < linear->term_count; i++)
        if (linear->terms[i].kind == kind)
            return true;
    return false;
}

static bool has_constant(const lcal__linear *linear)
{
    return linear->bias.value || has_kind(linear, LCAL__TERM_OUTPUT);
}

/* Scratch of one run. */
typedef struct scratch {
    float *constant;  /* [d_out] bias and OUTPUT terms */
    float *broadcast; /* [d_out] sum of scale p over BROADCAST terms */
    float *u;         /* [rows, rank] A (m o x) */
    float *t;         /* [rows, rank] scale B^T dy */
    float *masked;    /* [rows, d_in] m o x, or A^T t */
    float *weight;    /* of the weight product */
} scratch;

static scratch carve(lcal__carver *carver, const lcal__linear *linear, size_t rows, size_t threads,
                     bool backward)
{
    scratch s = {0};
    size_t rank = 0;
    bool masked = false;
    for (size_t i = 0; i < linear->term_count; i++) {
        const lcal__term *term = &linear->terms[i];
        if (term->kind != LCAL__TERM_LOWRANK)
            continue;
        rank = term->rank > rank ? term->rank : rank;
        masked = masked || term->m.value;
    }
    if (has_constant(linear))
        s.constant = lcal__carve(carver, 1, linear->weight.rows);
    if (has_kind(linear, LCAL__TERM_BROADCAST))
        s.broadcast = lcal__carve(carver, 1, linear->weight.rows);
    if (rank)
        s.u = lcal__carve(carver, rows, rank);
    if (rank && backward)
        s.t = lcal__carve(carver, rows, rank);
    if (masked)
        s.masked = lcal__carve(carver, rows, linear->weight.cols);
    s.weight = lcal__carve(carver, 1, lcal__weight_scratch(&linear->weight, threads));
    return s;
}

static lcal_status plan_scratch(const lcal__linear *linear, const lcal__op_shape *shape,
                                bool backward, size_t *floats, lcal_error *err)
{
    lcal__carver carver = {0};
    carve(&carver, linear, shape->rows, shape->threads, backward);
    return lcal__carved(&carver, "linear", floats, err);
}

static lcal_status plan(const lcal__op_attr *attr, const lcal__op_shape *shape, lcal__op_plan *out,
                        lcal_error *err)
{
    const lcal__linear *linear = attr->linear;
    bool broadcast_trains = false;
    *out = (lcal__op_plan){.in_place = -1, .pass_grad = shape->in_cols[1] ? 1 : -1};
    out->keep_in[0] = linear->weight_grad != NULL;
    for (size_t i = 0; i < linear->term_count; i++) {
        const lcal__term *term = &linear->terms[i];
        if (term->kind == LCAL__TERM_LOWRANK && (term->a.grad || term->b.grad || term->m.grad))
            out->keep_in[0] = true;
        if (term->kind == LCAL__TERM_BROADCAST && term->p.grad)
            broadcast_trains = true;
    }
    out->aux_cols = broadcast_trains ? 1 : 0;
    LCAL_TRY(lcal__op_check_extent("linear", "rows", shape->rows, err));
    LCAL_TRY(lcal__op_check_extent("linear", "inputs", linear->weight.cols, err));
    LCAL_TRY(lcal__op_check_extent("linear", "outputs", linear->weight.rows, err));
    LCAL_TRY(plan_scratch(linear, shape, false, &out->forward_scratch, err));
    return plan_scratch(linear, shape, true, &out->backward_scratch, err);
}

/* --- forward --------------------------------------------------------------------------------- */

typedef struct broadcast_job {
    const lcal__kernels *k;
    const lcal__op_run *run;
    const float *p;
    size_t d_in, d_out;
} broadcast_job;

static void broadcast_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const broadcast_job *job = context;
    for (size_t r = first; r < first + count; r++) {
        float sum = job->k->sum(job->run->in[0].x + r * job->d_in, job->d_in);
        job->k->axpy(job->run->out.x + r * job->d_out, sum, job->p, job->d_out);
        if (job->run->aux)
            job->run->aux[r] = sum;
    }
}

/* out[d_out] = start + the sum of scale p over the terms of one kind; NULL where out is. */
static const float *sum_terms(const lcal__kernels *k, const lcal__linear *linear,
                              lcal__term_kind kind, const float *start, float *out)
{
    if (!out)
        return NULL;
    size_t d_out = linear->weight.rows;
    if (start)
        memcpy(out, start, d_out * sizeof(float));
    else
        memset(out, 0, d_out * sizeof(float));
    for (size_t i = 0; i < linear->term_count; i++)
        if (linear->terms[i].kind == kind)
            k->axpy(out, linear->terms[i].scale, linear->terms[i].p.value, d_out);
    return out;
}

typedef struct mask_job {
    const lcal__kernels *k;
    const float *x, *m;
    float *out;
    size_t cols;
    bool add;
} mask_job;

static void mask_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const mask_job *job = context;
    for (size_t r = first; r < first + count; r++) {
        size_t at = r * job->cols;
        if (job->add)
            job->k->mul_add(job->out + at, job->x + at, job->m, job->cols);
        else
            job->k->mul(job->out + at, job->x + at, job->m, job->cols);
    }
}

/* out[r] (+)= x[r] o m for every row. */
static void mask(const lcal__exec *exec, const float *x, const float *m, float *out, size_t rows,
                 size_t cols, bool add)
{
    mask_job job = {exec->kernels, x, m, out, cols, add};
    lcal__for_rows(exec, rows, cols, mask_rows, &job);
}

/* u[rows, rank] = A (m o x); returns m o x, which is x itself where there is no m. */
static const float *project_down(const lcal__exec *exec, const lcal__term *term, const float *x,
                                 size_t rows, size_t d_in, const scratch *s)
{
    const float *input = x;
    if (term->m.value) {
        mask(exec, x, term->m.value, s->masked, rows, d_in, false);
        input = s->masked;
    }
    lcal__gemm(exec, false, true, rows, term->rank, d_in, 1.0f, input, d_in, term->a.value, d_in,
               0.0f, s->u, term->rank);
    return input;
}

static void forward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    const lcal__linear *linear = attr->linear;
    const lcal__exec *exec = run->exec;
    const size_t rows = run->rows, d_in = linear->weight.cols, d_out = linear->weight.rows;
    scratch s = carve(&(lcal__carver){.base = run->scratch}, linear, rows, exec->threads, false);
    const lcal__start start = {
        .rows = run->in[1].x,
        .ld = d_out,
        .constant =
            sum_terms(exec->kernels, linear, LCAL__TERM_OUTPUT, linear->bias.value, s.constant),
    };
    lcal__weight_forward(exec, &linear->weight, run->in[0].x, rows, &start, run->out.x, s.weight);
    if (s.broadcast) {
        broadcast_job job = {
            exec->kernels, run,
            sum_terms(exec->kernels, linear, LCAL__TERM_BROADCAST, NULL, s.broadcast), d_in, d_out};
        lcal__for_rows(exec, rows, d_in + d_out, broadcast_rows, &job);
    }
    for (size_t i = 0; i < linear->term_count; i++) {
        const lcal__term *term = &linear->terms[i];
        if (term->kind != LCAL__TERM_LOWRANK)
            continue;
        project_down(exec, term, run->in[0].x, rows, d_in, &s);
        lcal__gemm(exec, false, true, rows, d_out, term->rank, term->scale, s.u, term->rank,
                   term->b.value, term->rank, 1.0f, run->out.x, d_out);
    }
}

/* --- backward -------------------------------------------------------------------------------- */

/* All gradients that are sums of dy's rows: they share one pass. */
static void backward_constant(const lcal__linear *linear, const lcal__op_run *run, float *sums)
{
    const lcal__kernels *k = run->exec->kernels;
    const size_t d_out = linear->weight.rows;
    bool wanted = linear->bias.grad != NULL;
    for (size_t i = 0; i < linear->term_count; i++)
        wanted |= linear->terms[i].kind == LCAL__TERM_OUTPUT && linear->terms[i].p.grad;
    if (!wanted)
        return;
    memset(sums, 0, d_out * sizeof(float));
    lcal__colsum(run->exec, run->out.dx, run->rows, d_out, NULL, NULL, sums);
    if (linear->bias.grad)
        k->add(linear->bias.grad, sums, d_out);
    for (size_t i = 0; i < linear->term_count; i++) {
        const lcal__term *term = &linear->terms[i];
        if (term->kind == LCAL__TERM_OUTPUT && term->p.grad)
            k->axpy(term->p.grad, term->scale, sums, d_out);
    }
}

typedef struct spread_job {
    const lcal__kernels *k;
    const float *dy, *p;
    float *dx;
    size_t d_in, d_out;
} spread_job;

static void spread_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const spread_job *job = context;
    for (size_t r = first; r < first + count; r++) {
        float added = job->k->dot(job->p, job->dy + r * job->d_out, job->d_out);
        float *dx = job->dx + r * job->d_in;
        for (size_t j = 0; j < job->d_in; j++)
            dx[j] += added;
    }
}

static void backward_broadcast(const lcal__linear *linear, const lcal__op_run *run, float *sums)
{
    const lcal__kernels *k = run->exec->kernels;
    const size_t d_in = linear->weight.cols, d_out = linear->weight.rows;
    if (!sums)
        return;
    if (run->in[0].dx) {
        spread_job job = {k,
                          run->out.dx,
                          sum_terms(k, linear, LCAL__TERM_BROADCAST, NULL, sums),
                          run->in[0].dx,
                          d_in,
                          d_out};
        lcal__for_rows(run->exec, run->rows, d_in + d_out, spread_rows, &job);
    }
    if (!run->aux)
        return;
    memset(sums, 0, d_out * sizeof(float));
    lcal__colsum(run->exec, run->out.dx, run->rows, d_out, NULL, run->aux, sums);
    for (size_t i = 0; i < linear->term_count; i++) {
        const lcal__term *term = &linear->terms[i];
        if (term->kind == LCAL__TERM_BROADCAST && term->p.grad)
            k->axpy(term->p.grad, term->scale, sums, d_out);
    }
}

static void backward_lowrank(const lcal__linear *linear, const lcal__term *term,
                             const lcal__op_run *run, const scratch *s)
{
    const lcal__exec *exec = run->exec;
    const size_t rows = run->rows, rank = term->rank;
    const size_t d_in = linear->weight.cols, d_out = linear->weight.rows;
    const float *x = run->in[0].x, *dy = run->out.dx;
    if (!term->a.grad && !term->b.grad && !term->m.grad && !run->in[0].dx)
        return;
    lcal__gemm(exec, false, false, rows, rank, d_out, term->scale, dy, d_out, term->b.value, rank,
               0.0f, s->t, rank);
    if (term->a.grad || term->b.grad) {
        const float *input = project_down(exec, term, x, rows, d_in, s);
        if (term->b.grad)
            lcal__gemm(exec, true, false, d_out, rank, rows, term->scale, dy, d_out, s->u, rank,
                       1.0f, term->b.grad, rank);
        if (term->a.grad)
            lcal__gemm(exec, true, false, rank, d_in, rows, 1.0f, s->t, rank, input, d_in, 1.0f,
                       term->a.grad, d_in);
    }
    if (!term->m.value) {
        if (run->in[0].dx)
            lcal__gemm(exec, false, false, rows, d_in, rank, 1.0f, s->t, rank, term->a.value, d_in,
                       1.0f, run->in[0].dx, d_in);
        return;
    }
    lcal__gemm(exec, false, false, rows, d_in, rank, 1.0f, s->t, rank, term->a.value, d_in, 0.0f,
               s->masked, d_in);
    if (term->m.grad)
        lcal__colsum(exec, s->masked, rows, d_in, x, NULL, term->m.grad);
    if (run->in[0].dx)
        mask(exec, s->masked, term->m.value, run->in[0].dx, rows, d_in, true);
}

typedef struct pass_job {
    const lcal__kernels *k;
    const lcal__op_run *run;
    size_t cols;
} pass_job;

static void pass_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const pass_job *job = context;
    const float *from = job->run->out.dx + first * job->cols;
    float *to = job->run->in[1].dx + first * job->cols;
    if (job->run->in[1].add)
        job->k->add(to, from, count * job->cols);
    else
        memcpy(to, from, count * job->cols * sizeof(float));
}

static void backward(const lcal__op_attr *attr, const lcal__op_run *run)
{
    const lcal__linear *linear = attr->linear;
    const size_t rows = run->rows, d_in = linear->weight.cols, d_out = linear->weight.rows;
    scratch s =
        carve(&(lcal__carver){.base = run->scratch}, linear, rows, run->exec->threads, true);
    if (run->in[0].dx)
        lcal__weight_backward(run->exec, &linear->weight, run->out.dx, rows, run->in[0].add,
                              run->in[0].dx, s.weight);
    if (linear->weight_grad)
        lcal__gemm(run->exec, true, false, d_out, d_in, rows, 1.0f, run->out.dx, d_out,
                   run->in[0].x, d_in, 1.0f, linear->weight_grad, d_in);
    backward_constant(linear, run, s.constant);
    backward_broadcast(linear, run, s.broadcast);
    for (size_t i = 0; i < linear->term_count; i++)
        if (linear->terms[i].kind == LCAL__TERM_LOWRANK)
            backward_lowrank(linear, &linear->terms[i], run, &s);
    if (run->in[1].dx && run->in[1].dx != run->out.dx) {
        pass_job job = {run->exec->kernels, run, d_out};
        lcal__for_rows(run->exec, rows, d_out, pass_rows, &job);
    }
}

const lcal__op_kind lcal__op_linear = {"linear", plan, forward, backward};
