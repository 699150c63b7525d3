/* Random numbers: the published vectors of Philox, and statistics with fixed seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"

/* kat_vectors of Random123, philox4x32 with 10 rounds. */
static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint32_t out[4];
        lcal__philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].out, sizeof(out));
    }
}

static void test_position(void **state)
{
    (void)state;
    lcal__rng whole = {.seed = 7, .stream = 9}, other = {.seed = 7, .stream = 10};
    uint64_t values[10];
    for (size_t i = 0; i < 10; i++)
        values[i] = lcal__rng_u64(&whole);
    lcal__rng entered = {.seed = 7, .stream = 9, .index = 6};
    for (size_t i = 6; i < 10; i++)
        assert_int_equal(lcal__rng_u64(&entered), values[i]);
    assert_int_not_equal(lcal__rng_u64(&other), values[0]);
    /* The index has 64 bits: its upper half counts too. */
    lcal__rng far = {.seed = 7, .stream = 9, .index = UINT64_C(1) << 32};
    assert_int_not_equal(lcal__rng_u64(&far), values[0]);
    assert_int_not_equal(lcal__rng_stream("shuffle"), lcal__rng_stream("init"));
    assert_int_equal(lcal__rng_stream("a"), UINT64_C(0xAF63DC4C8601EC8C)); /* FNV's own vector */
}

static void test_below(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 1, .stream = 2};
    /* Of 3 * 2^62 values a third lies under 2^62; the plain remainder would put half there. */
    const uint64_t bound = UINT64_C(3) << 62;
    size_t low = 0, draws = 20000;
    for (size_t i = 0; i < draws; i++) {
        uint64_t value = lcal__rng_below(&rng, bound);
        assert_true(value < bound);
        low += value < bound / 3;
    }
    double share = (double)low / (double)draws;
    assert_true(fabs(share - 1.0 / 3) < 5 * sqrt(2.0 / 9 / (double)draws));

    size_t seen[7] = {0};
    double chi = 0;
    for (size_t i = 0; i < 70000; i++)
        seen[lcal__rng_below(&rng, 7)]++;
    for (size_t i = 0; i < 7; i++)
        chi += ((double)seen[i] - 10000) * ((double)seen[i] - 10000) / 10000;
    assert_true(chi < 33); /* 6 degrees of freedom, 1e-5 */
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(lcal__rng_below(&rng, 1), 0);
}

static void test_distributions(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 3, .stream = 4};
    const size_t draws = 100000;
    double sum = 0, squares = 0, normal = 0, normal_squares = 0;
    size_t beyond = 0;
    for (size_t i = 0; i < draws; i++) {
        double u = lcal__rng_uniform(&rng), z = lcal__rng_normal(&rng);
        assert_true(u >= 0 && u < 1 && isfinite(z));
        sum += u;
        squares += u * u;
        normal += z;
        normal_squares += z * z;
        beyond += fabs(z) > 1.959963984540054;
    }
    double n = (double)draws, root = sqrt(n);
    assert_true(fabs(sum / n - 0.5) < 5 * sqrt(1.0 / 12) / root);
    assert_true(fabs(squares / n - 1.0 / 3) < 5 * sqrt(4.0 / 45) / root);
    assert_true(fabs(normal / n) < 5 / root);
    assert_true(fabs(normal_squares / n - 1) < 5 * sqrt(2) / root);
    assert_true(fabs((double)beyond / n - 0.05) < 5 * sqrt(0.05 * 0.95) / root);
}

static void test_shuffle(void **state)
{
    (void)state;
    uint32_t items[1000];
    unsigned char seen[1000] = {0};
    for (uint32_t i = 0; i < 1000; i++)
        items[i] = i;
    lcal__rng rng = {.seed = 5, .stream = 6};
    lcal__rng_shuffle(&rng, items, 1000);
    size_t still = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(items[i] < 1000);
        assert_int_equal(seen[items[i]]++, 0);
        still += items[i] == i;
    }
    assert_true(still < 10);
    lcal__rng_shuffle(&rng, items, 0);

    /* All 24 orders of four items are equally likely. */
    size_t counts[256] = {0}, orders = 0;
    double chi = 0;
    for (size_t i = 0; i < 24000; i++) {
        uint32_t four[4] = {0, 1, 2, 3};
        lcal__rng_shuffle(&rng, four, 4);
        counts[four[0] | four[1] << 2 | four[2] << 4 | four[3] << 6]++;
    }
    for (size_t i = 0; i < 256; i++)
        if (counts[i]) {
            orders++;
            chi += ((double)counts[i] - 1000) * ((double)counts[i] - 1000) / 1000;
        }
    assert_int_equal(orders, 24);
    assert_true(chi < 65); /* 23 degrees of freedom, 1e-5 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_position),
        cmocka_unit_test(test_below),         cmocka_unit_test(test_distributions),
        cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
