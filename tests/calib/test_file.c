/* Calibration files: what is written, that it comes back, and what it may be used on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/file_parts.h"
#include "calib/sample.h"
#include "config/merge_rule.h"
#include "format/safetensors.h"
#include "model/scratch.h"

#define ALL 0x7F
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* --- round trips ------------------------------------------------------------------------ */

static const struct {
    const char *name;
    lcal__calib_spec spec;
} specs[] = {
    {"lc output", {.method = LCAL__METHOD_LC, .scale = 1.0, .targets = ALL}},
    {"lc broadcast",
     {.method = LCAL__METHOD_LC, .form = LCAL__FORM_BROADCAST, .scale = 0.1, .targets = ALL}},
    {"lc unshared",
     {.method = LCAL__METHOD_LC, .share = LCAL__SHARE_NONE, .scale = 2.5, .targets = 0x41}},
    {"lcpp", {.method = LCAL__METHOD_LCPP, .rank = 4, .scale = 1.0, .targets = ALL}},
    {"lcpp rank 1", {.method = LCAL__METHOD_LCPP, .rank = 1, .scale = 1e-3, .targets = 0x08}},
    {"lcpp unshared",
     {.method = LCAL__METHOD_LCPP,
      .share = LCAL__SHARE_NONE,
      .rank = 3,
      .scale = 1.0,
      .targets = 0x22}},
    {"columns", {.method = LCAL__METHOD_COLUMNS, .scale = 1.0, .targets = ALL}},
    {"columns of few", {.method = LCAL__METHOD_COLUMNS, .scale = 1.0, .targets = 0x21}},
    {"lora", {.method = LCAL__METHOD_LORA, .rank = 2, .scale = 0.5, .targets = 0x05}},
};

static void assert_same_facts(const lcal__calib_facts *got, const lcal__calib_facts *want)
{
    assert_int_equal(got->spec.method, want->spec.method);
    assert_int_equal(got->spec.form, want->spec.form);
    assert_int_equal(got->spec.share, want->spec.share);
    assert_int_equal(got->spec.rank, want->spec.rank);
    assert_true(got->spec.scale == want->spec.scale);
    assert_int_equal(got->spec.targets, want->spec.targets);
    assert_int_equal(got->config.arch, want->config.arch);
    assert_int_equal(got->config.layers, want->config.layers);
    assert_int_equal(got->config.hidden, want->config.hidden);
    assert_int_equal(got->config.heads, want->config.heads);
    assert_int_equal(got->config.kv_heads, want->config.kv_heads);
    assert_int_equal(got->config.head_dim, want->config.head_dim);
    assert_int_equal(got->config.ffn, want->config.ffn);
    assert_int_equal(got->config.vocab, want->config.vocab);
    assert_string_equal(got->base_sha256, want->base_sha256);
    assert_int_equal(got->adapter_count, want->adapter_count);
    for (size_t i = 0; i < want->adapter_count; i++) {
        assert_string_equal(got->adapters[i].name, want->adapters[i].name);
        assert_string_equal(got->adapters[i].sha256, want->adapters[i].sha256);
        assert_true(got->adapters[i].weight == want->adapters[i].weight);
    }
    assert_int_equal(got->merge.method, want->merge.method);
    assert_true(lcal__merge_equal(&got->merge, &want->merge));
    assert_true(got->seed == want->seed && got->step == want->step && got->tokens == want->tokens);
    assert_true(isnan(want->valid_loss) ? isnan(got->valid_loss)
                                        : got->valid_loss == want->valid_loss);
}

