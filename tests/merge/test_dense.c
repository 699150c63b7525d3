/* Rules on products against plain loops over dense updates in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/merge_rule.h"
#include "merge/adapters.h"
#include "merge/prune.h"
#include "model/adapter_names.h"

#define BAR 1e-5
/* What is decided by a comparison must not lie closer than the rounding of f32. */
#define MARGIN 2e-6

/* Two of unequal rank, scale and weight, one with a negative weight; modules missing. */
static const adapter_shape shapes[] = {
    {5, 2.0f, 1.0f, 1u << LCAL__K | 1u << LCAL__O},
    {3, 0.25f, 7.0f, 1u << LCAL__O | 1u << LCAL__UP},
    {4, 1.0f, -0.6f, 1u << LCAL__O},
};

static lcal__merge_settings parse(const char *text)
{
    lcal__merge_settings settings;
    lcal_error err = {0};
    if (lcal__merge_parse(text, text, &settings, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return settings;
}

/* --- the reference ------------------------------------------------------------------------- */

static int descending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a < b) - (a > b);
}

/* The smallest magnitude among the largest density * n, and that the next is clearly smaller. */
static double kth(double *magnitudes, size_t n, double density)
{
    const size_t k = (size_t)(density * (double)n);
    if (density >= 1.0)
        return 0.0;
    qsort(magnitudes, n, sizeof(*magnitudes), descending);
    assert_true(k > 0 && k < n);
    assert_true(magnitudes[k - 1] > magnitudes[k] * (1.0 + MARGIN));
    return magnitudes[k - 1] * (1.0 - MARGIN / 2);
}

static double module_threshold(const adapters *a, size_t i, size_t layer, lcal__proj proj,
                               double density)
{
    const size_t n = elements_of(a, proj);
    double *dense = dense_of(a, i, layer, proj);
    for (size_t e = 0; e < n; e++)
        dense[e] = fabs(dense[e]);
    double threshold = kth(dense, n, density);
    test_free(dense);
    return threshold;
}

static double model_threshold(const adapters *a, size_t i, double density)
{
    size_t n = 0, capacity = 0;
    FOREACH_MODULE(&a->config, layer, proj)
    capacity += elements_of(a, proj);
    double *all = test_malloc(capacity * sizeof(*all));
    FOREACH_MODULE(&a->config, layer, proj)
    {
        if (!lcal__adapter_pair(&a->items[i], layer, proj)->a)
            continue;
        double *dense = dense_of(a, i, layer, proj);
        for (size_t e = 0; e < elements_of(a, proj); e++)
            all[n++] = fabs(dense[e]);
        test_free(dense);
    }
    double threshold = kth(all, n, density);
    test_free(all);
    return threshold;
}

/* Rules that drop the small, by the threshold; those that drop at random, by ones sent through. */
static void prune(const adapters *a, const lcal__merge_settings *s, size_t i, size_t layer,
                  lcal__proj proj, double model_wide, double *dense)
{
    const size_t n = elements_of(a, proj);
    if (s->method == LCAL__MERGE_TIES || s->method == LCAL__MERGE_MAGNITUDE_PRUNE) {
        double threshold = model_wide;
        if (s->scope == LCAL__SCOPE_MODULE)
            threshold = module_threshold(a, i, layer, proj, s->density);
        for (size_t e = 0; e < n; e++)
            dense[e] = fabs(dense[e]) >= threshold ? dense[e] : 0.0;
    }
    if (s->method == LCAL__MERGE_DARE_LINEAR || s->method == LCAL__MERGE_DARE_TIES) {
        char name[LCAL__MODULE_NAME_MAX];
        lcal__module_name(layer, proj, name);
        float *mask = test_malloc(n * sizeof(*mask));
        for (size_t e = 0; e < n; e++)
            mask[e] = 1.0f;
        lcal__prune_random(mask, n, 0, s->density, s->seed, lcal__prune_stream(i, name));
        for (size_t e = 0; e < n; e++)
            dense[e] = mask[e] != 0.0f ? dense[e] / s->density : 0.0;
        test_free(mask);
    }
}

static double elect(const lcal__merge_settings *s, const double *values, const double *weights,
                    size_t count)
{
    double votes[ADAPTERS_MAX], poll = 0.0, largest = 0.0, sum = 0.0;
    size_t agreeing = 0;
    for (size_t i = 0; i < count; i++) {
        votes[i] = s->election == LCAL__ELECTION_PLAIN ? values[i] : values[i] * weights[i];
        largest = fmax(largest, fabs(votes[i]));
        if (s->majority == LCAL__MAJORITY_TOTAL)
            poll += votes[i];
        else
            poll += votes[i] > 0.0 ? 1.0 : votes[i] < 0.0 ? -1.0 : 0.0;
    }
    assert_true(poll == 0.0 || fabs(poll) > MARGIN * largest);
    for (size_t i = 0; i < count; i++)
        if (votes[i] != 0.0 && (votes[i] > 0.0) == (poll >= 0.0)) {
            sum += weights[i] * values[i];
            agreeing++;
        }
    return agreeing ? s->lambda * sum / (double)agreeing : 0.0;
}

