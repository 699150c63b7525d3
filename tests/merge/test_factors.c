/* PEFT's rules on factors against its formulas (METHODS.md A.1), the cut to a rank, SLERP's edges,
 * and what opening a merge refuses. */
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

static lcal__merge_settings parse(const char *text)
{
    lcal__merge_settings settings;
    lcal_error err = {0};
    if (lcal__merge_parse(text, text, &settings, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return settings;
}

/* --- PEFT ------------------------------------------------------------------------------------ */

static int descending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a < b) - (a > b);
}

/* Keeps the int(density * n) largest: no two are equal here. */
static void keep_largest(double *x, size_t n, double density)
{
    const size_t k = (size_t)(density * (double)n);
    double *sorted = test_malloc(n * sizeof(*sorted));
    for (size_t e = 0; e < n; e++)
        sorted[e] = fabs(x[e]);
    qsort(sorted, n, sizeof(*sorted), descending);
    for (size_t e = 0; e < n; e++)
        x[e] = fabs(x[e]) >= sorted[k - 1] ? x[e] : 0.0;
    test_free(sorted);
}

/* One factor of all adapters through the rule, in the words of METHODS.md. */
static double *merged_factor(const adapters *a, const lcal__merge_settings *s, size_t layer,
                             lcal__proj proj, bool is_b, size_t n)
{
    double *x[ADAPTERS_MAX], c[ADAPTERS_MAX], *out = test_calloc(n, sizeof(*out));
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++) {
        const lcal__lora_pair *pair = lcal__adapter_pair(&a->items[i], layer, proj);
        if (!pair->a)
            continue;
        const double ws = (double)a->uses[i].weight * (double)pair->scale;
        c[count] = sqrt(fabs(ws)) * (is_b || ws >= 0.0 ? 1.0 : -1.0);
        x[count] = test_malloc(n * sizeof(double));
        for (size_t e = 0; e < n; e++)
            x[count][e] = (double)(is_b ? pair->b : pair->a)[e];
        if (s->method == LCAL__MERGE_PEFT_TIES || s->method == LCAL__MERGE_PEFT_MAGNITUDE_PRUNE)
            keep_largest(x[count], n, s->density);
        if (s->method == LCAL__MERGE_PEFT_DARE_LINEAR || s->method == LCAL__MERGE_PEFT_DARE_TIES) {
            char module[LCAL__MODULE_NAME_MAX], name[LCAL__MODULE_NAME_MAX + 8];
            lcal__module_name(layer, proj, module);
            snprintf(name, sizeof(name), "%s.lora_%c", module, is_b ? 'B' : 'A');
            for (size_t e = 0; e < n; e++) {
                float kept = 1.0f;
                lcal__prune_random(&kept, 1, e, s->density, s->seed, lcal__prune_stream(i, name));
                x[count][e] *= (double)kept;
            }
        }
        count++;
    }
    for (size_t e = 0; e < n; e++) {
        double poll = 0.0, sum = 0.0, agreeing = 0.0;
        for (size_t i = 0; i < count; i++)
            poll +=
                s->majority == LCAL__MAJORITY_TOTAL ? x[i][e] : (x[i][e] > 0.0) - (x[i][e] < 0.0);
        const double sign = poll >= 0.0 ? 1.0 : -1.0;
        const bool elects =
            s->method == LCAL__MERGE_PEFT_TIES || s->method == LCAL__MERGE_PEFT_DARE_TIES;
        for (size_t i = 0; i < count; i++) {
            const bool agrees = x[i][e] * sign > 0.0;
            if (elects && !agrees)
                continue;
            sum += c[i] * x[i][e];
            agreeing += 1.0;
        }
        out[e] = elects && agreeing > 1.0 ? sum / agreeing : sum;
    }
    for (size_t i = 0; i < count; i++)
        test_free(x[i]);
    return out;
}

