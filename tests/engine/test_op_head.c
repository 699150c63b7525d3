#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/op_harness.h"

/* Head and loss in double; row_weight times the sum of nll is what the gradients are of. */
typedef struct reference {
    size_t rows, vocab, hidden;
    const int32_t *targets;
    double row_weight;
    double *x, *weight;
    double *dx, *dweight;
    double *logits; /* [rows, vocab] */
    double *nll;
    double loss_sum;
} reference;

static void reference_row(reference *r, size_t row)
{
    const double *x = r->x + row * r->hidden;
    double *logits = r->logits + row * r->vocab, max = -INFINITY, sum = 0.0;
    for (size_t v = 0; v < r->vocab; v++) {
        logits[v] = 0.0;
        for (size_t j = 0; j < r->hidden; j++)
            logits[v] += x[j] * r->weight[v * r->hidden + j];
        max = fmax(max, logits[v]);
    }
    r->nll[row] = 0.0;
    if (r->targets[row] < 0)
        return;
    for (size_t v = 0; v < r->vocab; v++)
        sum += exp(logits[v] - max);
    r->nll[row] = max + log(sum) - logits[r->targets[row]];
    r->loss_sum += r->nll[row];
    for (size_t v = 0; v < r->vocab; v++) {
        const double d =
            r->row_weight
            * (exp(logits[v] - max) / sum - ((size_t)r->targets[row] == v ? 1.0 : 0.0));
        for (size_t j = 0; j < r->hidden; j++) {
            r->dx[row * r->hidden + j] += d * r->weight[v * r->hidden + j];
            r->dweight[v * r->hidden + j] += d * x[j];
        }
    }
}

static void reference_run(reference *r)
{
    memset(r->dx, 0, r->rows * r->hidden * sizeof(double));
    memset(r->dweight, 0, r->vocab * r->hidden * sizeof(double));
    r->loss_sum = 0.0;
    for (size_t row = 0; row < r->rows; row++)
        reference_row(r, row);
}

static double reference_loss(const void *context)
{
    reference r = *(const reference *)context; /* shares the arrays */
    reference_run(&r);
    return r.row_weight * r.loss_sum;
}

typedef struct seen_logits {
    size_t rows, vocab, calls;
    float *logits;
} seen_logits;

static void see_logits(void *user, size_t first, size_t count, const float *logits)
{
    seen_logits *seen = user;
    assert_int_equal(first, seen->rows);
    memcpy(seen->logits + first * seen->vocab, logits, count * seen->vocab * sizeof(float));
    seen->rows += count;
    seen->calls++;
}

typedef struct fixture {
    lcal__batch *batch;
    float *x, *weight, *dweight;
    lcal__weight w;
    reference r;
    seen_logits seen;
    op_case c;
} fixture;

static double *widened(const float *x, size_t count)
{
    double *wide = op_doubles(count);
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)x[i];
    return wide;
}

static void open_fixture(fixture *f, const size_t *lengths, size_t documents, size_t stride,
                         size_t vocab, size_t hidden, double spread)
{
    *f = (fixture){.batch = op_batch(lengths, documents, vocab, stride)};
    const size_t rows = f->batch->rows;
    f->x = op_random(1, rows * hidden, spread);
    f->weight = op_random(2, vocab * hidden, 1.0);
    f->dweight = op_floats(vocab * hidden);
    f->w = (lcal__weight){vocab, hidden, LCAL__F32, f->weight};
    f->seen = (seen_logits){.vocab = vocab, .logits = op_floats(rows * vocab)};
    f->c = (op_case){.kind = &lcal__op_head,
                     .attr = {.weight = &f->w},
                     .batch = f->batch,
                     .rows = rows,
                     .in_cols = {hidden},
                     .in = {f->x},
                     .row_weight = 0.125f};
    f->r = (reference){.rows = rows,
                       .vocab = vocab,
                       .hidden = hidden,
                       .targets = f->batch->row_target,
                       .row_weight = 0.125,
                       .x = widened(f->x, rows * hidden),
                       .weight = widened(f->weight, vocab * hidden),
                       .dx = op_doubles(rows * hidden),
                       .dweight = op_doubles(vocab * hidden),
                       .logits = op_doubles(rows * vocab),
                       .nll = op_doubles(rows)};
    reference_run(&f->r);
}

