#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/op_harness.h"

/* The textbook, in double, one document after another with T x T in memory. */
typedef struct reference {
    size_t heads, kv_heads, head_dim;
    const lcal__batch *batch;
    double *in[3];    /* q, k, v */
    double *dx[3];    /* their gradients */
    double *out, *dy; /* [tokens, heads * head_dim] */
} reference;

/* p[j] for the keys 0..i of query i of a document that starts at token `start`. */
static void softmax_row(const reference *r, size_t start, size_t i, size_t head, double *p)
{
    const size_t d = r->head_dim, kv = head / (r->heads / r->kv_heads);
    const double *q = r->in[0] + ((start + i) * r->heads + head) * d;
    double max = -INFINITY, sum = 0.0;
    for (size_t j = 0; j <= i; j++) {
        const double *k = r->in[1] + ((start + j) * r->kv_heads + kv) * d;
        p[j] = 0.0;
        for (size_t c = 0; c < d; c++)
            p[j] += q[c] * k[c] / sqrt((double)d);
        max = fmax(max, p[j]);
    }
    for (size_t j = 0; j <= i; j++)
        sum += p[j] = exp(p[j] - max);
    for (size_t j = 0; j <= i; j++)
        p[j] /= sum;
}

static void reference_query(const reference *r, size_t start, size_t i, size_t head, double *p)
{
    const size_t d = r->head_dim, kv = head / (r->heads / r->kv_heads);
    const size_t at = ((start + i) * r->heads + head) * d;
    const double *dout = r->dy + at;
    double *out = r->out + at, weighted = 0.0;
    softmax_row(r, start, i, head, p);
    memset(out, 0, d * sizeof(double));
    for (size_t j = 0; j <= i; j++)
        for (size_t c = 0; c < d; c++)
            out[c] += p[j] * r->in[2][((start + j) * r->kv_heads + kv) * d + c];
    for (size_t c = 0; c < d; c++)
        weighted += out[c] * dout[c];
    for (size_t j = 0; j <= i; j++) {
        const size_t key = ((start + j) * r->kv_heads + kv) * d;
        double dp = 0.0;
        for (size_t c = 0; c < d; c++) {
            dp += dout[c] * r->in[2][key + c];
            r->dx[2][key + c] += p[j] * dout[c];
        }
        const double ds = p[j] * (dp - weighted) / sqrt((double)d);
        for (size_t c = 0; c < d; c++) {
            r->dx[0][at + c] += ds * r->in[1][key + c];
            r->dx[1][key + c] += ds * r->in[0][at + c];
        }
    }
}

static void reference_run(const reference *r)
{
    double *p = op_doubles(r->batch->tokens);
    for (size_t i = 0; i < 3; i++)
        memset(r->dx[i], 0,
               r->batch->tokens * (i ? r->kv_heads : r->heads) * r->head_dim * sizeof(double));
    for (size_t doc = 0; doc < r->batch->documents; doc++)
        for (size_t head = 0; head < r->heads; head++)
            for (size_t i = r->batch->starts[doc]; i < r->batch->starts[doc + 1]; i++)
                reference_query(r, r->batch->starts[doc], i - r->batch->starts[doc], head, p);
    free(p);
}

static double reference_loss(const void *context)
{
    const reference *r = context;
    double loss = 0.0;
    reference_run(r);
    for (size_t i = 0; i < r->batch->tokens * r->heads * r->head_dim; i++)
        loss += r->out[i] * r->dy[i];
    return loss;
}

typedef struct fixture {
    lcal__model_config config;
    lcal__batch *batch;
    float *in[3], *dy;
    size_t count[3];
    reference r;
    op_case c;
} fixture;

static double *widened(const float *x, size_t count)
{
    double *wide = op_doubles(count);
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)x[i];
    return wide;
}

static void open_fixture(fixture *f, const size_t *lengths, size_t documents, size_t kv_heads,
                         size_t group, size_t head_dim, double spread)
{
    *f = (fixture){.config = {.heads = kv_heads * group, .kv_heads = kv_heads}};
    f->config.head_dim = head_dim;
    f->batch = op_batch(lengths, documents, 10, 1);
    const size_t tokens = f->batch->tokens, cols = f->config.heads * head_dim;
    f->r = (reference){f->config.heads, kv_heads, head_dim, f->batch};
    f->c = (op_case){.kind = &lcal__op_attention,
                     .attr = {.cols = cols, .config = &f->config},
                     .batch = f->batch,
                     .rows = tokens};
    for (size_t i = 0; i < 3; i++) {
        f->c.in_cols[i] = i ? kv_heads * head_dim : cols;
        f->count[i] = tokens * f->c.in_cols[i];
        f->c.in[i] = f->in[i] = op_random((unsigned)i, f->count[i], spread);
        f->c.in_grad[i] = true;
        f->r.in[i] = widened(f->in[i], f->count[i]);
        f->r.dx[i] = op_doubles(f->count[i]);
    }
    f->c.dy = f->dy = op_random(9, f->count[0], 1.0);
    f->r.dy = widened(f->dy, f->count[0]);
    f->r.out = op_doubles(f->count[0]);
    reference_run(&f->r);
}

static void close_fixture(fixture *f)
{
    for (size_t i = 0; i < 3; i++) {
        free(f->in[i]);
        free(f->r.in[i]);
        free(f->r.dx[i]);
    }
    free(f->dy);
    free(f->r.dy);
    free(f->r.out);
    op_batch_free(f->batch);
}

