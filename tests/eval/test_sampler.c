/*
 * The sampler against its formulas, computed by sorting. A draw is a function of one number in
 * [0, 1): over a grid of them the tokens' frequencies are the distribution, to within one grid step
 * a token.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "eval/sampler.h"

#define VOCAB 12
#define GRID 4000

static lcal_error err;

/* --- the reference ----------------------------------------------------------------------- */

static double ranked[VOCAB];

static int by_rank(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    if (ranked[x] != ranked[y])
        return ranked[x] > ranked[y] ? -1 : 1;
    return x - y;
}

/* p[VOCAB]: what each token's chance must be. */
static void expect(const lcal__sampler_options *o, const float *logits, const uint8_t *barred,
                   const uint8_t *seen, double *p)
{
    int order[VOCAB];
    int count = 0;
    for (int i = 0; i < VOCAB; i++) {
        const double r = seen[i] && o->repetition_penalty > 0.0 ? o->repetition_penalty : 1.0;
        ranked[i] = logits[i] > 0.0f ? (double)logits[i] / r : (double)logits[i] * r;
        if (!barred[i] && !isinf(logits[i]))
            order[count++] = i;
    }
    qsort(order, (size_t)count, sizeof(*order), by_rank);
    memset(p, 0, VOCAB * sizeof(*p));
    if (o->temperature == 0.0) {
        p[order[0]] = 1.0;
        return;
    }
    if (o->top_k && (size_t)count > o->top_k)
        count = (int)o->top_k;
    double w[VOCAB], total = 0.0, sum = 0.0;
    for (int i = 0; i < count; i++)
        total += w[i] = exp((ranked[order[i]] - ranked[order[0]]) / o->temperature);
    if (o->top_p > 0.0 && o->top_p < 1.0) {
        int kept = 0;
        while (kept < count && sum < o->top_p * total)
            sum += w[kept++];
        count = kept;
    }
    total = 0.0;
    for (int i = 0; i < count; i++)
        if (w[i] >= o->min_p * w[0])
            total += p[order[i]] = w[i];
    for (int i = 0; i < VOCAB; i++)
        p[i] /= total;
}

/* --- over the grid ------------------------------------------------------------------------ */

static void check(const lcal__sampler_options *options, const float *logits, const uint8_t *barred,
                  const lcal__seen *seen)
{
    lcal__sampler sampler;
    double p[VOCAB];
    int counts[VOCAB] = {0};
    expect(options, logits, barred, seen->marks, p);
    assert_int_equal(lcal__sampler_options_check(options, &err), LCAL_OK);
    assert_int_equal(lcal__sampler_init(&sampler, options, VOCAB, barred, &err), LCAL_OK);
    for (int i = 0; i < GRID; i++) {
        int32_t id = -1;
        assert_int_equal(lcal__sampler_next(&sampler, logits, seen, (i + 0.5) / GRID, &id, &err),
                         LCAL_OK);
        assert_in_range(id, 0, VOCAB - 1);
        counts[id]++;
    }
    for (int i = 0; i < VOCAB; i++)
        assert_true(fabs(counts[i] - p[i] * GRID) <= 1.0);
    lcal__sampler_free(&sampler);
}

static void test_distributions(void **state)
{
    (void)state;
    static const lcal__sampler_options options[] = {
        {0},
        {.temperature = 1.0},
        {.temperature = 0.7},
        {.temperature = 2.5, .top_k = 5},
        {.temperature = 1.0, .top_k = 1},
        {.temperature = 1.0, .top_k = 100},
        {.temperature = 1.0, .top_p = 0.5},
        {.temperature = 1.0, .top_p = 1e-9},
        {.temperature = 1.5, .top_p = 0.95},
        {.temperature = 1.0, .top_p = 1.0, .min_p = 0.2},
        {.temperature = 1.0, .min_p = 1.0},
        {.temperature = 1.2, .top_k = 7, .top_p = 0.8, .min_p = 0.1},
        {.temperature = 1.2, .top_k = 3, .top_p = 0.99, .min_p = 0.01, .repetition_penalty = 1.4},
        {.temperature = 1e-3, .repetition_penalty = 1.3},
        {.repetition_penalty = 8.0},
        {.temperature = 1.0, .repetition_penalty = 0.5},
    };
    lcal__rng rng = {7, lcal__rng_stream("test"), 0};
    for (size_t round = 0; round < 20; round++) {
        float logits[VOCAB];
        uint8_t barred[VOCAB] = {0};
        lcal__seen seen;
        assert_int_equal(lcal__seen_init(&seen, VOCAB, &err), LCAL_OK);
        for (int i = 0; i < VOCAB; i++) {
            /* Multiples of a half: ties, zeros and both signs are common. */
            logits[i] = 0.5f * (float)lcal__rng_below(&rng, 13) - 3.0f;
            barred[i] = round % 3 == 2 && lcal__rng_below(&rng, 3) == 0 && i;
            const int32_t id = i;
            if (lcal__rng_below(&rng, 3) == 0)
                lcal__seen_add(&seen, &id, 1);
        }
        if (round % 5 == 4)
            logits[5] = -INFINITY;
        for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
            check(&options[i], logits, barred, &seen);
        lcal__seen_free(&seen);
    }
}

/* --- one draw ----------------------------------------------------------------------------- */

