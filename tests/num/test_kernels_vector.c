#include "kernel_cases.h"

#include "base/dtype.h"

static void check_elementwise(const lcal__kernels *k, size_t n)
{
    float *a = numbers_new(n, -2, 2, 1);
    float *b = numbers_new(n, -2, 2, 2);
    float *c = numbers_new(n, -2, 2, 3);
    float *sum = guarded(a, n);
    float *line = guarded(a, n);
    float *scaled = guarded(a, n);
    float *product = guarded(a, n);
    float *fused = guarded(a, n);
    k->add(sum, b, n);
    k->axpy(line, 0.75f, b, n);
    k->scale(scaled, -1.25f, n);
    k->mul(product, b, c, n);
    k->mul_add(fused, b, c, n);
    for (size_t i = 0; i < n; i++) {
        double x = a[i];
        double y = b[i];
        double z = c[i];
        assert_near(sum[i], x + y, 3e-7);
        assert_near(line[i], x + 0.75 * y, 3e-7);
        assert_near(scaled[i], -1.25 * x, 2e-7);
        assert_near(product[i], y * z, 3e-7);
        assert_near(fused[i], x + y * z, 7e-7);
    }
    guarded_free(sum, n);
    guarded_free(line, n);
    guarded_free(scaled, n);
    guarded_free(product, n);
    guarded_free(fused, n);
    numbers_free(a);
    numbers_free(b);
    numbers_free(c);
}

static void check_reductions(const lcal__kernels *k, size_t n)
{
    float *a = numbers_new(n, -1, 3, 1);
    float *b = numbers_new(n, -2, 2, 2);
    double sum = 0;
    double dot = 0;
    double squares = 0;
    float max = a[0];
    for (size_t i = 0; i < n; i++) {
        sum += a[i];
        dot += (double)a[i] * b[i];
        squares += (double)a[i] * a[i];
        max = a[i] > max ? a[i] : max;
    }
    double tolerance = 2e-7 * (double)n;
    assert_near(k->sum(a, n), sum, tolerance);
    assert_near(k->dot(a, b, n), dot, tolerance);
    assert_near(k->sum_squares(a, n), squares, 1e-15 * squares * (double)n);
    assert_near(k->max(a, n), max, 0);
    for (size_t i = 0; i < n; i++)
        a[i] -= 10.0f; /* all below zero */
    assert_near(k->max(a, n), max - 10.0f, 1e-6);
    a[n - 1] = 50.0f;
    assert_near(k->max(a, n), 50.0f, 0);
    a[n / 2] = INFINITY;
    assert_true(isinf(k->max(a, n)));
    numbers_free(a);
    numbers_free(b);
}

static void check_rotate(const lcal__kernels *k, size_t half)
{
    float *x = numbers_new(2 * half, -2, 2, 1);
    float *angle = numbers_new(half, -4, 4, 2);
    float *c = numbers_new(half, 0, 0, 0);
    float *s = numbers_new(half, 0, 0, 0);
    for (size_t i = 0; i < half; i++) {
        c[i] = cosf(angle[i]);
        s[i] = sinf(angle[i]);
    }
    float *y = guarded(x, 2 * half);
    k->rotate(y, c, s, 1.0f, half);
    for (size_t i = 0; i < half; i++) {
        double a = x[i];
        double b = x[i + half];
        assert_near(y[i], a * cos((double)angle[i]) - b * sin((double)angle[i]), 1e-6);
        assert_near(y[i + half], a * sin((double)angle[i]) + b * cos((double)angle[i]), 1e-6);
    }
    k->rotate(y, c, s, -1.0f, half);
    for (size_t i = 0; i < 2 * half; i++)
        assert_near(y[i], x[i], 1e-6);
    guarded_free(y, 2 * half);
    numbers_free(x);
    numbers_free(angle);
    numbers_free(c);
    numbers_free(s);
}

static void check_empty(const lcal__kernels *k, size_t n)
{
    (void)n;
    float x = 1.0f;
    assert_near(k->sum(&x, 0), 0, 0);
    assert_near(k->dot(&x, &x, 0), 0, 0);
    assert_true(k->sum_squares(&x, 0) == 0);
    assert_true(isinf(k->max(&x, 0)) && k->max(&x, 0) < 0);
    assert_near(k->exp_sum(&x, 1, 0, 0), 0, 0);
    k->scale(&x, 3, 0);
    assert_near(x, 1, 0);
}

