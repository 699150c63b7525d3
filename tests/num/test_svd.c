/* Orthonormal vectors and singular values, also of matrices that are nearly or wholly singular. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "num/svd.h"

enum { N = 9, LENGTH = 37 };

/* Powers of points: the columns of a Vandermonde matrix, its condition about 1e7; vector 5 is the
 * sum of two before it, vector 7 is zero. */
static void fill(double *vectors)
{
    for (size_t j = 0; j < N; j++)
        for (size_t e = 0; e < LENGTH; e++)
            vectors[j * LENGTH + e] = pow((double)(e + 1) / LENGTH, (double)j);
    for (size_t e = 0; e < LENGTH; e++) {
        vectors[5 * LENGTH + e] = vectors[1 * LENGTH + e] + vectors[3 * LENGTH + e];
        vectors[7 * LENGTH + e] = 0.0;
    }
}

static double dot(const double *x, const double *y, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void test_orthonormal(void **state)
{
    (void)state;
    double vectors[N * LENGTH], q[N * LENGTH], r[N * N];
    fill(vectors);
    memcpy(q, vectors, sizeof(q));
    lcal__orthonormalise(N, LENGTH, q, r);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            const double one = i == j && i != 5 && i != 7 ? 1.0 : 0.0;
            assert_true(fabs(dot(q + i * LENGTH, q + j * LENGTH, LENGTH) - one) < 1e-14);
            assert_true(i <= j || r[i * N + j] == 0.0);
        }
    for (size_t j = 0; j < N; j++)
        for (size_t e = 0; e < LENGTH; e++) {
            double sum = 0.0;
            for (size_t i = 0; i < N; i++)
                sum += r[i * N + j] * q[i * LENGTH + e];
            assert_true(fabs(sum - vectors[j * LENGTH + e]) < 1e-14);
        }
}

/* Columns of a are what is decomposed; row k of the result is s_k u_k. */
static void check(size_t n, const double *before)
{
    double a[N * N], v[N * N], s[N];
    memcpy(a, before, n * n * sizeof(*a));
    lcal__svd_jacobi(n, a, v, s);
    for (size_t k = 0; k < n; k++) {
        assert_true(k == 0 || s[k] <= s[k - 1]);
        for (size_t l = 0; l < n; l++) {
            const double scale = s[0] * s[0] + 1e-300;
            assert_true(fabs(dot(v + k * n, v + l * n, n) - (k == l)) < 1e-13);
            assert_true(fabs(dot(a + k * n, a + l * n, n) - (k == l ? s[k] * s[k] : 0.0))
                        < 1e-13 * scale);
        }
    }
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n; i++) {
            double sum = 0.0;
            for (size_t k = 0; k < n; k++)
                sum += a[k * n + i] * v[k * n + j];
            assert_true(fabs(sum - before[j * n + i]) <= 1e-13 * (s[0] + 1e-300));
        }
}

static void test_singular_values(void **state)
{
    (void)state;
    double matrix[N * N], v[N * N], s[N];
    for (size_t j = 0; j < N; j++) /* Hilbert's, condition 5e11 */
        for (size_t i = 0; i < N; i++)
            matrix[j * N + i] = 1.0 / (double)(i + j + 1);
    check(N, matrix);
    for (size_t i = 0; i < N; i++)
        matrix[4 * N + i] = 2.0 * matrix[2 * N + i];
    check(N, matrix);
    memset(matrix, 0, sizeof(matrix));
    check(N, matrix);
    check(0, matrix);
    matrix[0] = -3.0;
    check(1, matrix);
    /* [[3, 0], [4, 5]]: 3 sqrt 5 and sqrt 5 */
    double known[] = {3.0, 4.0, 0.0, 5.0};
    check(2, known);
    lcal__svd_jacobi(2, known, v, s);
    assert_true(fabs(s[0] - 3.0 * sqrt(5.0)) < 1e-14 && fabs(s[1] - sqrt(5.0)) < 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orthonormal),
        cmocka_unit_test(test_singular_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