static lcal_status draw(const lcal__sampler_options *options, const float *logits, size_t vocab,
                        const uint8_t *barred, double u, int32_t *id)
{
    lcal__sampler sampler;
    assert_int_equal(lcal__sampler_init(&sampler, options, vocab, barred, &err), LCAL_OK);
    lcal_status status = lcal__sampler_next(&sampler, logits, NULL, u, id, &err);
    lcal__sampler_free(&sampler);
    return status;
}

static void test_greedy_takes_the_lowest_of_equals(void **state)
{
    (void)state;
    const lcal__sampler_options greedy = {0}, one = {.temperature = 1.0, .top_k = 1};
    const float logits[] = {1.0f, 3.0f, 2.0f, 3.0f, 3.0f};
    const uint8_t barred[] = {0, 1, 0, 0, 0};
    int32_t id;
    assert_int_equal(draw(&greedy, logits, 5, NULL, 0.9, &id), LCAL_OK);
    assert_int_equal(id, 1);
    assert_int_equal(draw(&one, logits, 5, NULL, 0.9, &id), LCAL_OK);
    assert_int_equal(id, 1);
    assert_int_equal(draw(&greedy, logits, 5, barred, 0.9, &id), LCAL_OK);
    assert_int_equal(id, 3);
}

/* Temperatures at both ends and logits far apart: no overflow, no NaN. */
static void test_extremes(void **state)
{
    (void)state;
    const float logits[] = {-3e38f, 3e38f, 1.0f, -INFINITY};
    const lcal__sampler_options cold = {.temperature = 1e-300},
                                hot = {.temperature = 1e6, .min_p = 0.5};
    int32_t id;
    for (double u = 0.0; u < 1.0; u += 0.3) {
        assert_int_equal(draw(&cold, logits, 4, NULL, u, &id), LCAL_OK);
        assert_int_equal(id, 1);
        assert_int_equal(draw(&hot, logits, 4, NULL, u, &id), LCAL_OK);
        assert_int_equal(id, 1);
    }
}

/* A large vocabulary keeps the same few as sorting would. */
static void test_large_vocabulary(void **state)
{
    (void)state;
    enum { LARGE = 5000, TOP = 40 };
    static float logits[LARGE];
    lcal__rng rng = {3, 1, 0};
    for (int i = 0; i < LARGE; i++)
        logits[i] = (float)lcal__rng_normal(&rng);
    const lcal__sampler_options options = {.temperature = 3.0, .top_k = TOP};
    bool met[LARGE] = {false};
    int distinct = 0;
    for (int i = 0; i < 2000; i++) {
        int32_t id;
        assert_int_equal(draw(&options, logits, LARGE, NULL, (i + 0.5) / 2000, &id), LCAL_OK);
        distinct += !met[id];
        met[id] = true;
    }
    assert_int_equal(distinct, TOP);
    for (int i = 0; i < LARGE; i++) {
        int better = 0;
        for (int other = 0; other < LARGE; other++)
            better += logits[other] > logits[i];
        assert_int_equal(met[i], better < TOP);
    }
}

static void test_logits_that_are_no_numbers(void **state)
{
    (void)state;
    const lcal__sampler_options greedy = {0};
    int32_t id;
    const float nan_logits[] = {1.0f, NAN}, infinite[] = {INFINITY, 1.0f},
                nothing[] = {-INFINITY, -INFINITY};
    const uint8_t barred[] = {1, 1};
    assert_int_equal(draw(&greedy, nan_logits, 2, NULL, 0.0, &id), LCAL_NUMERIC);
    assert_non_null(strstr(err.message, "token 1 is nan"));
    assert_int_equal(draw(&greedy, infinite, 2, NULL, 0.0, &id), LCAL_NUMERIC);
    assert_int_equal(draw(&greedy, nothing, 2, NULL, 0.0, &id), LCAL_NUMERIC);
    const float fine[] = {1.0f, 1.0f};
    assert_int_equal(draw(&greedy, fine, 2, barred, 0.0, &id), LCAL_NUMERIC);
}

static void test_options_out_of_bounds(void **state)
{
    (void)state;
    static const struct {
        lcal__sampler_options options;
        const char *says;
    } cases[] = {
        {{.temperature = -0.1}, "temperature: expected 0"},
        {{.temperature = NAN}, "temperature"},
        {{.temperature = INFINITY}, "temperature"},
        {{.top_p = 1.01}, "top_p: expected a probability from 0 to 1, found 1.01"},
        {{.top_p = -1.0}, "top_p"},
        {{.min_p = 2.0}, "min_p"},
        {{.repetition_penalty = -1.0}, "repetition_penalty"},
        {{.repetition_penalty = NAN}, "repetition_penalty"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(lcal__sampler_options_check(&cases[i].options, &err), LCAL_INVALID);
        assert_non_null(strstr(err.message, cases[i].says));
    }
}

static void test_seen(void **state)
{
    (void)state;
    lcal__seen seen;
    assert_int_equal(lcal__seen_init(&seen, 6, &err), LCAL_OK);
    lcal__seen_add(&seen, (int32_t[]){5, 0, 5, 5, 3}, 5);
    assert_int_equal(seen.count, 3);
    assert_memory_equal(seen.ids, ((int32_t[]){5, 0, 3}), 3 * sizeof(int32_t));
    lcal__seen_clear(&seen);
    assert_int_equal(seen.count, 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(seen.marks[i], 0);
    lcal__seen_free(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distributions),
        cmocka_unit_test(test_greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_large_vocabulary),
        cmocka_unit_test(test_logits_that_are_no_numbers),
        cmocka_unit_test(test_options_out_of_bounds),
        cmocka_unit_test(test_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
