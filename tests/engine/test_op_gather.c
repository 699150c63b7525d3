#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/op_harness.h"

static void check_gather(size_t tokens, size_t cols, size_t stride)
{
    lcal__batch *batch = op_batch(&tokens, 1, 10, stride);
    float *x = op_random(1, tokens * cols, 1.0), *dy = op_random(2, batch->rows * cols, 1.0);
    op_case c = {.kind = &lcal__op_gather,
                 .attr = {.cols = cols},
                 .batch = batch,
                 .rows = batch->rows,
                 .in_rows = tokens,
                 .in_cols = {cols},
                 .in = {x},
                 .in_grad = {true},
                 .dy = dy};
    for (int add = 0; add < 2; add++) {
        c.add[0] = add;
        op_result result = op_run(&c);
        size_t row = 0;
        for (size_t t = 0; t < tokens; t++) {
            const bool wanted = row < batch->rows && (size_t)batch->row_token[row] == t;
            if (wanted)
                assert_memory_equal(result.out + row * cols, x + t * cols, cols * sizeof(float));
            for (size_t j = 0; j < cols; j++) {
                const float prior = add ? op_prior(t * cols + j) : 0.0f;
                const float want = prior + (wanted ? dy[row * cols + j] : 0.0f);
                assert_true(result.dx[0][t * cols + j] == want);
            }
            row += wanted;
        }
        assert_int_equal(row, batch->rows);
        op_result_free(&result);
        op_check_threads(&c);
    }
    op_batch_free(batch);
    free(x);
    free(dy);
}

static void test_gather(void **state)
{
    (void)state;
    check_gather(1, 8, 1);
    check_gather(5, 3, 9); /* no row at all */
    check_gather(200, 64, 1);
    check_gather(1000, 130, 3); /* several blocks of rows and of tokens */
    check_gather(1000, 130, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gather)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
