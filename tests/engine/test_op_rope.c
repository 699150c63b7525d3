#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/op_harness.h"

typedef struct rope_context {
    const lcal__batch *batch;
    const float *cos_table, *sin_table;
    size_t cols, head_dim, dims;
} rope_context;

/* As complex numbers: (x[i] + i x[i + half]) times (cos + i sin). */
static void rope_row(const void *context, size_t row, double *const in[LCAL__OP_INPUTS],
                     double *out)
{
    const rope_context *c = context;
    const size_t half = c->dims / 2, at = (size_t)c->batch->positions[row] * half;
    for (size_t j = 0; j < c->cols; j++) {
        const size_t d = j % c->head_dim, pair = d < half ? d : d - half;
        if (d >= c->dims) {
            out[j] = in[0][j];
            continue;
        }
        const double cosine = (double)c->cos_table[at + pair];
        const double sine = (double)c->sin_table[at + pair];
        out[j] = d < half ? in[0][j] * cosine - in[0][j + half] * sine
                          : in[0][j] * cosine + in[0][j - half] * sine;
    }
}

static void check_rope(const size_t *lengths, size_t documents, size_t heads, size_t head_dim,
                       size_t dims)
{
    lcal__batch *batch = op_batch(lengths, documents, 10, 1);
    const size_t cols = heads * head_dim, half = dims / 2;
    size_t longest = 0;
    for (size_t d = 0; d < documents; d++)
        longest = lengths[d] > longest ? lengths[d] : longest;
    float *cos_table = op_floats(longest * half), *sin_table = op_floats(longest * half);
    for (size_t i = 0; i < longest * half; i++) {
        const double angle = (double)(i / half) * pow(10000.0, -(double)(i % half) / (double)half);
        cos_table[i] = (float)cos(angle);
        sin_table[i] = (float)sin(angle);
    }
    float *x = op_random(1, batch->tokens * cols, 1.0);
    float *dy = op_random(2, batch->tokens * cols, 1.0);
    const lcal__model_config config = {.head_dim = head_dim, .rope = {.dims = dims}};
    const rope_context context = {batch, cos_table, sin_table, cols, head_dim, dims};
    op_case c = {.kind = &lcal__op_rope,
                 .attr = {.cols = cols, .config = &config},
                 .batch = batch,
                 .rows = batch->tokens,
                 .in_cols = {cols},
                 .in = {x},
                 .in_grad = {true},
                 .dy = dy,
                 .rope_cos = cos_table,
                 .rope_sin = sin_table};
    for (int flags = 0; flags < 4; flags++) {
        c.share_place = flags & 1;
        c.add[0] = flags & 2;
        op_check_rows(&c, rope_row, &context, 1e-6, 1e-6);
        op_check_threads(&c);
    }
    c.add[0] = false;
    op_check_packed(&c);
    c.in_grad[0] = false;
    op_check_rows(&c, rope_row, &context, 1e-6, 0.0);
    op_batch_free(batch);
    free(cos_table);
    free(sin_table);
    free(x);
    free(dy);
}

static void test_rope(void **state)
{
    (void)state;
    const size_t lengths[] = {17, 1, 65, 3};
    check_rope((const size_t[]){1}, 1, 1, 8, 8);
    check_rope(lengths, 4, 3, 16, 16);
    check_rope(lengths, 4, 1, 40, 40);
    check_rope((const size_t[]){130}, 1, 2, 64, 64);
    check_rope((const size_t[]){500, 140}, 2, 2, 64, 64); /* several blocks of rows */
}

static void test_partial(void **state)
{
    (void)state;
    check_rope((const size_t[]){9, 5}, 2, 2, 64, 16);
    check_rope((const size_t[]){4}, 1, 3, 10, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_partial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