/* The angle's two factors as mergekit computes them, from dense vectors. */
static void slerp_factors(const double *x, const double *y, size_t n, double t, double out[2])
{
    double xx = 0.0, yy = 0.0, xy = 0.0;
    for (size_t e = 0; e < n; e++) {
        xx += x[e] * x[e];
        yy += y[e] * y[e];
        xy += x[e] * y[e];
    }
    const double c = xy / ((sqrt(xx) > 1e-8 ? sqrt(xx) : 1.0) * (sqrt(yy) > 1e-8 ? sqrt(yy) : 1.0));
    out[0] = 1.0 - t;
    out[1] = t;
    if (fabs(c) > 0.9995)
        return;
    out[0] = sin((1.0 - t) * acos(c)) / sin(acos(c));
    out[1] = sin(t * acos(c)) / sin(acos(c));
}

static double *expected(const adapters *a, const lcal__merge_settings *s, size_t layer,
                        lcal__proj proj, const double *model_wide)
{
    const size_t n = elements_of(a, proj);
    double *dense[ADAPTERS_MAX], weights[ADAPTERS_MAX], factors[2] = {1.0, 1.0};
    double *out = test_calloc(n, sizeof(*out));
    for (size_t i = 0; i < a->count; i++) {
        weights[i] = (double)a->uses[i].weight;
        dense[i] = dense_of(a, i, layer, proj);
        if (lcal__adapter_pair(&a->items[i], layer, proj)->a)
            prune(a, s, i, layer, proj, model_wide[i], dense[i]);
    }
    if (s->method == LCAL__MERGE_SLERP) {
        for (size_t i = 0; i < 2; i++)
            for (size_t e = 0; e < n; e++)
                dense[i][e] *= weights[i];
        weights[0] = weights[1] = 1.0;
        slerp_factors(dense[0], dense[1], n, s->t, factors);
    }
    for (size_t e = 0; e < n; e++) {
        double values[ADAPTERS_MAX], sum = 0.0;
        for (size_t i = 0; i < a->count; i++) {
            values[i] = dense[i][e];
            sum += weights[i] * (i < 2 ? factors[i] : 1.0) * values[i];
        }
        const bool elects = s->method == LCAL__MERGE_TIES || s->method == LCAL__MERGE_DARE_TIES;
        out[e] = elects ? elect(s, values, weights, a->count) : sum;
    }
    for (size_t i = 0; i < a->count; i++)
        test_free(dense[i]);
    return out;
}

static void compare(const adapters *a, const char *text)
{
    const lcal__merge_settings s = parse(text);
    double thresholds[ADAPTERS_MAX] = {0};
    lcal__merge merge;
    if (s.method == LCAL__MERGE_TIES || s.method == LCAL__MERGE_MAGNITUDE_PRUNE)
        for (size_t i = 0; i < a->count && s.scope == LCAL__SCOPE_MODEL; i++)
            thresholds[i] = model_threshold(a, i, s.density);
    merge_open(&merge, a, &s, 2);
    FOREACH_MODULE(&a->config, layer, proj)
    {
        double *want = expected(a, &s, layer, proj, thresholds);
        float *found = update_of(&merge, layer, proj);
        const double away = distance(found, want, elements_of(a, proj));
        if (!(away <= BAR))
            fail_msg("%s: layer %zu, %s: off by %g", text, layer, lcal__proj_name(proj), away);
        test_free(want);
        test_free(found);
    }
    lcal__merge_close(&merge);
}

static void test_rules_on_products(void **state)
{
    (void)state;
    static const char *const three[] = {
        "concat",
        "linear",
        "ties",
        "ties:density=0.37,scope=module",
        "ties:density=1,majority=frequency,lambda=0.3",
        "ties:density=0.5,election=plain,scope=module",
        "ties:density=0.5,election=plain,majority=frequency",
        "dare-linear:density=0.4",
        "dare-ties:density=0.6,seed=99",
        "dare-ties:density=0.6,election=plain,majority=frequency,lambda=2",
        "magnitude-prune",
        "magnitude-prune:density=0.7,scope=module",
        "svd:rank=12",
    };
    static const char *const two[] = {"slerp", "slerp:t=0.2", "slerp:t=0", "slerp:t=1"};
    const lcal__model_config config = odd_config();
    adapters a;
    adapters_open(&a, &config, shapes, 3, 4);
    for (size_t i = 0; i < sizeof(three) / sizeof(three[0]); i++)
        compare(&a, three[i]);
    adapters_close(&a);
    adapters_open(&a, &config, shapes, 2, 6);
    for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
        compare(&a, two[i]);
    adapters_close(&a);
}