static void check_round_trip(size_t spec, lcal__store dtype, bool safetensors)
{
    sample s;
    lcal__calib_file file;
    lcal_error err = {0};
    const char *path = scratch_path("calibration");
    sample_open(&s, &specs[spec].spec, "mini", dtype, spec);
    s.facts.merge = (lcal__merge_settings){
        .method = (lcal__merge_rule)((spec * 3 + dtype) % (LCAL__MERGE_PEFT_SVD + 1)),
        .density = 1.0 / 3.0,
        .scope = LCAL__SCOPE_MODULE,
        .majority = LCAL__MAJORITY_FREQUENCY,
        .election = LCAL__ELECTION_PLAIN,
        .lambda = 1e-3,
        .t = 0.1,
        .seed = INT64_MAX,
        .rank = 65536};
    if (dtype == LCAL__STORE_F32) {
        s.facts.valid_loss = NAN;
        s.facts.base_sha256[0] = '\0';
    }
    sample_save(&s, safetensors, dtype, path);
    lcal_status status = lcal__calib_load(path, &file, &err);
    if (status != LCAL_OK)
        fail_msg("%s: %s", specs[spec].name, err.message);
    assert_int_equal(file.safetensors, safetensors);
    assert_int_equal(file.dtype, dtype);
    assert_null(file.params.grads);
    assert_same_facts(&file.facts, &s.facts);
    assert_int_equal(file.params.count, s.params.count);
    assert_int_equal(file.params.total, s.params.total);
    for (size_t i = 0; i < s.params.count; i++) {
        assert_string_equal(file.params.items[i].name, s.params.items[i].name);
        assert_int_equal(file.params.items[i].rows, s.params.items[i].rows);
        assert_int_equal(file.params.items[i].cols, s.params.items[i].cols);
        assert_int_equal(file.params.items[i].vector, s.params.items[i].vector);
    }
    assert_memory_equal(file.params.values, s.params.values, s.params.total * sizeof(float));
    /* And into a block of the same layout. */
    float *before = s.params.values;
    s.params.values = lcal__calloc(s.params.total, sizeof(float));
    check(lcal__calib_apply(&file, path, &s.params, &err), &err);
    assert_memory_equal(s.params.values, before, s.params.total * sizeof(float));
    lcal__free(before);
    lcal__calib_file_free(&file);
    sample_close(&s);
}

static void test_round_trips(void **state)
{
    (void)state;
    for (size_t spec = 0; spec < COUNT_OF(specs); spec++)
        for (int dtype = LCAL__STORE_F16; dtype <= LCAL__STORE_F32; dtype++) {
            check_round_trip(spec, (lcal__store)dtype, false);
            check_round_trip(spec, (lcal__store)dtype, true);
        }
}

/* What other readers see: METHODS.md D.8 and DESIGN.md 5. */
static void test_layout_of_the_files(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"format", LCAL__CALIB_FORMAT},
        {"kind", "deploy"},
        {"method", "lcpp"},
        {"share", "layers"},
        {"arch", "llama"},
        {"merge", "{\"method\":\"concat\"}"},
        {"targets", "o_proj"},
        {"dtype", "f16"},
        {"adapters",
         "[{\"name\":\"lora_a\",\"sha256\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaa\",\"weight\":1},{\"name\":\"zwei \\\"\xC3\xBC\\\"\\u000a\","
         "\"sha256\":\"11111111111111111111111111111111111111111111111111111111111"
         "11111\",\"weight\":0.699999988079071}]"},
    };
    sample s;
    lcal_error err = {0};
    lcal__map map;
    lcal__h5 *h5 = NULL;
    lcal__safetensors st;
    sample_open(&s, &specs[4].spec, "mini", LCAL__STORE_F16, 3);
    sample_save(&s, false, LCAL__STORE_F16, scratch_path("c.h5"));
    check(lcal__map_open(scratch_path("c.h5"), &map, &err), &err);
    check(lcal__h5_open(map.data, map.size, "c.h5", &h5, &err), &err);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *found;
        check(lcal__h5_get_text(h5, "/", texts[i][0], &found, &err), &err);
        assert_string_equal(found, texts[i][1]);
        lcal__free(found);
    }
    int64_t rank;
    check(lcal__h5_get_int(h5, "/", "rank", &rank, &err), &err);
    assert_int_equal(rank, 1);
    assert_false(lcal__h5_has_attribute(h5, "/", "form")); /* lc alone has one */
    size_t dims, shape[8];
    lcal__dtype dtype;
    check(lcal__h5_shape(h5, "/calib/o_proj/P2", &dtype, &dims, shape, &err), &err);
    assert_true(dtype == LCAL__F16 && dims == 2 && shape[0] == 128 && shape[1] == 1);
    lcal__h5_close(&h5);
    lcal__map_close(&map);

    sample_save(&s, true, LCAL__STORE_F16, scratch_path("c.safetensors"));
    check(lcal__map_open(scratch_path("c.safetensors"), &map, &err), &err);
    check(lcal__safetensors_parse(map.data, map.size, "c", &st, &err), &err);
    assert_int_equal(st.count, 2);
    assert_non_null(lcal__safetensors_find(&st, "calib.o_proj.P1"));
    assert_string_equal(lcal__safetensors_metadata(&st, "format"), "pt");
    assert_string_equal(lcal__safetensors_metadata(&st, "lcal_format"), LCAL__CALIB_FORMAT);
    for (size_t i = 1; i < COUNT_OF(texts); i++)
        assert_string_equal(lcal__safetensors_metadata(&st, texts[i][0]), texts[i][1]);
    lcal__safetensors_free(&st);
    lcal__map_close(&map);
    sample_close(&s);
}

