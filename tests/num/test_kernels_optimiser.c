#include "kernel_cases.h"

typedef struct moments {
    double w, m, v;
} moments;

/* Loshchilov and Hutter 2019 as PyTorch writes it: decay first, then the step from the moments. */
static void adamw_reference(moments *p, double g, int t)
{
    p->w *= 1 - 1e-2 * 0.1;
    p->m = 0.9 * p->m + 0.1 * g;
    p->v = 0.999 * p->v + 0.001 * g * g;
    double m_hat = p->m / (1 - pow(0.9, t));
    double v_hat = p->v / (1 - pow(0.999, t));
    p->w -= 1e-2 * m_hat / (sqrt(v_hat) + 1e-8);
}

static void check_adamw(const lcal__kernels *k, size_t n)
{
    float *start = numbers_new(n, -2, 2, 1);
    float *zero = numbers_new(n, 0, 0, 0);
    float *w = guarded(start, n);
    float *m = guarded(zero, n);
    float *v = guarded(zero, n);
    moments expected[LONGEST];
    for (size_t i = 0; i < n; i++)
        expected[i] = (moments){.w = start[i]};
    for (int t = 1; t <= 5; t++) {
        float *g = numbers_new(n, -1, 1, 10 + (uint64_t)t);
        k->adamw(w, m, v, g, 0.5f, 1e-2f, 0.9, 0.999, 1e-8f, 0.1f, (float)(1 - pow(0.9, t)),
                 (float)(1 - pow(0.999, t)), n);
        for (size_t i = 0; i < n; i++) {
            adamw_reference(&expected[i], 0.5 * (double)g[i], t);
            assert_near(w[i], expected[i].w, 1e-6);
            assert_near(m[i], expected[i].m, 1e-6 * fabs(expected[i].m) + 1e-8);
            assert_near(v[i], expected[i].v, 2e-6 * expected[i].v);
        }
        numbers_free(g);
    }
    guarded_free(w, n);
    guarded_free(m, n);
    guarded_free(v, n);
    numbers_free(start);
    numbers_free(zero);
}

/* By hand: the first step is lr times the gradient's sign, whatever its size; no gradient leaves
 * the decay alone. */
static void check_first_step(const lcal__kernels *k, size_t n)
{
    (void)n;
    float w[3] = {1, 1, 1};
    float m[3] = {0};
    float v[3] = {0};
    const float g[3] = {3.0f, -0.002f, 0};
    k->adamw(w, m, v, g, 1, 0.01f, 0.9, 0.999, 1e-8f, 0.1f, (float)(1 - 0.9), (float)(1 - 0.999),
             3);
    assert_near(w[0], 1 - 0.01 - 0.001, 2e-7);
    assert_near(w[1], 1 + 0.01 - 0.001, 2e-7);
    assert_near(w[2], 1 - 0.001, 1e-7);
}

static void test_adamw(void **state)
{
    (void)state;
    for_all_lengths(check_adamw);
    for_all_lengths(check_first_step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_adamw)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
