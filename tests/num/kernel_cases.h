/* Runs a check of one kernel for every table of this processor and many lengths of a row. */
#ifndef LCAL_TESTS_NUM_KERNEL_CASES_H
#define LCAL_TESTS_NUM_KERNEL_CASES_H

#include "numbers.h"

#include "num/kernels.h"

#define LONGEST 1000

/* Checks one kernel on rows of n. */
typedef void kernel_check(const lcal__kernels *kernels, size_t n);

static inline void for_all_lengths(kernel_check *check)
{
    const lcal__kernels *tables[3];
    size_t count = lcal__kernels_all(tables);
    assert_in_range(count, 1, 3);
    for (size_t t = 0; t < count; t++) {
        for (size_t n = 1; n <= 70; n++)
            check(tables[t], n);
        check(tables[t], LONGEST);
    }
}

#define GUARD 12345.0f

/* A copy of x[n] with a guard behind it. */
static inline float *guarded(const float *x, size_t n)
{
    float *y = numbers_new(n + 1, 0, 1, 0);
    for (size_t i = 0; i < n; i++)
        y[i] = x[i];
    y[n] = GUARD;
    return y;
}

static inline void guarded_free(float *y, size_t n)
{
    assert_near(y[n], GUARD, 0);
    numbers_free(y);
}

#endif