/* --- sizes and bytes -------------------------------------------------------------------- */

static size_t size_of(const lcal__calib_spec *spec, const char *shape)
{
    sample s;
    lcal__map map;
    lcal_error err = {0};
    sample_open(&s, spec, shape, LCAL__STORE_F16, 11);
    s.facts.merge = lcal__merge_defaults(LCAL__MERGE_DARE_TIES); /* as long as they come */
    s.facts.merge.density = 1.0 / 3.0;
    s.facts.merge.seed = INT64_MAX;
    sample_save(&s, false, LCAL__STORE_F16, scratch_path("budget.h5"));
    check(lcal__map_open(scratch_path("budget.h5"), &map, &err), &err);
    size_t size = map.size;
    lcal__map_close(&map);
    sample_close(&s);
    return size;
}

/* METHODS.md 0.1: 0.05 and 0.325 MiB, mean over the three backbones; the values are random, which
 * hardly compresses. */
static void test_budgets(void **state)
{
    (void)state;
    static const char *const shapes[] = {"1b", "1.5b", "1.6b"};
    size_t lc = 0, lcpp = 0;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        lc += size_of(&specs[0].spec, shapes[i]);
        lcpp += size_of(&specs[3].spec, shapes[i]);
    }
    print_message("mean bytes: LC %zu of 52428, LC++ %zu of 340787\n", lc / 3, lcpp / 3);
    assert_true(lc <= 3 * 52428);
    assert_true(lcpp <= 3 * 340787);
}