static void compare_peft(const adapters *a, const char *text)
{
    const lcal__merge_settings s = parse(text);
    const size_t rank = 4;
    lcal__merge merge;
    merge_open(&merge, a, &s, 2);
    FOREACH_MODULE(&a->config, layer, proj)
    {
        const size_t rows = lcal__proj_out(&a->config, proj),
                     cols = lcal__proj_in(&a->config, proj);
        double *fa = merged_factor(a, &s, layer, proj, false, rank * cols);
        double *fb = merged_factor(a, &s, layer, proj, true, rows * rank);
        double *want = test_calloc(rows * cols, sizeof(*want));
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < cols; c++)
                for (size_t k = 0; k < rank; k++)
                    want[r * cols + c] += fb[r * rank + k] * fa[k * cols + c];
        float *found = update_of(&merge, layer, proj);
        const double away = distance(found, want, rows * cols);
        if (!(away <= BAR))
            fail_msg("%s: layer %zu, %s: off by %g", text, layer, lcal__proj_name(proj), away);
        test_free(fa);
        test_free(fb);
        test_free(want);
        test_free(found);
    }
    lcal__merge_close(&merge);
}

static void test_peft(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "peft-linear",
        "peft-ties:density=0.5",
        "peft-ties:majority=frequency",
        "peft-ties:density=1",
        "peft-dare-linear:density=0.6",
        "peft-dare-ties:density=0.7,seed=3,majority=frequency",
        "peft-magnitude-prune:density=0.3",
    };
    /* Unequal scales (rsLoRA's alpha / sqrt(r) is one), weights of either sign, missing modules. */
    static const adapter_shape shapes[] = {
        {4, 2.0f, 1.0f, 1u << LCAL__K | 1u << LCAL__O},
        {4, 0.5f, -0.7f, 1u << LCAL__O},
        {4, 1.0f, 0.4f, 1u << LCAL__O | 1u << LCAL__K},
    };
    const lcal__model_config config = odd_config();
    adapters a;
    adapters_open(&a, &config, shapes, 3, 21);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        compare_peft(&a, rules[i]);
    adapters_close(&a);
}

/* w s (B1 + B2)(A1 + A2): the cross terms are there, so it is no sum of products. */
static void test_peft_linear_has_cross_terms(void **state)
{
    (void)state;
    static const adapter_shape shapes[] = {{1, 2.0f, 0.5f, 0}, {1, 2.0f, 0.5f, 0}};
    const lcal__model_config config = odd_config();
    const lcal__merge_settings s = parse("peft-linear");
    adapters a;
    lcal__merge merge;
    adapters_open(&a, &config, shapes, 2, 22);
    merge_open(&merge, &a, &s, 1);
    float *found = update_of(&merge, 0, LCAL__UP);
    const lcal__lora_pair *x = lcal__adapter_pair(&a.items[0], 0, LCAL__UP);
    const lcal__lora_pair *y = lcal__adapter_pair(&a.items[1], 0, LCAL__UP);
    for (size_t r = 0; r < config.ffn; r++)
        for (size_t c = 0; c < config.hidden; c++) {
            const float want = (x->b[r] + y->b[r]) * (x->a[c] + y->a[c]);
            assert_true(fabsf(found[r * config.hidden + c] - want) < 1e-6f);
        }
    test_free(found);
    lcal__merge_close(&merge);
    adapters_close(&a);
}

/* --- the cut to a rank ----------------------------------------------------------------------- */

