#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/op_harness.h"

static void glu_row(const void *context, size_t row, double *const in[LCAL__OP_INPUTS], double *out)
{
    (void)row;
    const size_t cols = *(const size_t *)context;
    for (size_t j = 0; j < cols; j++)
        out[j] = in[0][j] / (1.0 + exp(-in[0][j])) * in[1][j];
}

static void check_glu(size_t rows, size_t cols)
{
    const size_t lengths[] = {rows > 2 ? rows - 2 : rows, rows > 2 ? 2 : 0};
    lcal__batch *batch = op_batch(lengths, rows > 2 ? 2 : 1, 10, 1);
    float *gate = op_random(1, rows * cols, 2.0), *up = op_random(2, rows * cols, 1.0);
    float *dy = op_random(3, rows * cols, 1.0);
    op_case c = {.kind = &lcal__op_glu,
                 .attr = {.cols = cols},
                 .batch = batch,
                 .rows = rows,
                 .in_cols = {cols, cols},
                 .in = {gate, up},
                 .dy = dy};
    for (int flags = 0; flags < 16; flags++) {
        c.in_grad[0] = flags & 1;
        c.in_grad[1] = flags & 2;
        c.add[0] = flags & 4;
        c.add[1] = flags & 8;
        op_check_rows(&c, glu_row, &cols, 1e-6, 1e-6);
        op_check_threads(&c);
    }
    c.add[0] = c.add[1] = false;
    op_check_packed(&c);
    op_batch_free(batch);
    free(gate);
    free(up);
    free(dy);
}

static void test_glu(void **state)
{
    (void)state;
    check_glu(1, 1);
    check_glu(2, 17);
    check_glu(65, 33);
    check_glu(3, 1100); /* more than one step of a row */
}

/* Several blocks of rows, so that threads meet. */
static void test_threads(void **state)
{
    (void)state;
    const size_t rows = 700, cols = 130;
    lcal__batch *batch = op_batch(&rows, 1, 10, 1);
    float *gate = op_random(1, rows * cols, 2.0), *up = op_random(2, rows * cols, 1.0);
    float *dy = op_random(3, rows * cols, 1.0);
    const op_case c = {.kind = &lcal__op_glu,
                       .attr = {.cols = cols},
                       .batch = batch,
                       .rows = rows,
                       .in_cols = {cols, cols},
                       .in = {gate, up},
                       .in_grad = {true, true},
                       .add = {false, true},
                       .dy = dy};
    op_check_threads(&c);
    op_batch_free(batch);
    free(gate);
    free(up);
    free(dy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_glu), cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