static void close_fixture(fixture *f)
{
    op_batch_free(f->batch);
    free(f->x);
    free(f->weight);
    free(f->dweight);
    free(f->seen.logits);
    free(f->r.x);
    free(f->r.weight);
    free(f->r.dx);
    free(f->r.dweight);
    free(f->r.logits);
    free(f->r.nll);
}

static void train(fixture *f, bool x, bool weight)
{
    f->c.training = true;
    f->c.in_grad[0] = x;
    f->c.attr.weight_grad = weight ? f->dweight : NULL;
    f->c.params[0] = (op_param){f->dweight, f->r.vocab * f->r.hidden};
    f->c.param_count = weight;
}

static void check_run(fixture *f, bool logits)
{
    f->seen.rows = f->seen.calls = 0;
    f->c.logits = logits ? see_logits : NULL;
    f->c.logits_user = &f->seen;
    op_result result = op_run(&f->c);
    op_check_close("nll", result.nll, f->r.nll, f->r.rows, false, 2e-6);
    assert_true(fabs(result.loss_sum - f->r.loss_sum) <= 2e-6 * f->r.loss_sum);
    for (size_t r = 0; r < f->r.rows; r++)
        if (f->batch->row_target[r] < 0)
            assert_true(result.nll[r] == 0.0f);
    if (logits) {
        assert_int_equal(f->seen.rows, f->r.rows);
        op_check_close("logits", f->seen.logits, f->r.logits, f->r.rows * f->r.vocab, false, 1e-6);
    }
    if (result.dx[0])
        op_check_close("dx", result.dx[0], f->r.dx, f->r.rows * f->r.hidden, false, 5e-6);
    if (f->c.param_count)
        op_check_close("dweight", result.params[0], f->r.dweight, f->r.vocab * f->r.hidden, false,
                       5e-6);
    op_result_free(&result);
}

static void test_reference(void **state)
{
    (void)state;
    const size_t lengths[] = {7, 1};
    fixture f;
    open_fixture(&f, lengths, 2, 1, 11, 4, 1.0);
    double *want = op_doubles(11 * 4);
    op_difference(f.r.x, f.r.rows * 4, reference_loss, &f.r, want);
    reference_run(&f.r);
    for (size_t i = 0; i < f.r.rows * 4; i++)
        assert_true(fabs(f.r.dx[i] - want[i]) < 1e-8);
    op_difference(f.r.weight, 11 * 4, reference_loss, &f.r, want);
    reference_run(&f.r);
    for (size_t i = 0; i < 11 * 4; i++)
        assert_true(fabs(f.r.dweight[i] - want[i]) < 1e-8);
    free(want);
    close_fixture(&f);
}

