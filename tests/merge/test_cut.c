/* Dense updates of known singular values cut to a rank. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "merge/cut.h"
#include "num/svd.h"

enum { ROWS = 61, COLS = 83, MOST = 40 };

/* sum_k values[k] u_k v_k^T with orthonormal u and v. */
static void compose(const double *values, size_t count, float *out)
{
    static double u[MOST * ROWS], v[MOST * COLS], r[MOST * MOST];
    lcal__rng rng = {17, 0, 0};
    for (size_t e = 0; e < count * ROWS; e++)
        u[e] = lcal__rng_normal(&rng);
    for (size_t e = 0; e < count * COLS; e++)
        v[e] = lcal__rng_normal(&rng);
    lcal__orthonormalise(count, ROWS, u, r);
    lcal__orthonormalise(count, COLS, v, r);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLS; j++) {
            double sum = 0.0;
            for (size_t k = 0; k < count; k++)
                sum += values[k] * u[k * ROWS + i] * v[k * COLS + j];
            out[i * COLS + j] = (float)sum;
        }
}

/* What the best pair leaves out. */
static double best(const double *values, size_t count, size_t rank)
{
    double whole = 0.0, lost = 0.0;
    for (size_t k = 0; k < count; k++) {
        whole += values[k] * values[k];
        lost += k < rank ? 0.0 : values[k] * values[k];
    }
    return whole > 0.0 ? sqrt(lost / whole) : 0.0;
}

static void check(const double *values, size_t count, size_t rank, double bar)
{
    static float update[ROWS * COLS];
    const lcal__exec exec = lcal__exec_init(2);
    lcal__cut cut;
    double lost = 0.0, whole = 0.0;
    compose(values, count, update);
    assert_int_equal(lcal__cut_dense(&exec, update, ROWS, COLS, rank, &cut, NULL), LCAL_OK);
    assert_int_equal(cut.pair.rank, rank);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLS; j++) {
            double left = (double)update[i * COLS + j];
            whole += left * left;
            for (size_t k = 0; k < rank; k++)
                left -= (double)cut.pair.b[i * rank + k] * (double)cut.pair.a[k * COLS + j];
            lost += left * left;
        }
    /* It says how far it is, and is as near as can be. */
    assert_true(whole == 0.0 || fabs(sqrt(lost / whole) - cut.truncation) < 1e-6);
    if (!(cut.truncation <= best(values, count, rank) * (1 + bar) + 1e-6))
        fail_msg("rank %zu: %g, best %g", rank, cut.truncation, best(values, count, rank));
    for (size_t k = 0; k < rank && k < count && values[k] > 0.01 * values[0]; k++) {
        double square = 0.0;
        for (size_t i = 0; i < ROWS; i++)
            square += (double)cut.pair.b[i * rank + k] * (double)cut.pair.b[i * rank + k];
        assert_true(fabs(sqrt(square) - values[k]) <= (bar + 1e-5) * values[k]);
    }
    lcal__cut_free(&cut);
}

static void test_spectra(void **state)
{
    (void)state;
    double halving[MOST], slow[MOST], few[MOST] = {5.0, 3.0, 1.0}, none[MOST] = {0};
    for (size_t k = 0; k < MOST; k++) {
        halving[k] = pow(0.5, (double)k);
        slow[k] = 1.0 / sqrt((double)k + 1.0);
    }
    for (size_t rank = 1; rank <= 12; rank += 3)
        check(halving, MOST, rank, 1e-3);
    check(slow, MOST, 8, 1e-2);
    check(slow, MOST, MOST, 1e-2);
    check(few, MOST, 3, 1e-3); /* nothing is lost */
    check(few, MOST, 7, 1e-3);
    check(none, MOST, 4, 1e-3);
    check(slow, MOST, ROWS, 1e-3);
}

/* The same bits for any number of threads. */
static void test_threads(void **state)
{
    (void)state;
    static float update[ROWS * COLS];
    double slow[MOST];
    for (size_t k = 0; k < MOST; k++)
        slow[k] = 1.0 / ((double)k + 1.0);
    compose(slow, MOST, update);
    lcal__cut one, three;
    const lcal__exec single = lcal__exec_init(1), many = lcal__exec_init(3);
    assert_int_equal(lcal__cut_dense(&single, update, ROWS, COLS, 5, &one, NULL), LCAL_OK);
    assert_int_equal(lcal__cut_dense(&many, update, ROWS, COLS, 5, &three, NULL), LCAL_OK);
    assert_memory_equal(one.values, three.values, 5 * (ROWS + COLS) * sizeof(float));
    assert_true(one.truncation == three.truncation);
    lcal__cut_free(&one);
    lcal__cut_free(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spectra),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
