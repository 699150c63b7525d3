/* The projection and everything that may be added to it, against a naive double computation. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/op_harness.h"

#define MAX_TERMS 4

/* A leaf: f32 for the op, double for the reference; count 0: absent. */
typedef struct number {
    float *f;
    double *d, *grad; /* grad by differences */
    size_t count;
    bool trained;
} number;

typedef struct problem {
    size_t rows, d_in, d_out;
    number x, residual, weight, bias, dy;
    lcal__term_kind kinds[MAX_TERMS];
    double scales[MAX_TERMS];
    size_t ranks[MAX_TERMS], terms;
    number p[MAX_TERMS], a[MAX_TERMS], b[MAX_TERMS], m[MAX_TERMS];
} problem;

static unsigned seed;

static number make(size_t count, double spread, bool trained)
{
    number n = {.count = count, .trained = trained};
    if (!count)
        return n;
    n.f = op_random(++seed, count, spread);
    n.d = op_doubles(count);
    n.grad = op_doubles(count);
    for (size_t i = 0; i < count; i++)
        n.d[i] = n.f[i];
    return n;
}

static void drop(number *n)
{
    free(n->f);
    free(n->d);
    free(n->grad);
}

static double term_value(const problem *p, size_t t, size_t row, size_t out)
{
    const double *x = p->x.d + row * p->d_in;
    double value = 0;
    if (p->kinds[t] == LCAL__TERM_OUTPUT)
        return p->scales[t] * p->p[t].d[out];
    if (p->kinds[t] == LCAL__TERM_BROADCAST) {
        for (size_t j = 0; j < p->d_in; j++)
            value += x[j];
        return p->scales[t] * p->p[t].d[out] * value;
    }
    for (size_t r = 0; r < p->ranks[t]; r++) {
        double u = 0;
        for (size_t j = 0; j < p->d_in; j++)
            u += p->a[t].d[r * p->d_in + j] * x[j] * (p->m[t].count ? p->m[t].d[j] : 1.0);
        value += p->b[t].d[out * p->ranks[t] + r] * u;
    }
    return p->scales[t] * value;
}

static double output(const problem *p, size_t row, size_t out)
{
    double y = p->residual.count ? p->residual.d[row * p->d_out + out] : 0.0;
    y += p->bias.count ? p->bias.d[out] : 0.0;
    for (size_t j = 0; j < p->d_in; j++)
        y += p->weight.d[out * p->d_in + j] * p->x.d[row * p->d_in + j];
    for (size_t t = 0; t < p->terms; t++)
        y += term_value(p, t, row, out);
    return y;
}

static double loss(const void *context)
{
    const problem *p = context;
    double sum = 0;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t o = 0; o < p->d_out; o++)
            sum += p->dy.d[r * p->d_out + o] * output(p, r, o);
    return sum;
}

typedef struct build {
    op_case c;
    lcal__linear linear;
    lcal__term terms[MAX_TERMS];
    number *params[OP_PARAMS];
} build;

static lcal__leaf leaf(build *b, number *n)
{
    lcal__leaf result = {n->f, NULL};
    if (n->count && n->trained) {
        result.grad = calloc(n->count, sizeof(float));
        b->params[b->c.param_count] = n;
        b->c.params[b->c.param_count++] = (op_param){result.grad, n->count};
    }
    return result;
}

static void check(problem *p, bool x_grad, bool residual_grad, bool share)
{
    size_t tokens = p->rows;
    lcal__batch *batch = op_batch(&tokens, 1, 10, 1);
    build b = {0};
    b.c = (op_case){.kind = &lcal__op_linear,
                    .batch = batch,
                    .rows = p->rows,
                    .in_cols = {p->d_in, p->residual.count ? p->d_out : 0},
                    .in = {p->x.f, p->residual.f},
                    .in_grad = {x_grad, residual_grad && p->residual.count},
                    .dy = p->dy.f,
                    .share_grad = share && residual_grad && p->residual.count};
    b.linear.weight = (lcal__weight){p->d_out, p->d_in, LCAL__F32, p->weight.f};
    b.linear.weight_grad = leaf(&b, &p->weight).grad;
    b.linear.bias = leaf(&b, &p->bias);
    for (size_t t = 0; t < p->terms; t++)
        b.terms[t] = (lcal__term){p->kinds[t],        (float)p->scales[t], p->ranks[t],
                                  leaf(&b, &p->p[t]), leaf(&b, &p->a[t]),  leaf(&b, &p->b[t]),
                                  leaf(&b, &p->m[t])};
    b.linear.terms = b.terms;
    b.linear.term_count = p->terms;
    b.c.attr = (lcal__op_attr){.cols = p->d_out, .linear = &b.linear};

    double *want = op_doubles(p->rows * p->d_out);
    for (size_t r = 0; r < p->rows; r++)
        for (size_t o = 0; o < p->d_out; o++)
            want[r * p->d_out + o] = output(p, r, o);
    op_difference(p->x.d, p->x.count, loss, p, p->x.grad);
    for (size_t i = 0; i < b.c.param_count; i++)
        op_difference(b.params[i]->d, b.params[i]->count, loss, p, b.params[i]->grad);

    for (int add = 0; add < 2; add++) {
        b.c.add[0] = add && x_grad;
        b.c.add[1] = add && b.c.in_grad[1] && !b.c.share_grad;
        op_result result = op_run(&b.c);
        op_check_close("out", result.out, want, p->rows * p->d_out, false, 3e-6);
        if (x_grad)
            op_check_close("dx", result.dx[0], p->x.grad, p->x.count, b.c.add[0], 1e-5);
        if (b.c.in_grad[1] && !b.c.share_grad)
            op_check_close("dresidual", result.dx[1], p->dy.d, p->dy.count, b.c.add[1], 1e-6);
        for (size_t i = 0; i < b.c.param_count; i++)
            op_check_close("parameter", result.params[i], b.params[i]->grad, b.params[i]->count,
                           false, 1e-5);
        op_result_free(&result);
        op_check_threads(&b.c);
    }
    for (size_t i = 0; i < b.c.param_count; i++)
        free(b.c.params[i].grad);
    free(want);
    op_batch_free(batch);
}

