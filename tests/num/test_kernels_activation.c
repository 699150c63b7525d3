#include "kernel_cases.h"

static float exp_of(const lcal__kernels *k, float x)
{
    float y = x;
    k->exp_sum(&y, 1.0f, 0.0f, 1);
    return y;
}

/* Sweeps the whole range in steps that hit all fractions; errors in units of the last place. */
static void test_exp_accuracy(void **state)
{
    (void)state;
    enum { COUNT = 400000 };
    const lcal__kernels *tables[3];
    size_t count = lcal__kernels_all(tables);
    float *x = numbers_new(COUNT, -87.0, 88.7, 1);
    for (size_t t = 0; t < count; t++) {
        float *y = guarded(x, COUNT);
        tables[t]->exp_sum(y, 1.0f, 0.0f, COUNT);
        double worst = 0;
        for (size_t i = 0; i < COUNT; i++) {
            double expected = exp((double)x[i]);
            double ulp = (double)nextafterf((float)expected, INFINITY) - (double)(float)expected;
            double error = fabs((double)y[i] - expected) / ulp;
            worst = error > worst ? error : worst;
        }
        print_message("exp, %s: at most %.2f ulp\n", tables[t]->name, worst);
        assert_true(worst < 2);
        guarded_free(y, COUNT);
    }
    numbers_free(x);
}

static void check_exp_edges(const lcal__kernels *k, size_t n)
{
    (void)n;
    assert_near(exp_of(k, 0.0f), 1.0f, 0);
    assert_near(exp_of(k, -0.0f), 1.0f, 0);
    assert_near(exp_of(k, -INFINITY), 0, 0);
    assert_near(exp_of(k, -1e30f), 0, 0);
    assert_near(exp_of(k, -104.5f), 0, 0);
    assert_true(isinf(exp_of(k, INFINITY)));
    assert_true(isinf(exp_of(k, 88.8f)));
    assert_true(isinf(exp_of(k, 3e38f)));
    assert_true(isfinite(exp_of(k, 88.72f)));
    assert_true(isnan(exp_of(k, NAN)));
    assert_near(exp_of(k, -100.0f), exp(-100.0), 0x1p-149); /* subnormal */
}

static void check_exp_sum(const lcal__kernels *k, size_t n)
{
    float *x = numbers_new(n, -8, 8, 3);
    x[n / 3] = -INFINITY; /* as masked attention has it */
    float *y = guarded(x, n);
    float total = k->exp_sum(y, 1.5f, 9.0f, n);
    double expected = 0;
    for (size_t i = 0; i < n; i++) {
        double one = exp(1.5 * (double)x[i] - 9.0);
        assert_near(y[i], one, 3e-6 * one);
        expected += one;
    }
    assert_near(total, expected, 3e-6 * expected);
    y[n - 1] = NAN;
    assert_true(isnan(k->exp_sum(y, 1, 0, n)));
    guarded_free(y, n);
    numbers_free(x);
}

static double silu(double g)
{
    return g / (1.0 + exp(-g));
}

static double silu_slope(double g)
{
    double sigmoid = 1.0 / (1.0 + exp(-g));
    return sigmoid * (1.0 + g * (1.0 - sigmoid));
}

/* Gates from tiny to 1e4 in size, both signs. */
static float *gates_new(size_t n)
{
    float *g = numbers_new(n, -8, 8, 4);
    for (size_t i = 0; i < n; i++)
        if (i % 5 == 0)
            g[i] = (i % 2 ? -1.0f : 1.0f) * powf(10.0f, g[i] / 2.0f);
    g[n - 1] = n % 2 ? -1e4f : 1e4f;
    return g;
}

static void check_swiglu(const lcal__kernels *k, size_t n)
{
    float *g = gates_new(n);
    float *u = numbers_new(n, -2, 2, 5);
    float *dy = numbers_new(n, -2, 2, 6);
    float *y = guarded(g, n);
    float *dg = guarded(u, n);
    float *du = guarded(u, n);
    float *g_place = guarded(g, n);
    float *u_place = guarded(u, n);
    k->swiglu_forward(y, g, u, n);
    k->swiglu_backward(dg, du, dy, g, u, n);
    k->swiglu_backward(g_place, u_place, dy, g_place, u_place, n);
    for (size_t i = 0; i < n; i++) {
        double act = silu((double)g[i]);
        double slope = silu_slope((double)g[i]);
        assert_near(y[i], act * u[i], 1e-6 * fabs(act * u[i]) + 1e-37);
        assert_near(du[i], act * dy[i], 1e-6 * fabs(act * dy[i]) + 1e-37);
        assert_near(dg[i], slope * u[i] * dy[i], 3e-6 * fabs(u[i] * dy[i]));
    }
    assert_memory_equal(g_place, dg, n * sizeof(*dg));
    assert_memory_equal(u_place, du, n * sizeof(*du));
    guarded_free(y, n);
    guarded_free(dg, n);
    guarded_free(du, n);
    guarded_free(g_place, n);
    guarded_free(u_place, n);
    numbers_free(g);
    numbers_free(u);
    numbers_free(dy);
}

static void test_exp_edges(void **state)
{
    (void)state;
    for_all_lengths(check_exp_edges);
}

static void test_exp_sum(void **state)
{
    (void)state;
    for_all_lengths(check_exp_sum);
}

static void test_swiglu(void **state)
{
    (void)state;
    for_all_lengths(check_swiglu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_accuracy),
        cmocka_unit_test(test_exp_edges),
        cmocka_unit_test(test_exp_sum),
        cmocka_unit_test(test_swiglu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
