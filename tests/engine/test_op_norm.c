#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/op_harness.h"

#define EPS 1e-5f

typedef struct norm_context {
    lcal__norm_kind kind;
    size_t cols, rows;
    double *weight, *bias;
    const float *x, *dy;
} norm_context;

static void norm_row(const void *context, size_t row, double *const in[LCAL__OP_INPUTS],
                     double *out)
{
    (void)row;
    const norm_context *c = context;
    const double n = (double)c->cols;
    double mean = 0.0, square = 0.0;
    for (size_t j = 0; c->kind == LCAL__NORM_LAYER && j < c->cols; j++)
        mean += in[0][j] / n;
    for (size_t j = 0; j < c->cols; j++)
        square += (in[0][j] - mean) * (in[0][j] - mean) / n;
    for (size_t j = 0; j < c->cols; j++)
        out[j] = (in[0][j] - mean) / sqrt(square + (double)EPS) * c->weight[j]
                 + (c->bias ? c->bias[j] : 0.0);
}

static double norm_loss(const void *context)
{
    const norm_context *c = context;
    double loss = 0.0, *x = op_doubles(c->cols), *out = op_doubles(c->cols);
    double *const in[LCAL__OP_INPUTS] = {x};
    for (size_t r = 0; r < c->rows; r++) {
        for (size_t j = 0; j < c->cols; j++)
            x[j] = (double)c->x[r * c->cols + j];
        norm_row(c, r, in, out);
        for (size_t j = 0; j < c->cols; j++)
            loss += out[j] * (double)c->dy[r * c->cols + j];
    }
    free(x);
    free(out);
    return loss;
}

static double *widened(const float *x, size_t count)
{
    double *wide = op_doubles(count);
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)x[i];
    return wide;
}

static void check_trained(const op_case *c, const norm_context *context)
{
    double *want = op_doubles(context->cols);
    op_result result = op_run(c);
    op_difference(context->weight, context->cols, norm_loss, context, want);
    op_check_close("dweight", result.params[0], want, context->cols, false, 1e-5);
    if (context->bias) {
        op_difference(context->bias, context->cols, norm_loss, context, want);
        op_check_close("dbias", result.params[1], want, context->cols, false, 1e-5);
    }
    op_result_free(&result);
    free(want);
}

static void check_norm(lcal__norm_kind kind, size_t rows, size_t cols, bool bias, bool trained)
{
    const size_t lengths[] = {rows > 2 ? rows - 2 : rows, rows > 2 ? 2 : 0};
    lcal__batch *batch = op_batch(lengths, rows > 2 ? 2 : 1, 10, 1);
    float *x = op_random(1, rows * cols, 2.0), *dy = op_random(2, rows * cols, 1.0);
    float *weight = op_random(3, cols, 1.0), *shift = op_random(4, cols, 1.0);
    float *dweight = op_floats(cols), *dshift = op_floats(cols);
    const lcal__norm norm = {.kind = kind,
                             .eps = EPS,
                             .cols = cols,
                             .weight = {weight, trained ? dweight : NULL},
                             .bias = {bias ? shift : NULL, trained && bias ? dshift : NULL}};
    norm_context context = {.kind = kind,
                            .cols = cols,
                            .rows = rows,
                            .weight = widened(weight, cols),
                            .bias = bias ? widened(shift, cols) : NULL,
                            .x = x,
                            .dy = dy};
    op_case c = {.kind = &lcal__op_norm,
                 .attr = {.cols = cols, .norm = &norm},
                 .batch = batch,
                 .rows = rows,
                 .in_cols = {cols},
                 .in = {x},
                 .dy = dy,
                 .params = {{dweight, cols}, {dshift, cols}},
                 .param_count = trained ? (bias ? 2 : 1) : 0};
    for (int wanted = 0; wanted < 2; wanted++)
        for (int add = 0; add <= wanted; add++) {
            c.in_grad[0] = wanted;
            c.add[0] = add;
            op_check_rows(&c, norm_row, &context, 1e-6, 3e-6);
            op_check_threads(&c);
        }
    if (trained)
        check_trained(&c, &context);
    c.add[0] = false;
    c.param_count = 0;
    op_check_packed(&c);
    c.dy = NULL;
    op_check_rows(&c, norm_row, &context, 1e-6, 0.0);
    op_batch_free(batch);
    free(x);
    free(dy);
    free(weight);
    free(shift);
    free(dweight);
    free(dshift);
    free(context.weight);
    free(context.bias);
}

static const size_t shapes[][2] = {{1, 8}, {2, 17}, {3, 64}, {65, 40}, {130, 19}, {1100, 32}};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void test_rms(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++)
        for (int trained = 0; trained < 2; trained++)
            check_norm(LCAL__NORM_RMS, shapes[i][0], shapes[i][1], false, trained);
}

static void test_layer(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++)
        for (int flags = 0; flags < 4; flags++)
            check_norm(LCAL__NORM_LAYER, shapes[i][0], shapes[i][1], flags & 1, flags & 2);
}

static void test_plan_keeps_nothing_when_frozen(void **state)
{
    (void)state;
    const lcal__norm norm = {.kind = LCAL__NORM_LAYER, .cols = 8};
    const lcal__op_attr attr = {.cols = 8, .norm = &norm};
    lcal__op_shape shape = {.rows = 4, .in_cols = {8}, .training = true, .threads = 1};
    lcal__op_plan plan;
    assert_int_equal(lcal__op_norm.plan(&attr, &shape, &plan, NULL), LCAL_OK);
    assert_false(plan.keep_in[0]);
    assert_int_equal(plan.aux_cols, 0);
    shape.in_grad[0] = true;
    assert_int_equal(lcal__op_norm.plan(&attr, &shape, &plan, NULL), LCAL_OK);
    assert_true(plan.keep_in[0]);
    assert_int_equal(plan.aux_cols, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rms),
        cmocka_unit_test(test_layer),
        cmocka_unit_test(test_plan_keeps_nothing_when_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