static problem open(size_t rows, size_t d_in, size_t d_out, bool residual, bool bias)
{
    problem p = {.rows = rows, .d_in = d_in, .d_out = d_out};
    p.x = make(rows * d_in, 1.0, false);
    p.dy = make(rows * d_out, 1.0, false);
    p.weight = make(d_in * d_out, 0.3, false);
    p.residual = make(residual ? rows * d_out : 0, 1.0, false);
    p.bias = make(bias ? d_out : 0, 0.5, false);
    return p;
}

static void add_term(problem *p, lcal__term_kind kind, size_t rank, bool masked)
{
    size_t t = p->terms++;
    bool lowrank = kind == LCAL__TERM_LOWRANK;
    p->kinds[t] = kind;
    p->scales[t] = 0.75 + (double)t;
    p->ranks[t] = rank;
    p->p[t] = make(lowrank ? 0 : p->d_out, 0.4, true);
    p->a[t] = make(lowrank ? rank * p->d_in : 0, 0.3, true);
    p->b[t] = make(lowrank ? rank * p->d_out : 0, 0.3, true);
    p->m[t] = make(masked ? p->d_in : 0, 1.0, true);
}

static void close(problem *p)
{
    number *all[] = {&p->x, &p->dy, &p->weight, &p->residual, &p->bias};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        drop(all[i]);
    for (size_t t = 0; t < p->terms; t++) {
        drop(&p->p[t]);
        drop(&p->a[t]);
        drop(&p->b[t]);
        drop(&p->m[t]);
    }
}

static const size_t shapes[][3] = {{1, 1, 1}, {1, 7, 5}, {3, 9, 17}, {9, 12, 8}, {66, 4, 5}};

static void test_plain(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
        for (int mask = 0; mask < 8; mask++) {
            problem p = open(shapes[s][0], shapes[s][1], shapes[s][2], mask & 1, mask & 2);
            p.weight.trained = mask & 4;
            p.bias.trained = mask & 4;
            check(&p, true, true, false);
            check(&p, mask & 1, true, true);
            close(&p);
        }
}

static void test_terms(void **state)
{
    (void)state;
    static const size_t ranks[] = {1, 3, 4, 64};
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
        for (size_t r = 0; r < sizeof(ranks) / sizeof(ranks[0]); r++)
            for (int kind = 0; kind < 4; kind++) {
                problem p = open(shapes[s][0], shapes[s][1], shapes[s][2], r & 1, r & 2);
                add_term(&p, kind == 3 ? LCAL__TERM_LOWRANK : (lcal__term_kind)kind, ranks[r],
                         kind == 3);
                check(&p, true, true, false);
                check(&p, false, true, true);
                close(&p);
            }
}

/* Two adapters with column mergers, frozen pairs beside trained ones, and both forms of LC at once.
 */
static void test_mixed(void **state)
{
    (void)state;
    problem p = open(13, 20, 18, true, true);
    add_term(&p, LCAL__TERM_LOWRANK, 5, true);
    add_term(&p, LCAL__TERM_LOWRANK, 2, true);
    p.a[0].trained = p.b[0].trained = p.a[1].trained = p.b[1].trained = false;
    add_term(&p, LCAL__TERM_OUTPUT, 0, false);
    add_term(&p, LCAL__TERM_BROADCAST, 0, false);
    check(&p, true, true, false);
    p.m[1].trained = p.p[2].trained = false; /* frozen terms still pass the gradient on */
    check(&p, true, true, true);
    close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