/* A whole gradient's norm must not overflow, nor lose small entries beside large ones. */
static void check_wide_range(const lcal__kernels *k, size_t n)
{
    float *x = numbers_new(n, 0, 0, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = i % 2 ? 1e-10f : 1e30f;
    double expected = 0;
    for (size_t i = 0; i < n; i++)
        expected += (double)x[i] * x[i];
    assert_near(k->sum_squares(x, n) / expected, 1, 1e-13);
    numbers_free(x);
}

/* Where a row lies must not change a bit of any sum over it. */
static void check_alignment(const lcal__kernels *k, size_t n)
{
    float *a = numbers_new(n, -1, 1, 1);
    float *b = numbers_new(n, -1, 1, 2);
    float first[7];
    double first_squares = 0;
    for (size_t offset = 0; offset < 17; offset++) {
        float *room = lcal__alloc_aligned(4 * (n + 17), sizeof(*room));
        assert_non_null(room);
        float *x = room + offset;
        float *y = x + n + 3;
        float *out = y + n + 2;
        memcpy(x, a, n * sizeof(*x));
        memcpy(y, b, n * sizeof(*y));
        float got[7] = {k->sum(x, n), k->dot(x, y, n), k->rms_forward(out, x, y, 1e-5f, n)};
        k->layer_forward(out, x, y, NULL, 1e-5f, got + 3, n);
        k->rms_backward(out, x, x, y, 0.5f, 0, n);
        got[5] = out[n - 1];
        double squares = k->sum_squares(x, n);
        got[6] = k->exp_sum(x, 1.5f, 0.25f, n);
        if (offset == 0) {
            memcpy(first, got, sizeof(first));
            first_squares = squares;
        }
        assert_memory_equal(first, got, sizeof(first));
        assert_memory_equal(&first_squares, &squares, sizeof(squares));
        lcal__free(room);
    }
    numbers_free(a);
    numbers_free(b);
}

static void test_elementwise(void **state)
{
    (void)state;
    for_all_lengths(check_elementwise);
}

static void test_reductions(void **state)
{
    (void)state;
    for_all_lengths(check_reductions);
    for_all_lengths(check_empty);
    for_all_lengths(check_wide_range);
}

static void test_alignment(void **state)
{
    (void)state;
    for_all_lengths(check_alignment);
}

static void test_rotate(void **state)
{
    (void)state;
    for_all_lengths(check_rotate);
}

/* All 65536 patterns of both types, against the scalar conversion of base/. */
static void test_widen(void **state)
{
    (void)state;
    enum { ALL = 65536, ODD = 13 };
    const lcal__kernels *tables[3];
    size_t count = lcal__kernels_all(tables);
    uint16_t *src = lcal__calloc(ALL, sizeof(*src));
    float *dst = numbers_new(ALL, 0, 0, 0);
    assert_non_null(src);
    for (size_t i = 0; i < ALL; i++)
        src[i] = (uint16_t)i;
    for (size_t t = 0; t < count; t++)
        for (int f16 = 0; f16 < 2; f16++)
            for (size_t step = ODD; step <= ALL; step += ALL - ODD) {
                for (size_t i = 0; i < ALL; i += step) {
                    size_t n = ALL - i < step ? ALL - i : step;
                    (f16 ? tables[t]->widen_f16 : tables[t]->widen_bf16)(dst + i, src + i, n);
                }
                for (size_t i = 0; i < ALL; i++) {
                    float expected = f16 ? lcal__f32_from_f16(src[i]) : lcal__f32_from_bf16(src[i]);
                    assert_memory_equal(&dst[i], &expected, sizeof(expected));
                }
            }
    lcal__free(src);
    numbers_free(dst);
}

static void test_select(void **state)
{
    (void)state;
    const lcal__kernels *tables[3];
    size_t count = lcal__kernels_all(tables);
    assert_string_equal(tables[0]->name, "portable");
    assert_ptr_equal(lcal__kernels_select(), tables[count - 1]);
    for (size_t t = 0; t < count; t++)
        print_message("kernels: %s\n", tables[t]->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),     cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_reductions), cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_rotate),     cmocka_unit_test(test_widen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
