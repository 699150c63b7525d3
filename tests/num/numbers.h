/* What the tests of num/ share: numbers, lengths and tables to try, comparing. */
#ifndef LCAL_TESTS_NUM_NUMBERS_H
#define LCAL_TESTS_NUM_NUMBERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* count floats, uniform in [low, high); never aligned to a cache line. Free with numbers_free. */
static inline float *numbers_new(size_t count, double low, double high, uint64_t stream)
{
    lcal__rng rng = {.seed = 7, .stream = stream};
    float *x = lcal__calloc(count + 1, sizeof(*x));
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        x[i + 1] = (float)(low + (high - low) * lcal__rng_uniform(&rng));
    return x + 1;
}

static inline void numbers_free(float *x)
{
    lcal__free(x - 1);
}

/* cmocka's assert_float_equal takes infinity for equal to everything. */
static inline void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("got %.9g, expected %.9g +- %.3g", got, expected, tolerance);
}

#endif
