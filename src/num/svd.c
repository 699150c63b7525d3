#include "num/svd.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* A vector that keeps less of its length than this depends on those before it. */
#define DEPENDENT 1e-13
/* Columns whose cosine is below this are orthogonal; sweeps needed for it are about 8. */
#define ORTHOGONAL 1e-15
#define SWEEPS_MAX 60
#define LANES 8

/* Partial sums in lanes: fast, and in a fixed order. */
static double dot(const double *x, const double *y, size_t n)
{
    double lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += x[i + l] * y[i + l];
    for (size_t l = 0; i + l < n; l++)
        lanes[l] += x[i + l] * y[i + l];
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
           + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

/* Takes from `vector` what lies along the first `count` of q and adds how much to column j of r. */
static void project_out(size_t count, size_t length, const double *q, double *vector, double *along,
                        double *r, size_t stride)
{
    for (size_t i = 0; i < count; i++)
        along[i] = dot(q + i * length, vector, length);
    for (size_t i = 0; i < count; i++) {
        for (size_t e = 0; e < length; e++)
            vector[e] -= along[i] * q[i * length + e];
        r[i * stride] += along[i];
    }
}

void lcal__orthonormalise(size_t count, size_t length, double *q, double *r)
{
    memset(r, 0, count * count * sizeof(*r));
    for (size_t j = 0; j < count; j++) {
        double *vector = q + j * length;
        /* Row j of r is not in use yet: its entries left of the diagonal hold the coefficients. */
        double *along = r + j * count;
        const double whole = sqrt(dot(vector, vector, length));
        for (int round = 0; round < 2; round++)
            project_out(j, length, q, vector, along, r + j, count);
        memset(along, 0, j * sizeof(*along));
        const double left = sqrt(dot(vector, vector, length));
        const bool dependent = left <= DEPENDENT * whole;
        r[j * count + j] = dependent ? 0.0 : left;
        for (size_t e = 0; e < length; e++)
            vector[e] = dependent ? 0.0 : vector[e] / left;
    }
}

/* --- singular values --------------------------------------------------------------------- */

static void rotate(double *x, double *y, size_t n, double c, double s)
{
    for (size_t i = 0; i < n; i++) {
        const double xi = x[i], yi = y[i];
        x[i] = c * xi - s * yi;
        y[i] = s * xi + c * yi;
    }
}

/* Makes columns i and j orthogonal; false: they were. */
static bool turn(size_t n, double *a, double *v, size_t i, size_t j)
{
    double *x = a + i * n, *y = a + j * n;
    const double xx = dot(x, x, n), yy = dot(y, y, n), xy = dot(x, y, n);
    if (fabs(xy) <= ORTHOGONAL * sqrt(xx) * sqrt(yy))
        return false;
    const double zeta = (yy - xx) / (2.0 * xy);
    const double t = copysign(1.0, zeta) / (fabs(zeta) + sqrt(1.0 + zeta * zeta));
    const double c = 1.0 / sqrt(1.0 + t * t);
    rotate(x, y, n, c, c * t);
    rotate(v + i * n, v + j * n, n, c, c * t);
    return true;
}

static void swap_rows(double *m, size_t n, size_t i, size_t j)
{
    for (size_t e = 0; e < n; e++) {
        const double kept = m[i * n + e];
        m[i * n + e] = m[j * n + e];
        m[j * n + e] = kept;
    }
}

void lcal__svd_jacobi(size_t n, double *a, double *v, double *s)
{
    memset(v, 0, n * n * sizeof(*v));
    for (size_t i = 0; i < n; i++)
        v[i * n + i] = 1.0;
    bool turned = true;
    for (int sweep = 0; turned && sweep < SWEEPS_MAX; sweep++) {
        turned = false;
        for (size_t i = 0; i + 1 < n; i++)
            for (size_t j = i + 1; j < n; j++)
                turned = turn(n, a, v, i, j) || turned;
    }
    for (size_t i = 0; i < n; i++)
        s[i] = sqrt(dot(a + i * n, a + i * n, n));
    for (size_t i = 0; i < n; i++) {
        size_t largest = i;
        for (size_t j = i + 1; j < n; j++)
            if (s[j] > s[largest])
                largest = j;
        if (largest == i)
            continue;
        const double kept = s[i];
        s[i] = s[largest];
        s[largest] = kept;
        swap_rows(a, n, i, largest);
        swap_rows(v, n, i, largest);
    }
}