/* The largest singular value of what is left, by power iteration. */
static double spectral_norm(const double *d, size_t rows, size_t cols)
{
    double *x = test_malloc(cols * sizeof(*x)), norm = 0.0;
    for (size_t c = 0; c < cols; c++)
        x[c] = 1.0 + 0.1 * (double)(c % 7);
    for (int step = 0; step < 300; step++) {
        double *next = test_calloc(cols, sizeof(*next)), square = 0.0;
        for (size_t r = 0; r < rows; r++) {
            double y = 0.0;
            for (size_t c = 0; c < cols; c++)
                y += d[r * cols + c] * x[c];
            for (size_t c = 0; c < cols; c++)
                next[c] += d[r * cols + c] * y;
        }
        for (size_t c = 0; c < cols; c++)
            square += next[c] * next[c];
        norm = sqrt(square);
        for (size_t c = 0; c < cols; c++)
            x[c] = norm > 0.0 ? next[c] / norm : 0.0;
        test_free(next);
    }
    test_free(x);
    return sqrt(norm);
}

/* Eckart and Young's conditions: B has orthogonal columns of falling length s_k, A orthonormal
 * rows, and what is left has no singular value above the last s_k. */
static void check_cut(const adapters *a, const lcal__merge *merge, size_t layer, lcal__proj proj,
                      size_t rank)
{
    const size_t rows = lcal__proj_out(&a->config, proj), cols = lcal__proj_in(&a->config, proj);
    const size_t n = rows * cols;
    lcal__merged merged;
    assert_int_equal(lcal__merge_module(merge, layer, proj, &merged, NULL), LCAL_OK);
    assert_int_equal(merged.count, 1);
    assert_int_equal(merged.pairs[0].rank, rank);
    const float *fa = merged.pairs[0].a, *fb = merged.pairs[0].b;
    double last = INFINITY;
    for (size_t k = 0; k < rank; k++)
        for (size_t l = k; l < rank; l++) {
            double aa = 0.0, bb = 0.0;
            for (size_t c = 0; c < cols; c++)
                aa += (double)fa[k * cols + c] * (double)fa[l * cols + c];
            for (size_t r = 0; r < rows; r++)
                bb += (double)fb[r * rank + k] * (double)fb[r * rank + l];
            assert_true(fabs(aa - (k == l ? 1.0 : 0.0)) < 1e-6);
            if (k == l) {
                assert_true(sqrt(bb) <= last * (1 + 1e-6));
                last = sqrt(bb);
            } else {
                assert_true(fabs(bb) < 1e-5 * last * last + 1e-6);
            }
        }
    double *left = test_calloc(n, sizeof(*left)), whole = 0.0, rest = 0.0;
    for (size_t i = 0; i < a->count; i++) {
        double *dense = dense_of(a, i, layer, proj);
        for (size_t e = 0; e < n; e++)
            left[e] += (double)a->uses[i].weight * dense[e];
        test_free(dense);
    }
    for (size_t e = 0; e < n; e++)
        whole += left[e] * left[e];
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            for (size_t k = 0; k < rank; k++)
                left[r * cols + c] -= (double)fb[r * rank + k] * (double)fa[k * cols + c];
    for (size_t e = 0; e < n; e++)
        rest += left[e] * left[e];
    assert_true(fabs(sqrt(rest / whole) - merged.truncation) < 1e-6);
    assert_true(spectral_norm(left, rows, cols) <= last * (1 + 1e-5));
    test_free(left);
    lcal__merged_free(&merged);
}

static void test_svd(void **state)
{
    (void)state;
    static const adapter_shape shapes[] = {{5, 2.0f, 1.0f, 0}, {3, 0.25f, -7.0f, 1u << LCAL__O}};
    const lcal__model_config config = odd_config();
    const lcal__merge_settings standard = parse("svd"), six = parse("peft-svd:rank=6");
    adapters a;
    lcal__merge merge;
    adapters_open(&a, &config, shapes, 2, 30);
    merge_open(&merge, &a, &standard, 2);
    FOREACH_MODULE(&config, layer, proj)
    {
        if (layer == 0 || proj != LCAL__O)
            check_cut(&a, &merge, layer, proj, 5);
    }
    lcal__merge_close(&merge);
    merge_open(&merge, &a, &six, 1);
    check_cut(&a, &merge, 0, LCAL__DOWN, 6);
    lcal__merge_close(&merge);
    adapters_close(&a);
}

