#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/op_harness.h"

static void check_embed(lcal__dtype dtype, size_t tokens, size_t vocab, size_t cols)
{
    lcal__batch *batch = op_batch(&tokens, 1, vocab, 1);
    float *table = op_random(1, vocab * cols, 1.0), *dy = op_random(2, tokens * cols, 1.0);
    float *grad = op_floats(vocab * cols);
    void *stored = calloc(vocab * cols, sizeof(float));
    assert_non_null(stored);
    lcal__convert_from_f32(dtype, table, stored, vocab * cols);
    lcal__convert_to_f32(dtype, stored, table, vocab * cols);
    const lcal__weight weight = {vocab, cols, dtype, stored};
    const op_case c = {.kind = &lcal__op_embed,
                       .attr = {.cols = cols, .weight = &weight, .weight_grad = grad},
                       .batch = batch,
                       .rows = tokens,
                       .dy = dy,
                       .params = {{grad, vocab * cols}},
                       .param_count = 1};
    op_result result = op_run(&c);
    double *want = op_doubles(vocab * cols);
    for (size_t t = 0; t < tokens; t++) {
        const size_t id = (size_t)batch->ids[t];
        assert_memory_equal(result.out + t * cols, table + id * cols, cols * sizeof(float));
        for (size_t j = 0; j < cols; j++)
            want[id * cols + j] += (double)dy[t * cols + j];
    }
    op_check_close("dE", result.params[0], want, vocab * cols, false, 1e-6);
    op_check_threads(&c);
    op_result_free(&result);
    op_batch_free(batch);
    free(table);
    free(dy);
    free(grad);
    free(stored);
    free(want);
}

static void test_embed(void **state)
{
    (void)state;
    check_embed(LCAL__F32, 1, 3, 8);
    check_embed(LCAL__F32, 200, 7, 300); /* every id many times, columns of several tasks */
    check_embed(LCAL__BF16, 65, 100, 17);
    check_embed(LCAL__F16, 17, 5, 64);
}

static void test_frozen(void **state)
{
    (void)state;
    const size_t tokens = 3;
    lcal__batch *batch = op_batch(&tokens, 1, 4, 1);
    float *table = op_random(1, 4 * 8, 1.0), *dy = op_random(2, tokens * 8, 1.0);
    const lcal__weight weight = {4, 8, LCAL__F32, table};
    const op_case c = {.kind = &lcal__op_embed,
                       .attr = {.cols = 8, .weight = &weight},
                       .batch = batch,
                       .rows = tokens,
                       .dy = dy};
    op_result result = op_run(&c);
    op_result_free(&result);
    op_batch_free(batch);
    free(table);
    free(dy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embed),
        cmocka_unit_test(test_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