static void test_shapes(void **state)
{
    (void)state;
    const size_t shapes[][4] = {
        /* tokens, every which is a row, vocabulary, hidden */
        {1, 1, 1, 8},    {1, 1, 2, 8},      {3, 5, 10, 8},
        {17, 1, 37, 16}, {65, 2, 1000, 40}, {200, 3, 4097, 64},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        for (int wanted = 0; wanted < 4; wanted++) {
            fixture f;
            open_fixture(&f, &shapes[i][0], 1, shapes[i][1], shapes[i][2], shapes[i][3], 1.0);
            train(&f, wanted & 1, wanted & 2);
            check_run(&f, true);
            check_run(&f, false);
            f.c.logits = NULL;
            op_check_threads(&f.c);
            close_fixture(&f);
        }
}

static void test_scoring(void **state)
{
    (void)state;
    const size_t tokens = 65;
    fixture f;
    open_fixture(&f, &tokens, 1, 1, 300, 24, 1.0);
    f.c.attr.weight_grad = f.dweight; /* left alone: this is no training */
    check_run(&f, true);
    for (size_t i = 0; i < 300 * 24; i++)
        assert_true(isnan(f.dweight[i]));
    f.c.logits = NULL;
    op_check_threads(&f.c);
    close_fixture(&f);
}

/* A vocabulary so large that the rows do not fit one chunk. */
static void test_chunks(void **state)
{
    (void)state;
    const size_t tokens = 40;
    fixture f;
    open_fixture(&f, &tokens, 1, 1, 600001, 2, 1.0);
    train(&f, true, true);
    check_run(&f, true);
    assert_true(f.seen.calls > 1);
    f.c.logits = NULL;
    op_check_threads(&f.c);
    close_fixture(&f);
}

/* Where the model is sure, the small losses and gradients keep their digits; where it is sure of
 * another id, nothing overflows. */
static void test_sure(void **state)
{
    (void)state;
    const size_t tokens = 8, vocab = 6;
    fixture f;
    open_fixture(&f, &tokens, 1, 1, vocab, vocab, 0.0);
    for (size_t i = 0; i < vocab * vocab; i++)
        f.r.weight[i] = f.weight[i] = i % (vocab + 1) == 0 ? 1.0f : 0.0f; /* x are the logits */
    const double gaps[] = {5.0, 10.0, 17.0, 30.0, 80.0};
    train(&f, true, false);
    for (size_t g = 0; g < 10; g++) {
        for (size_t r = 0; r < tokens; r++)
            for (size_t v = 0; v < vocab; v++) {
                const bool hit = (int32_t)v == f.batch->row_target[r];
                const double x = hit == (g < 5) ? gaps[g % 5] : 0.0;
                f.x[r * vocab + v] = (float)x;
                f.r.x[r * vocab + v] = x;
            }
        op_result result = op_run(&f.c);
        for (size_t r = 0; r < tokens; r++) {
            if (f.batch->row_target[r] < 0)
                continue;
            const size_t target = (size_t)f.batch->row_target[r];
            const double e = 5.0 * exp(g < 5 ? -gaps[g % 5] : gaps[g % 5]);
            const double nll = log1p(e), slope = -0.125 * (e / (1.0 + e));
            assert_true(fabs((double)result.nll[r] - nll) <= 1e-6 * nll);
            assert_true(fabs((double)result.dx[0][r * vocab + target] - slope) <= -1e-6 * slope);
        }
        op_result_free(&result);
    }
    close_fixture(&f);
}

/* Rows of several documents together give what they give alone, but for rounding. */
static void test_packed(void **state)
{
    (void)state;
    const size_t lengths[] = {17, 1, 64};
    fixture all;
    open_fixture(&all, lengths, 3, 1, 500, 32, 1.0);
    op_result together = op_run(&all.c);
    size_t first = 0;
    for (size_t d = 0; d < 3; d++) {
        lcal__batch batch = *all.batch;
        batch.row_target += first;
        batch.rows = batch.tokens = lengths[d];
        batch.documents = 1;
        op_case c = all.c;
        c.batch = &batch;
        c.rows = lengths[d];
        c.in[0] = all.x + first * 32;
        op_result alone = op_run(&c);
        op_check_close("nll", alone.nll, all.r.nll + first, lengths[d], false, 2e-6);
        for (size_t r = 0; r < lengths[d]; r++)
            assert_true(fabsf(alone.nll[r] - together.nll[first + r]) <= 1e-5f);
        op_result_free(&alone);
        first += lengths[d];
    }
    op_result_free(&together);
    close_fixture(&all);
}

static void test_plan_refuses(void **state)
{
    (void)state;
    const lcal__weight weight = {(size_t)1 << 31, 8, LCAL__F32, NULL};
    const lcal__op_attr attr = {.weight = &weight};
    const lcal__op_shape shape = {.rows = 4, .in_cols = {8}, .threads = 1};
    lcal__op_plan plan;
    lcal_error err = {0};
    assert_int_equal(lcal__op_head.plan(&attr, &shape, &plan, &err), LCAL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "vocabulary"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),    cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_scoring),      cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_sure),         cmocka_unit_test(test_packed),
        cmocka_unit_test(test_plan_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