/* More rank than the matrix has rows, and factors that depend on one another. */
static void test_svd_degenerate(void **state)
{
    (void)state;
    static const adapter_shape shapes[] = {{9, 1.0f, 1.0f, 0}, {9, 1.0f, 1.0f, 0}};
    const lcal__model_config config = {
        .layers = 1, .hidden = 6, .heads = 1, .kv_heads = 1, .head_dim = 3, .ffn = 5};
    const lcal__merge_settings s = parse("svd:rank=9");
    adapters a;
    lcal__merge merge;
    adapters_open(&a, &config, shapes, 2, 31);
    /* The second adapter is the first: singular values double, ranks do not add. */
    FOREACH_MODULE(&config, layer, proj)
    {
        const lcal__lora_pair *x = lcal__adapter_pair(&a.items[0], layer, proj);
        const lcal__lora_pair *y = lcal__adapter_pair(&a.items[1], layer, proj);
        memcpy(numbers_of(y->a), x->a, 9 * lcal__proj_in(&config, proj) * sizeof(float));
        memcpy(numbers_of(y->b), x->b, 9 * lcal__proj_out(&config, proj) * sizeof(float));
    }
    merge_open(&merge, &a, &s, 2);
    FOREACH_MODULE(&config, layer, proj)
    {
        double *want = dense_of(&a, 0, layer, proj);
        float *found = update_of(&merge, layer, proj);
        for (size_t e = 0; e < elements_of(&a, proj); e++)
            want[e] *= 2.0;
        assert_true(distance(found, want, elements_of(&a, proj)) <= 1e-6);
        test_free(want);
        test_free(found);
    }
    lcal__merge_close(&merge);
    adapters_close(&a);
}

/* --- degenerate adapters --------------------------------------------------------------------- */

enum likeness { EQUAL, OPPOSITE, ZERO };

/* The second adapter becomes `like` the first: the same product from other factors. */
static void make_alike(adapters *a, enum likeness like)
{
    const float sign = like == EQUAL ? 1.0f : like == OPPOSITE ? -1.0f : 0.0f;
    FOREACH_MODULE(&a->config, layer, proj)
    {
        const lcal__lora_pair *x = lcal__adapter_pair(&a->items[0], layer, proj);
        const lcal__lora_pair *y = lcal__adapter_pair(&a->items[1], layer, proj);
        for (size_t e = 0; e < y->rank * lcal__proj_in(&a->config, proj); e++)
            numbers_of(y->a)[e] = sign * 2.0f * x->a[e];
        for (size_t e = 0; e < y->rank * lcal__proj_out(&a->config, proj); e++)
            numbers_of(y->b)[e] = 0.5f * x->b[e];
    }
}

/* Each rule of two such adapters is `factor` times the first. */
static void test_degenerate(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        enum likeness like;
        double factor;
    } rows[] = {
        {"slerp:t=0.3", EQUAL, 1.0},
        {"slerp", OPPOSITE, 0.0},
        {"slerp:t=0.25", OPPOSITE, 0.5},
        {"slerp", ZERO, 0.70710678118654752},
        {"concat", OPPOSITE, 0.0},
        {"ties:density=1", EQUAL, 1.0},
        {"ties:density=1", ZERO, 1.0},
        {"ties:density=1,lambda=2", EQUAL, 2.0},
        {"dare-ties:density=1", ZERO, 1.0},
        {"magnitude-prune:density=1", EQUAL, 2.0},
        {"svd", EQUAL, 2.0},
        {"svd", OPPOSITE, 0.0},
        {"svd", ZERO, 1.0},
        {"peft-linear", ZERO, 1.5},
    };
    static const adapter_shape shapes[] = {{3, 1.0f, 1.0f, 0}, {3, 1.0f, 1.0f, 0}};
    const lcal__model_config config = odd_config();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const lcal__merge_settings s = parse(rows[i].rule);
        adapters a;
        lcal__merge merge;
        adapters_open(&a, &config, shapes, 2, 40);
        make_alike(&a, rows[i].like);
        merge_open(&merge, &a, &s, 2);
        double *want = dense_of(&a, 0, 1, LCAL__GATE);
        float *found = update_of(&merge, 1, LCAL__GATE);
        for (size_t e = 0; e < elements_of(&a, LCAL__GATE); e++)
            want[e] *= rows[i].factor;
        const double away = distance(found, want, elements_of(&a, LCAL__GATE));
        if (!(away <= BAR))
            fail_msg("%s: off by %g", rows[i].rule, away);
        test_free(want);
        test_free(found);
        lcal__merge_close(&merge);
        adapters_close(&a);
    }
}

