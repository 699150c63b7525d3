/* Forward against the formula in double, backward against central differences of it. */
#include "kernel_cases.h"

#define EPS 1e-5
#define STEP 1e-5

static double rms_rstd(const double *x, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += x[i] * x[i];
    return 1.0 / sqrt(squares / (double)n + EPS);
}

static double layer_rstd(const double *x, size_t n, double *mean)
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    *mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - *mean) * (x[i] - *mean);
    return 1.0 / sqrt(squares / (double)n + EPS);
}

/* The scalar whose gradient dy asks for: the sum of dy y. */
static double objective(bool layer, const double *x, const float *w, const float *dy, size_t n)
{
    double mean = 0;
    double rstd = layer ? layer_rstd(x, n, &mean) : rms_rstd(x, n);
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += dy[i] * (x[i] - mean) * rstd * w[i];
    return total;
}

typedef struct row {
    float *x, *w, *b, *dy;
    double wide[LONGEST]; /* x in double */
} row;

static void row_init(row *r, size_t n)
{
    r->x = numbers_new(n, -1, 3, 1);
    r->w = numbers_new(n, -2, 2, 2);
    r->b = numbers_new(n, -2, 2, 3);
    r->dy = numbers_new(n, -1, 1, 4);
    for (size_t i = 0; i < n; i++)
        r->wide[i] = r->x[i];
}

static void row_free(row *r)
{
    numbers_free(r->x);
    numbers_free(r->w);
    numbers_free(r->b);
    numbers_free(r->dy);
}

static void check_gradient(row *r, bool layer, const float *dx, const float *added, size_t n)
{
    /* In one dimension LayerNorm's rstd is 1/sqrt(eps), and so is the rounding of its zero. */
    double tolerance = n == 1 && layer ? 1e-4 : 1e-5;
    for (size_t i = 0; i<n; i += n> 70 ? 37 : 1) {
        double x = r->wide[i];
        r->wide[i] = x + STEP;
        double up = objective(layer, r->wide, r->w, r->dy, n);
        r->wide[i] = x - STEP;
        double down = objective(layer, r->wide, r->w, r->dy, n);
        r->wide[i] = x;
        double expected = (up - down) / (2 * STEP);
        assert_near(dx[i], expected, tolerance * (1 + fabs(expected)));
        assert_near(added[i], expected + 0.5, tolerance * (1 + fabs(expected)));
    }
}

static void check_rms(const lcal__kernels *k, size_t n)
{
    row r;
    row_init(&r, n);
    float *y = guarded(r.x, n);
    float rstd = k->rms_forward(y, r.x, r.w, (float)EPS, n);
    double expected = rms_rstd(r.wide, n);
    assert_near(rstd, expected, 1e-6 * expected);
    for (size_t i = 0; i < n; i++)
        assert_near(y[i], r.wide[i] * expected * r.w[i], 2e-6 * (1 + fabs((double)y[i])));

    float *dx = guarded(y, n);
    float *added = guarded(y, n);
    for (size_t i = 0; i < n; i++) {
        dx[i] = NAN; /* must not be read */
        added[i] = 0.5f;
    }
    k->rms_backward(dx, r.dy, r.x, r.w, rstd, 0, n);
    k->rms_backward(added, r.dy, r.x, r.w, rstd, 1, n);
    check_gradient(&r, false, dx, added, n);
    guarded_free(y, n);
    guarded_free(dx, n);
    guarded_free(added, n);
    row_free(&r);
}

static void check_layer(const lcal__kernels *k, size_t n)
{
    row r;
    row_init(&r, n);
    float *y = guarded(r.x, n);
    float *plain = guarded(r.x, n);
    float stats[2];
    k->layer_forward(plain, r.x, r.w, NULL, (float)EPS, stats, n);
    k->layer_forward(y, r.x, r.w, r.b, (float)EPS, stats, n);
    double mean;
    double rstd = layer_rstd(r.wide, n, &mean);
    assert_near(stats[0], mean, 1e-6);
    assert_near(stats[1], rstd, 2e-6 * rstd);
    for (size_t i = 0; i < n; i++) {
        double expected = (r.wide[i] - mean) * rstd * r.w[i];
        assert_near(plain[i], expected, 5e-6 * (1 + fabs(expected)));
        assert_near(y[i], expected + r.b[i], 5e-6 * (1 + fabs(expected)));
    }

    float *dx = guarded(y, n);
    float *added = guarded(y, n);
    for (size_t i = 0; i < n; i++) {
        dx[i] = NAN;
        added[i] = 0.5f;
    }
    k->layer_backward(dx, r.dy, r.x, r.w, stats, 0, n);
    k->layer_backward(added, r.dy, r.x, r.w, stats, 1, n);
    check_gradient(&r, true, dx, added, n);
    guarded_free(y, n);
    guarded_free(plain, n);
    guarded_free(dx, n);
    guarded_free(added, n);
    row_free(&r);
}

/* A row far from zero: the variance must not drown in the mean's square. */
static void check_offset(const lcal__kernels *k, size_t n)
{
    if (n < 2)
        return;
    float *x = numbers_new(n, -1, 1, 1);
    float *w = numbers_new(n, 1, 1, 2);
    float *y = guarded(x, n);
    double wide[LONGEST];
    for (size_t i = 0; i < n; i++) {
        x[i] += 1000.0f;
        wide[i] = x[i];
    }
    float stats[2];
    k->layer_forward(y, x, w, NULL, (float)EPS, stats, n);
    double mean;
    double rstd = layer_rstd(wide, n, &mean);
    assert_near(stats[1], rstd, 1e-3 * rstd);
    guarded_free(y, n);
    numbers_free(x);
    numbers_free(w);
}

static void check_zero(const lcal__kernels *k, size_t n)
{
    float *zero = numbers_new(n, 0, 0, 0);
    float *w = numbers_new(n, 1, 1, 0);
    float *y = guarded(w, n);
    float rstd = k->rms_forward(y, zero, w, (float)EPS, n);
    assert_near(rstd, 1.0 / sqrt(EPS), 1e-3);
    assert_memory_equal(y, zero, n * sizeof(*y));
    guarded_free(y, n);
    numbers_free(zero);
    numbers_free(w);
}

static void test_rms(void **state)
{
    (void)state;
    for_all_lengths(check_rms);
    for_all_lengths(check_zero);
}

static void test_layer(void **state)
{
    (void)state;
    for_all_lengths(check_layer);
    for_all_lengths(check_offset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rms),
        cmocka_unit_test(test_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