/* Modules of more rows than a block holds. */
static void test_many_blocks(void **state)
{
    (void)state;
    static const char *const rules[] = {"concat", "ties:density=0.01,scope=module",
                                        "dare-ties:density=0.5"};
    static const adapter_shape two[] = {{2, 1.0f, 1.0f, 0}, {1, 1.0f, 1.0f, 0}};
    const lcal__model_config config = {
        .layers = 1, .hidden = 700, .heads = 1, .kv_heads = 1, .head_dim = 2, .ffn = 1601};
    adapters a;
    adapters_open(&a, &config, two, 2, 1);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const lcal__merge_settings s = parse(rules[i]);
        const double none[ADAPTERS_MAX] = {0};
        lcal__merge merge;
        merge_open(&merge, &a, &s, 2);
        float *found = update_of(&merge, 0, LCAL__GATE);
        double *want = expected(&a, &s, 0, LCAL__GATE, none);
        assert_true(distance(found, want, elements_of(&a, LCAL__GATE)) <= BAR);
        test_free(found);
        test_free(want);
        lcal__merge_close(&merge);
    }
    adapters_close(&a);
}

/* --- invariances --------------------------------------------------------------------------- */

/* A -> G^-1 A and B -> B G with G = I + N, N strictly upper triangular: the product stays. */
static void change_gauge(adapters *a)
{
    for (size_t i = 0; i < a->count; i++)
        FOREACH_MODULE(&a->config, layer, proj)
        {
            const size_t cols = lcal__proj_in(&a->config, proj);
            const size_t rows = lcal__proj_out(&a->config, proj);
            lcal__lora_pair *pair = &a->items[i].pairs[layer * LCAL__PROJ_COUNT + proj];
            for (size_t k = pair->rank; k-- > 1 && pair->a;) {
                /* G = I + 0.5 E(k-1, k): row k-1 of A loses half of row k, column k of B gains. */
                float *low = numbers_of(pair->a) + (k - 1) * cols, *high = low + cols;
                float *b = numbers_of(pair->b);
                for (size_t c = 0; c < cols; c++)
                    low[c] -= 0.5f * high[c];
                for (size_t r = 0; r < rows; r++)
                    b[r * pair->rank + k] += 0.5f * b[r * pair->rank + k - 1];
            }
        }
}

static void test_gauge(void **state)
{
    (void)state;
    static const char *const rules[] = {"concat",          "ties:density=0.5", "ties:scope=module",
                                        "dare-linear",     "dare-ties",        "slerp:t=0.3",
                                        "magnitude-prune", "svd:rank=4"};
    const lcal__model_config config = odd_config();
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const lcal__merge_settings s = parse(rules[i]);
        adapters a, changed;
        lcal__merge before, after;
        adapters_open(&a, &config, shapes, 2, 5);
        adapters_open(&changed, &config, shapes, 2, 5);
        change_gauge(&changed);
        merge_open(&before, &a, &s, 1);
        merge_open(&after, &changed, &s, 1);
        FOREACH_MODULE(&config, layer, proj)
        {
            const size_t n = elements_of(&a, proj);
            float *want = update_of(&before, layer, proj), *found = update_of(&after, layer, proj);
            double *wide = test_malloc(n * sizeof(*wide));
            for (size_t e = 0; e < n; e++)
                wide[e] = (double)want[e];
            if (!(distance(found, wide, n) <= BAR))
                fail_msg("%s: layer %zu, %s", rules[i], layer, lcal__proj_name(proj));
            test_free(wide);
            test_free(want);
            test_free(found);
        }
        lcal__merge_close(&before);
        lcal__merge_close(&after);
        adapters_close(&a);
        adapters_close(&changed);
    }
}