/* Opposite values are an even vote: + is elected, and the one that has it is taken whole. */
static void test_even_votes(void **state)
{
    (void)state;
    static const adapter_shape shapes[] = {{3, 1.0f, 1.0f, 0}, {3, 1.0f, 1.0f, 0}};
    static const char *const rules[] = {"ties:density=1", "ties:density=1,majority=frequency"};
    const lcal__model_config config = odd_config();
    for (size_t i = 0; i < 2; i++) {
        const lcal__merge_settings s = parse(rules[i]);
        adapters a;
        lcal__merge merge;
        adapters_open(&a, &config, shapes, 2, 42);
        make_alike(&a, OPPOSITE);
        merge_open(&merge, &a, &s, 1);
        double *want = dense_of(&a, 0, 0, LCAL__DOWN);
        float *found = update_of(&merge, 0, LCAL__DOWN);
        for (size_t e = 0; e < elements_of(&a, LCAL__DOWN); e++)
            want[e] = fabs(want[e]);
        assert_true(distance(found, want, elements_of(&a, LCAL__DOWN)) <= BAR);
        test_free(want);
        test_free(found);
        lcal__merge_close(&merge);
        adapters_close(&a);
    }
}

/* An adapter of weight 0 has no say where sign and mean are weighted, and one where they are not.
 */
static void test_weight_zero(void **state)
{
    (void)state;
    static const adapter_shape shapes[] = {{3, 1.0f, 1.0f, 0}, {3, 1.0f, 0.0f, 0}};
    const lcal__model_config config = odd_config();
    const lcal__merge_settings weighted = parse("ties:density=1");
    const lcal__merge_settings plain = parse("ties:density=1,election=plain");
    adapters a;
    lcal__merge merge;
    adapters_open(&a, &config, shapes, 2, 41);
    double *want = dense_of(&a, 0, 0, LCAL__Q);
    merge_open(&merge, &a, &weighted, 1);
    float *found = update_of(&merge, 0, LCAL__Q);
    assert_true(distance(found, want, elements_of(&a, LCAL__Q)) <= BAR);
    test_free(found);
    lcal__merge_close(&merge);
    merge_open(&merge, &a, &plain, 1);
    found = update_of(&merge, 0, LCAL__Q);
    assert_true(distance(found, want, elements_of(&a, LCAL__Q)) > 0.1);
    test_free(found);
    lcal__merge_close(&merge);
    test_free(want);
    adapters_close(&a);
}