static void test_equal_input_gives_equal_bytes(void **state)
{
    (void)state;
    for (int safetensors = 0; safetensors < 2; safetensors++) {
        unsigned char *bytes[2];
        size_t size[2];
        for (size_t i = 0; i < 2; i++) {
            sample s;
            const char *path = scratch_path(i ? "another_name" : "one");
            sample_open(&s, &specs[3].spec, "mini", LCAL__STORE_F16, 5);
            sample_save(&s, safetensors, LCAL__STORE_F16, path);
            read_bytes(path, &bytes[i], &size[i]);
            sample_close(&s);
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(bytes[0], bytes[1], size[0]);
        lcal__free(bytes[0]);
        lcal__free(bytes[1]);
    }
}

static void test_values_that_no_file_may_hold(void **state)
{
    (void)state;
    static const struct {
        float value;
        lcal__store dtype;
        const char *says;
    } cases[] = {
        {NAN, LCAL__STORE_F32, "tensor q_proj.p: element 3 is "},
        {INFINITY, LCAL__STORE_F32, "element 3 is inf, expected a finite number"},
        {65520.0f, LCAL__STORE_F16, "element 3 is 65520, too large for 16 bits"},
        {3.4e38f, LCAL__STORE_BF16, "too large for 16 bits; set calibration.dtype: f32"},
    };
    sample s;
    sample_open(&s, &specs[0].spec, "mini", LCAL__STORE_F32, 5);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        lcal_error err = {0};
        const char *path = scratch_path("never");
        s.params.values[3] = cases[i].value;
        assert_refused(
            "h5",
            lcal__calib_save_h5(path, &s.facts, &s.params, s.params.values, cases[i].dtype, &err),
            &err, LCAL_NUMERIC, cases[i].says);
        assert_refused("safetensors",
                       lcal__calib_save_safetensors(path, &s.facts, &s.params, s.params.values,
                                                    cases[i].dtype, &err),
                       &err, LCAL_NUMERIC, cases[i].says);
        assert_false(lcal__path_is_file(path));
    }
    sample_close(&s);
}

/* --- the right base, adapters and weights ----------------------------------------------- */

static void test_mismatches(void **state)
{
    (void)state;
    lcal__model model, other;
    lcal__adapter adapters[2];
    lcal_error err = {0};
    lcal__calib_facts facts;
    check(lcal__model_open(shipped_path("tiny-llama3"), NULL, &model, &err), &err);
    check(lcal__model_open(shipped_path("tiny-qwen2"), NULL, &other, &err), &err);
    check(lcal__adapter_open(shipped_path("tiny-llama3/lora_a"), &model.config, NULL, &adapters[0],
                             &err),
          &err);
    check(lcal__adapter_open(shipped_path("tiny-llama3/lora_b"), &model.config, NULL, &adapters[1],
                             &err),
          &err);
    lcal__adapter_use uses[] = {{&adapters[0], 1.0f}, {&adapters[1], 0.7f}};
    lcal__merge_settings merge = lcal__merge_defaults(LCAL__MERGE_DARE_TIES);
    merge.density = 0.3;
    check(lcal__calib_facts_from(&model, uses, 2, &merge, &specs[0].spec, &facts, &err), &err);
    assert_string_equal(facts.adapters[1].name, "lora_b");
    assert_true(isnan(facts.valid_loss));
    check(lcal__calib_facts_check(&facts, "F", &model, uses, 2, &merge, &err), &err);

    lcal__merge_settings another = merge;
    another.t = 0.9; /* no option of that rule */
    check(lcal__calib_facts_check(&facts, "F", &model, uses, 2, &another, &err), &err);
    another.seed = 2;
    assert_refused(
        "merge", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &another, &err), &err,
        LCAL_INVALID,
        "F: made for adapters merged by dare-ties, density 0.3, majority total, election "
        "weighted, lambda 1, seed 1, but here they are merged by dare-ties, density 0.3, "
        "majority total, election weighted, lambda 1, seed 2");
    /* The two names of the exact sum are one rule. */
    facts.merge = lcal__merge_defaults(LCAL__MERGE_CONCAT);
    another = lcal__merge_defaults(LCAL__MERGE_LINEAR);
    check(lcal__calib_facts_check(&facts, "F", &model, uses, 2, &another, &err), &err);
    facts.merge = merge;

    assert_refused("architecture",
                   lcal__calib_facts_check(&facts, "F", &other, uses, 2, &merge, &err), &err,
                   LCAL_SHAPE, "F: made for a model of architecture llama, but this one is qwen2");
    facts.config.ffn += 1;
    assert_refused("extent", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &merge, &err),
                   &err, LCAL_SHAPE, "F: made for a model with ffn ");
    facts.config.ffn -= 1;
    facts.base_sha256[0] = facts.base_sha256[0] == '0' ? '1' : '0';
    assert_refused("base", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &merge, &err),
                   &err, LCAL_INVALID, "F: made for a base with SHA-256 ");
    facts.base_sha256[0] = '\0';
    assert_refused("no base", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &merge, &err),
                   &err, LCAL_INVALID, "none (random weights), but the weights of ");
    memcpy(facts.base_sha256, model.sha256, sizeof(facts.base_sha256));
    assert_refused("count", lcal__calib_facts_check(&facts, "F", &model, uses, 1, &merge, &err),
                   &err, LCAL_INVALID, "F: made with 2 adapters, but 1 are given");
    uses[1].weight = 1.0f;
    assert_refused("weight", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &merge, &err),
                   &err, LCAL_INVALID,
                   "F: adapter 2 (lora_b): expected weight 0.699999988, found 1");
    const lcal__adapter_use swapped[] = {{&adapters[1], 1.0f}, {&adapters[0], 0.7f}};
    assert_refused("order", lcal__calib_facts_check(&facts, "F", &model, swapped, 2, &merge, &err),
                   &err, LCAL_INVALID, "F: adapter 1: expected lora_a with SHA-256 ");
    lcal__calib_facts_free(&facts);
    for (size_t i = 0; i < 2; i++)
        lcal__adapter_close(&adapters[i]);
    lcal__model_close(&model);
    lcal__model_close(&other);
}