/* One adapter at weight 1, nothing dropped: it comes back to the last bit. */
static void test_identity(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "linear",
        "ties:density=1",
        "ties:density=1,scope=module,majority=frequency,election=plain",
        "dare-linear:density=1",
        "dare-ties:density=1",
        "magnitude-prune:density=1",
        "svd",
        "peft-linear",
        "peft-ties",
        "peft-dare-linear",
        "peft-dare-ties",
        "peft-magnitude-prune",
        "peft-svd",
    };
    static const adapter_shape one = {5, 0.7f, 1.0f, 1u << LCAL__DOWN};
    const lcal__model_config config = odd_config();
    adapters a;
    lcal__merge concat;
    adapters_open(&a, &config, &one, 1, 8);
    merge_open(&concat, &a, NULL, 1);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const lcal__merge_settings s = parse(rules[i]);
        lcal__merge merge;
        merge_open(&merge, &a, &s, 2);
        FOREACH_MODULE(&config, layer, proj)
        {
            float *want = update_of(&concat, layer, proj), *found = update_of(&merge, layer, proj);
            for (size_t e = 0; e < elements_of(&a, proj); e++)
                if (found[e] != want[e])
                    fail_msg("%s: layer %zu, %s", rules[i], layer, lcal__proj_name(proj));
            test_free(want);
            test_free(found);
        }
        lcal__merge_close(&merge);
    }
    lcal__merge_close(&concat);
    adapters_close(&a);
}

/* The same bits on any number of threads and in any order of modules. */
static void test_order_and_threads(void **state)
{
    (void)state;
    static const char *const rules[] = {"concat",      "ties",       "ties:scope=module",
                                        "dare-linear", "dare-ties",  "magnitude-prune",
                                        "svd:rank=3",  "peft-linear"};
    static const adapter_shape two[] = {{5, 2.0f, 1.0f, 0}, {5, 0.5f, -0.5f, 0}};
    const lcal__model_config config = odd_config();
    const size_t last = config.layers * LCAL__PROJ_COUNT - 1;
    adapters a;
    adapters_open(&a, &config, two, 2, 9);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const lcal__merge_settings s = parse(rules[i]);
        lcal__merge one, many;
        float *want[2 * LCAL__PROJ_COUNT];
        merge_open(&one, &a, &s, 1);
        merge_open(&many, &a, &s, 3);
        for (size_t m = 0; m <= last; m++)
            want[m] = update_of(&one, m / LCAL__PROJ_COUNT, m % LCAL__PROJ_COUNT);
        for (size_t m = last + 1; m-- > 0;) {
            float *found = update_of(&many, m / LCAL__PROJ_COUNT, m % LCAL__PROJ_COUNT);
            assert_memory_equal(found, want[m],
                                elements_of(&a, m % LCAL__PROJ_COUNT) * sizeof(float));
            test_free(found);
            test_free(want[m]);
        }
        lcal__merge_close(&one);
        lcal__merge_close(&many);
    }
    adapters_close(&a);
}

/* --- DARE's choice ------------------------------------------------------------------------- */

static void test_dare_keeps_the_mean(void **state)
{
    (void)state;
    enum { N = 1000, SEEDS = 500 };
    const double density = 0.25;
    double sums[N] = {0}, kept = 0.0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        float x[N];
        for (size_t e = 0; e < N; e++)
            x[e] = 1.0f;
        lcal__prune_random(x, N, 0, density, seed, lcal__prune_stream(1, "m"));
        for (size_t e = 0; e < N; e++) {
            assert_true(x[e] == 0.0f || x[e] == 4.0f);
            sums[e] += (double)x[e];
            kept += x[e] != 0.0f;
        }
    }
    /* Five standard deviations: of the whole, and of the worst of N elements. */
    const double draws = (double)N * SEEDS;
    assert_true(fabs(kept / draws - density) < 5 * sqrt(density * (1 - density) / draws));
    const double deviation = sqrt((1 / density - 1) / SEEDS);
    for (size_t e = 0; e < N; e++)
        assert_true(fabs(sums[e] / SEEDS - 1.0) < 5 * deviation);
}

/* A block's choice does not depend on where blocks are cut. */
static void test_dare_is_a_function_of_position(void **state)
{
    (void)state;
    enum { N = 301 };
    float whole[N], parts[N], other[N];
    size_t differ = 0;
    for (size_t e = 0; e < N; e++)
        whole[e] = parts[e] = other[e] = (float)e + 1.0f;
    const uint64_t stream = lcal__prune_stream(0, "model.layers.0.mlp.up_proj");
    lcal__prune_random(whole, N, 7, 0.5, 3, stream);
    for (size_t e = 0, n; e < N; e += n) {
        n = e % 5 + 1 < N - e ? e % 5 + 1 : N - e;
        lcal__prune_random(parts + e, n, 7 + e, 0.5, 3, stream);
    }
    assert_memory_equal(whole, parts, sizeof(whole));
    lcal__prune_random(other, N, 7, 0.5, 3, lcal__prune_stream(1, "model.layers.0.mlp.up_proj"));
    for (size_t e = 0; e < N; e++)
        differ += (other[e] == 0.0f) != (whole[e] == 0.0f);
    assert_true(differ > N / 3 && differ < 2 * N / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_on_products),
        cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_gauge),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_order_and_threads),
        cmocka_unit_test(test_dare_keeps_the_mean),
        cmocka_unit_test(test_dare_is_a_function_of_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