/* --- refusals -------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *says;
        size_t count;
    } rows[] = {
        {"slerp", "merge.method: slerp lies between two adapters, found 3", 3},
        {"slerp", "found 1", 1},
        {"peft-ties",
         "merge.method: peft-ties adds factors of one rank, but model.layers.0.self_attn.q_proj "
         "has "
         "ranks 2 and 3; use concat, ties or another rule on products",
         2},
    };
    static const adapter_shape shapes[] = {{2, 1, 1, 0}, {3, 1, 1, 0}, {2, 1, 1, 0}};
    const lcal__model_config config = odd_config();
    const lcal__exec exec = lcal__exec_init(1);
    adapters a;
    adapters_open(&a, &config, shapes, 3, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const lcal__merge_settings s = parse(rows[i].rule);
        lcal__merge merge;
        lcal_error err = {0};
        assert_int_equal(lcal__merge_open(&s, a.uses, rows[i].count, &config, &exec, &merge, &err),
                         LCAL_INVALID);
        assert_non_null(strstr(err.message, rows[i].says));
        lcal__merge_close(&merge);
    }
    adapters_close(&a);
}

/* No adapter at all, and modules that none changes: no update, whatever the rule. */
static void test_nothing_to_merge(void **state)
{
    (void)state;
    static const char *const rules[] = {"concat", "ties", "dare-ties", "svd", "peft-ties"};
    static const adapter_shape shapes[] = {{2, 1, 1, 1u << LCAL__V}, {2, 1, 1, 1u << LCAL__V}};
    const lcal__model_config config = odd_config();
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        for (size_t count = 0; count <= 2; count += 2) {
            const lcal__merge_settings s = parse(rules[i]);
            adapters a;
            lcal__merge merge;
            adapters_open(&a, &config, shapes, count, 1);
            merge_open(&merge, &a, &s, 1);
            assert_int_equal(lcal__merge_shape_of(&merge, 1, LCAL__V).adapters, 0);
            float *found = update_of(&merge, 1, LCAL__V);
            for (size_t e = 0; e < elements_of(&a, LCAL__V); e++)
                assert_true(found[e] == 0.0f);
            test_free(found);
            lcal__merge_close(&merge);
            adapters_close(&a);
        }
}

static void test_parsing(void **state)
{
    (void)state;
    static const char *const broken[][2] = {
        {"", "S: expected one of concat | linear | "},
        {"tie", "found \"tie\"; did you mean ties?"},
        {"ties:", "S: expected KEY=VALUE, found \"\""},
        {"ties:density", "S: expected KEY=VALUE, found \"density\""},
        {"ties:density=0.2,", "S: expected KEY=VALUE, found \"\""},
        {"ties:scope,density=0.2", "S: expected KEY=VALUE, found \"scope\""},
        {"ties:density=0", "S: option density: expected a number in (0, 1], found \"0\""},
        {"ties:scope=all", "S: option scope: expected one of model | module, found \"all\""},
        {"ties:t=0.5",
         "S: rule ties has no option t; it has density, scope, majority, election, lambda"},
        {"concat:density=1", "S: rule concat has no option density; it has none"},
        {"slerp:method=ties", "S: rule slerp has no option method; it has t"},
        {"svd:rank=-1", "S: option rank: expected an integer in 0..65536, found \"-1\""},
    };
    lcal__merge_settings s = {.rank = 77};
    lcal_error err = {0};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(lcal__merge_parse(broken[i][0], "S", &s, &err), LCAL_CONFIG);
        if (!strstr(err.message, broken[i][1]))
            fail_msg("%s: %s", broken[i][0], err.message);
        assert_int_equal(s.rank, 77);
    }
    s = parse("dare-ties:density=0.125,seed=18,majority=frequency");
    lcal__strbuf text = {0};
    lcal__merge_print_json(&s, &text);
    assert_string_equal(text.text, "{\"method\":\"dare-ties\",\"density\":0.125,\"majority\":"
                                   "\"frequency\",\"election\":\"weighted\",\"lambda\":1,"
                                   "\"seed\":18}");
    lcal__strbuf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peft),
        cmocka_unit_test(test_peft_linear_has_cross_terms),
        cmocka_unit_test(test_svd),
        cmocka_unit_test(test_svd_degenerate),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_even_votes),
        cmocka_unit_test(test_weight_zero),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nothing_to_merge),
        cmocka_unit_test(test_parsing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