static void check_against_reference(const fixture *f)
{
    op_result result = op_run(&f->c);
    op_check_close("out", result.out, f->r.out, f->count[0], false, 2e-6);
    for (size_t i = 0; i < 3; i++)
        if (f->c.in_grad[i] && f->c.dy)
            op_check_close(i == 0   ? "dq"
                           : i == 1 ? "dk"
                                    : "dv",
                           result.dx[i], f->r.dx[i], f->count[i], f->c.add[i], 5e-6);
    op_result_free(&result);
}

/* The reference's own gradients, by central differences. */
static void test_reference(void **state)
{
    (void)state;
    const size_t lengths[] = {5, 1, 3};
    fixture f;
    open_fixture(&f, lengths, 3, 2, 2, 4, 1.0);
    for (size_t i = 0; i < 3; i++) {
        double *want = op_doubles(f.count[i]);
        op_difference(f.r.in[i], f.count[i], reference_loss, &f.r, want);
        reference_run(&f.r);
        for (size_t j = 0; j < f.count[i]; j++)
            assert_true(fabs(f.r.dx[i][j] - want[j]) < 1e-8);
        free(want);
    }
    close_fixture(&f);
}

static void check_shape(const size_t *lengths, size_t documents, size_t kv_heads, size_t group,
                        size_t head_dim)
{
    fixture f;
    open_fixture(&f, lengths, documents, kv_heads, group, head_dim, 1.0);
    check_against_reference(&f);
    op_check_threads(&f.c);
    op_check_packed(&f.c);
    close_fixture(&f);
}

static void test_lengths(void **state)
{
    (void)state;
    const size_t lengths[] = {1, 2, 3, 17, 32, 33, 64, 65, 130, 200, 256, 257, 320};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        check_shape(&lengths[i], 1, 2, 1, 16);
    check_shape((const size_t[]){700}, 1, 1, 2, 8); /* several tiles of keys */
}

static void test_packed(void **state)
{
    (void)state;
    check_shape((const size_t[]){1, 1, 1}, 3, 1, 1, 8);
    check_shape((const size_t[]){65, 1, 200, 3, 64, 2, 17, 130, 1}, 9, 2, 3, 16);
    check_shape((const size_t[]){31, 31, 31, 31, 4}, 5, 1, 2, 40);
}

static void test_heads(void **state)
{
    (void)state;
    const size_t head_dims[] = {8, 16, 40, 64, 128}, groups[] = {1, 2, 3, 4, 8};
    for (size_t d = 0; d < 5; d++)
        for (size_t g = 0; g < 5; g++)
            check_shape((const size_t[]){67, 1, 5}, 3, 1 + (d + g) % 2, groups[g], head_dims[d]);
}

/* Every subset of wanted gradients, each written or added to. */
static void test_subsets(void **state)
{
    (void)state;
    const size_t lengths[] = {300, 1, 70};
    fixture f;
    open_fixture(&f, lengths, 3, 2, 2, 8, 1.0);
    for (int wanted = 0; wanted < 8; wanted++)
        for (int add = 0; add < 8; add++) {
            if (add & ~wanted)
                continue;
            for (int i = 0; i < 3; i++) {
                f.c.in_grad[i] = wanted >> i & 1;
                f.c.add[i] = add >> i & 1;
            }
            check_against_reference(&f);
        }
    f.c.dy = NULL;
    check_against_reference(&f);
    close_fixture(&f);
}

/* Scores in the hundreds: exponentials stay finite and the largest wins. */
static void test_large_scores(void **state)
{
    (void)state;
    const size_t lengths[] = {300, 40};
    fixture f;
    open_fixture(&f, lengths, 2, 1, 2, 16, 8.0);
    f.c.dy = NULL;
    op_result result = op_run(&f.c);
    op_check_close("out", result.out, f.r.out, f.count[0], false, 3e-5);
    op_result_free(&result);
    close_fixture(&f);
}

static void test_plan(void **state)
{
    (void)state;
    const lcal__model_config config = {.heads = 4, .kv_heads = 2, .head_dim = 8};
    const lcal__op_attr attr = {.cols = 32, .config = &config};
    lcal__op_shape shape = {.rows = 9, .in_cols = {32, 16, 16}, .training = true, .threads = 2};
    lcal__op_plan plan;
    assert_int_equal(lcal__op_attention.plan(&attr, &shape, &plan, NULL), LCAL_OK);
    assert_false(plan.keep_in[0] || plan.keep_in[1] || plan.keep_in[2] || plan.keep_out);
    assert_int_equal(plan.aux_cols, 0);
    shape.in_grad[2] = true; /* v alone needs P, not dP */
    assert_int_equal(lcal__op_attention.plan(&attr, &shape, &plan, NULL), LCAL_OK);
    assert_true(plan.keep_in[0] && plan.keep_in[1]);
    assert_false(plan.keep_in[2] || plan.keep_out);
    assert_int_equal(plan.aux_cols, 4);
    shape.in_cols[0] = (size_t)1 << 31;
    lcal_error err = {0};
    assert_int_equal(lcal__op_attention.plan(&attr, &shape, &plan, &err), LCAL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "2147483648"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_packed),    cmocka_unit_test(test_heads),
        cmocka_unit_test(test_subsets),   cmocka_unit_test(test_large_scores),
        cmocka_unit_test(test_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
