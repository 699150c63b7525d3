/* The k-th largest magnitude against sorting, with ties, zeros and every k. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "merge/select.h"

#define COUNT 200

static int descending(const void *x, const void *y)
{
    float a = *(const float *)x, b = *(const float *)y;
    return (a < b) - (a > b);
}

static float select(const float *x, size_t n, uint64_t keep)
{
    lcal__select s;
    assert_int_equal(lcal__select_open(&s, 3, keep, NULL), LCAL_OK);
    for (int pass = 0; pass < LCAL__SELECT_PASSES; pass++) {
        /* Uneven shares of three workers. */
        lcal__select_add(&s, x, n / 2, 2);
        lcal__select_add(&s, x + n / 2, n / 3, 0);
        lcal__select_add(&s, x + n / 2 + n / 3, n - n / 2 - n / 3, 1);
        lcal__select_next(&s);
    }
    const float threshold = s.threshold;
    lcal__select_close(&s);
    return threshold;
}

static void test_every_rank(void **state)
{
    (void)state;
    lcal__rng rng = {3, 0, 0};
    for (int kind = 0; kind < 5; kind++) {
        float x[COUNT], sorted[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            const double value = lcal__rng_normal(&rng);
            const float kinds[] = {(float)value, (float)(value * 1e-40), /* denormal */
                                   (float)floor(3 * value),              /* many ties */
                                   i % 3 ? 0.0f : (float)value,          /* zeros of both signs */
                                   1.0f + (float)i * 0x1p-23f};          /* neighbours */
            x[i] = kind == 3 && i % 2 ? -kinds[kind] : kinds[kind];
            sorted[i] = fabsf(x[i]);
        }
        qsort(sorted, COUNT, sizeof(*sorted), descending);
        assert_true(isinf(select(x, COUNT, 0)));
        for (size_t k = 1; k <= COUNT; k++)
            assert_true(select(x, COUNT, k) == sorted[k - 1]);
    }
    const float extremes[] = {INFINITY, 3.4e38f, 1e-45f};
    for (size_t k = 1; k <= 3; k++)
        assert_true(select(extremes, 3, k) == extremes[k - 1]);
}

static void test_counts(void **state)
{
    (void)state;
    assert_int_equal(lcal__select_count(0.2, 1000), 200);
    assert_int_equal(lcal__select_count(0.2, 4), 0);
    assert_int_equal(lcal__select_count(0.29, 100), 28); /* as int(0.29 * 100) */
    assert_int_equal(lcal__select_count(1.0, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rank),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
