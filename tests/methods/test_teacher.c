/* The losses that column weights learn from, and their gradients against finite differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "methods/teacher.h"

#define N 37

static void fill(float *x, size_t n, uint64_t stream, double scale)
{
    lcal__rng rng = {5, stream, 0};
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(scale * lcal__rng_normal(&rng));
}

static void near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("expected %.12g, found %.12g", expected, found);
}

/* T^2 sum q log(q / p), straight from the definition. */
static double divergence(const float *teacher, const double *logits, double t)
{
    double q[N], p[N], q_sum = 0.0, p_sum = 0.0, sum = 0.0;
    for (size_t i = 0; i < N; i++) {
        q_sum += q[i] = exp((double)teacher[i] / t);
        p_sum += p[i] = exp(logits[i] / t);
    }
    for (size_t i = 0; i < N; i++)
        sum += q[i] / q_sum * log(q[i] / q_sum * p_sum / p[i]);
    return t * t * sum;
}

static void test_distill(void **state)
{
    (void)state;
    static const double temperatures[] = {1.0, 2.0, 0.5};
    for (size_t k = 0; k < 3; k++) {
        const double t = temperatures[k], weight = 0.25, step = 1e-4;
        float teacher[N], logits[N], gradient[N];
        double exact[N];
        fill(teacher, N, 1, 2.0);
        fill(logits, N, 2, 2.0);
        memcpy(gradient, logits, sizeof(gradient));
        for (size_t i = 0; i < N; i++)
            exact[i] = (double)logits[i];
        const double loss = lcal__distill_row(teacher, gradient, N, t, true, weight);
        near(loss, divergence(teacher, exact, t), 1e-9);
        for (size_t i = 0; i < N; i++) {
            const double kept = exact[i];
            exact[i] = kept + step;
            const double up = divergence(teacher, exact, t);
            exact[i] = kept - step;
            const double down = divergence(teacher, exact, t);
            exact[i] = kept;
            near(gradient[i], weight * (up - down) / (2.0 * step), 1e-6);
        }
        near(lcal__distill_row(teacher, logits, N, t, false, weight), loss, 1e-12);
        near(lcal__distill_row(logits, logits, N, t, false, weight), 0.0, 1e-12);
    }
}

/* Logits far apart must not overflow. */
static void test_extremes(void **state)
{
    (void)state;
    float teacher[3] = {1e4f, -1e4f, 0.0f}, logits[3] = {-1e4f, 1e4f, 0.0f};
    const double loss = lcal__distill_row(teacher, logits, 3, 2.0, true, 1.0);
    near(loss, 4.0 * 1e4, 1e-3);
    near(logits[0], -2.0, 1e-6);
    near(logits[1], 2.0, 1e-6);
}

static void test_cosine(void **state)
{
    (void)state;
    float a[N], b[N], da[N], db[N];
    const double factor = 0.3;
    const float step = 1e-2f;
    fill(a, N, 3, 1.0);
    fill(b, N, 4, 1.0);
    memset(da, 0, sizeof(da));
    memset(db, 0, sizeof(db));
    da[1] = 7.0f; /* gradients are added */
    lcal__cosine(a, b, N, factor, da, db);
    da[1] -= 7.0f;
    for (size_t i = 0; i < N; i++) {
        float unused[N] = {0}, other[N] = {0};
        float *const sides[] = {a, b};
        const float found[] = {da[i], db[i]};
        for (size_t k = 0; k < 2; k++) {
            const float kept = sides[k][i];
            sides[k][i] = kept + step;
            const double up = lcal__cosine(a, b, N, 0.0, unused, other);
            sides[k][i] = kept - step;
            const double down = lcal__cosine(a, b, N, 0.0, unused, other);
            sides[k][i] = kept;
            near(found[k], factor * (up - down) / (2.0 * (double)step), 1e-5);
        }
    }
    memset(a, 0, sizeof(a));
    near(lcal__cosine(a, b, N, factor, da, db), 0.0, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distill),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