static void test_apply_refuses_another_layout(void **state)
{
    (void)state;
    static const struct {
        size_t of_file, of_block;
        const char *shape, *says;
    } cases[] = {
        {3, 0, "mini", "F: tensor q_proj.p: expected [1, 128], found none"},
        {0, 0, "small", "F: tensor q_proj.p: expected [1, 288], found [1, 128]"},
        {3, 4, "mini", "F: tensor o_proj.P1: expected [1, 128], found [4, 128]"},
        {7, 7, "small", "expected [1, 288], found [1, 128]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        sample from, to;
        lcal__calib_file file;
        lcal_error err = {0};
        sample_open(&from, &specs[cases[i].of_file].spec, "mini", LCAL__STORE_F16, 1);
        sample_open(&to, &specs[cases[i].of_block].spec, cases[i].shape, LCAL__STORE_F16, 2);
        sample_save(&from, true, LCAL__STORE_F16, scratch_path("F"));
        check(lcal__calib_load(scratch_path("F"), &file, &err), &err);
        float first = to.params.values[0];
        assert_refused("apply", lcal__calib_apply(&file, "F", &to.params, &err), &err, LCAL_SHAPE,
                       cases[i].says);
        assert_true(to.params.values[0] == first);
        lcal__calib_file_free(&file);
        sample_close(&from);
        sample_close(&to);
    }
    /* A file with more than the block has. */
    lcal__calib_spec fewer = specs[0].spec;
    sample from, to;
    lcal__calib_file file;
    lcal_error err = {0};
    fewer.targets = 0x3F;
    sample_open(&from, &specs[0].spec, "mini", LCAL__STORE_F16, 1);
    sample_open(&to, &fewer, "mini", LCAL__STORE_F16, 2);
    sample_save(&from, false, LCAL__STORE_F16, scratch_path("F"));
    check(lcal__calib_load(scratch_path("F"), &file, &err), &err);
    assert_refused("surplus", lcal__calib_apply(&file, "F", &to.params, &err), &err, LCAL_SHAPE,
                   "F: tensor down_proj.p: has no place in what is trained here");
    lcal__calib_file_free(&file);
    sample_close(&from);
    sample_close(&to);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trips),
        TEST(test_layout_of_the_files),
        TEST(test_budgets),
        TEST(test_equal_input_gives_equal_bytes),
        TEST(test_values_that_no_file_may_hold),
        TEST(test_mismatches),
        TEST(test_apply_refuses_another_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
