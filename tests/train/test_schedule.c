/* The learning rate: values known by hand, and what holds for every schedule. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/schedule.h"

static lcal__settings settings(lcal__schedule schedule, uint64_t steps, double warmup,
                               double min_lr)
{
    lcal__settings s = {0};
    s.train.schedule = schedule;
    s.train.steps = steps;
    s.train.warmup = warmup;
    s.train.min_lr = min_lr;
    s.train.lr = 0.5;
    return s;
}

static void assert_lr(const lcal__settings *s, uint64_t step, double expected)
{
    double found = lcal__schedule_lr(s, step);
    if (!(fabs(found - expected) <= 1e-15))
        fail_msg("step %llu: lr %.17g, expected %.17g", (unsigned long long)step, found, expected);
}

static void test_values(void **state)
{
    (void)state;
    lcal__settings s = settings(LCAL__CONSTANT, 10, 0.4, 0.3);
    const double rising[] = {0.125, 0.25, 0.375, 0.5, 0.5, 0.5};
    for (uint64_t t = 0; t < 6; t++)
        assert_lr(&s, t, rising[t]);
    assert_lr(&s, 9, 0.5);

    s = settings(LCAL__LINEAR, 10, 0.2, 0.5);
    assert_lr(&s, 0, 0.25);
    assert_lr(&s, 1, 0.5);
    assert_lr(&s, 2, 0.5);
    assert_lr(&s, 6, 0.375);
    assert_lr(&s, 9, 0.5 - 0.25 * 7 / 8);

    s = settings(LCAL__COSINE, 8, 0, 0);
    assert_lr(&s, 0, 0.5);
    assert_lr(&s, 2, 0.25 * (1 + sqrt(0.5)));
    assert_lr(&s, 4, 0.25);
    assert_lr(&s, 6, 0.25 * (1 - sqrt(0.5)));
}

static void test_properties(void **state)
{
    (void)state;
    const double warmups[] = {0, 0.01, 0.05, 0.5, 1};
    const uint64_t lengths[] = {1, 2, 3, 17, 1000};
    for (int kind = LCAL__COSINE; kind <= LCAL__CONSTANT; kind++)
        for (size_t w = 0; w < 5; w++)
            for (size_t n = 0; n < 5; n++) {
                lcal__settings s = settings((lcal__schedule)kind, lengths[n], warmups[w], 0.1);
                uint64_t warmup = (uint64_t)floor(warmups[w] * (double)lengths[n] + 0.5);
                double last = 0;
                for (uint64_t t = 0; t < lengths[n]; t++) {
                    double lr = lcal__schedule_lr(&s, t);
                    assert_true(lr > 0 && lr <= 0.5); /* the first step moves, and the last */
                    if (t > 0 && t < warmup)
                        assert_true(lr > last);
                    else if (t > warmup)
                        assert_true(lr <= last && lr >= 0.05);
                    last = lr;
                }
                if (warmup < lengths[n])
                    assert_lr(&s, warmup, 0.5);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
