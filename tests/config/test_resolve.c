/* What a valid configuration resolves to: defaults, paths, overrides, the dump and the diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define REQUIRED FIXTURE_REQUIRED

static void test_defaults(void **state)
{
    (void)state;
    lcal_config *config = fixture_open(REQUIRED, NULL);
    const lcal__settings *s = lcal__config_settings(config);
    assert_string_equal(s->model, fixture_path("model"));
    assert_string_equal(s->out, fixture_path("run"));
    assert_string_equal(s->data.train, fixture_path("train.jsonl"));
    assert_string_equal(s->data.valid, "");
    assert_int_equal(s->adapter_count, 0);
    assert_int_equal(s->method, LCAL__METHOD_LCPP);
    assert_int_equal(s->merge.method, LCAL__MERGE_CONCAT);
    assert_true(s->merge.density == 0.2 && s->merge.lambda == 1.0 && s->merge.t == 0.5);
    assert_int_equal(s->merge.scope, LCAL__SCOPE_MODEL);
    assert_int_equal(s->merge.majority, LCAL__MAJORITY_TOTAL);
    assert_int_equal(s->merge.election, LCAL__ELECTION_WEIGHTED);
    assert_int_equal(s->merge.seed, 1);
    assert_int_equal(s->merge.rank, 0);
    assert_int_equal(s->calibration.form, LCAL__FORM_OUTPUT);
    assert_int_equal(s->calibration.rank, 4);
    assert_true(s->calibration.scale == 1.0);
    assert_int_equal(s->calibration.share, LCAL__SHARE_LAYERS);
    assert_int_equal(s->calibration.targets, 0x7F);
    assert_string_equal(s->calibration.init, "default");
    assert_int_equal(s->calibration.dtype, LCAL__STORE_F16);
    assert_int_equal(s->lora.rank, 32);
    assert_true(s->lora.alpha == 32.0);
    assert_int_equal(s->lora.targets, 0x7F);
    assert_int_equal(s->columns.objective, LCAL__OBJECTIVE_SUPERVISED);
    assert_int_equal(s->data.template_, LCAL__TEMPLATE_AUTO);
    assert_int_equal(s->data.loss_on, LCAL__LOSS_ON_COMPLETION);
    assert_int_equal(s->data.max_length, 512);
    assert_int_equal(s->data.overlong, LCAL__POLICY_DROP);
    assert_true(s->data.pack && s->data.shuffle);
    assert_int_equal(s->train.steps, 500);
    assert_int_equal(s->train.batch_tokens, 4096);
    assert_int_equal(s->train.batch_size, 0);
    assert_true(s->train.lr == 3.0e-3 && s->train.warmup == 0.05 && s->train.min_lr == 0.0);
    assert_int_equal(s->train.schedule, LCAL__COSINE);
    assert_true(s->train.weight_decay == 0.0 && s->train.beta1 == 0.9 && s->train.beta2 == 0.999
                && s->train.eps == 1e-8 && s->train.clip_norm == 1.0);
    assert_int_equal(s->train.accumulate, 1);
    assert_true(s->train.keep_best);
    assert_int_equal(s->train.on_nonfinite, LCAL__NONFINITE_STOP);
    assert_int_equal(s->train.precision, LCAL__PRECISION_F32);
    assert_int_equal(s->train.memory, LCAL__MEMORY_FAST);
    assert_int_equal(s->train.recompute, LCAL__RECOMPUTE_AUTO);
    assert_true(s->train.memory_budget_gib == 0.0);
    assert_int_equal(s->train.seed, 1);
    assert_int_equal(s->train.threads, 0);
    assert_int_equal(s->train.log_every, 10);
    assert_int_equal(s->train.eval_every, 100);
    assert_int_equal(s->train.save_every, 100);
    lcal_config_close(&config);
    assert_null(config);
    lcal_config_close(&config);
    lcal_config_close(NULL);
}

static void test_values_are_typed_by_the_table(void **state)
{
    (void)state;
    lcal_config *config = fixture_open("model: model\nout: 123\ndata:\n  train: train.jsonl\n"
                                       "  valid: null\n  pack: false\n"
                                       "train: {steps: 1e3, lr: .5, eps: 1E-6, beta1: 0, seed: "
                                       "9223372036854775807, threads: '2', save_every: }\n"
                                       "train.log_every: 16.0\nlora:\n"
                                       "calibration: {targets: 'q_proj, down_proj', dtype: f32}\n",
                                       NULL);
    const lcal__settings *s = lcal__config_settings(config);
    assert_string_equal(s->out, fixture_path("123"));
    assert_string_equal(s->data.valid, "");
    assert_false(s->data.pack);
    assert_int_equal(s->train.steps, 1000);
    assert_true(s->train.lr == 0.5 && s->train.eps == 1e-6 && s->train.beta1 == 0.0);
    assert_true(s->train.seed == INT64_MAX);
    assert_int_equal(s->train.threads, 2);
    assert_int_equal(s->train.save_every, 100);
    assert_int_equal(s->train.log_every, 16);
    assert_int_equal(s->calibration.targets, 1 << 0 | 1 << 6);
    assert_int_equal(s->calibration.dtype, LCAL__STORE_F32);
    lcal_config_close(&config);
}

static void test_overrides_win_and_null_is_the_default(void **state)
{
    (void)state;
    const char *overrides[] = {"train.lr=1e-2",
                               "train.steps=null",
                               "train={threads: 3, seed: 5}",
                               "train.seed=6",
                               "lora.targets=v_proj,o_proj",
                               "method=lc",
                               NULL};
    lcal_config *config = fixture_open(REQUIRED "train: {lr: 1, steps: 7}\n", overrides);
    const lcal__settings *s = lcal__config_settings(config);
    assert_true(s->train.lr == 1e-2);
    assert_int_equal(s->train.steps, 500);
    assert_int_equal(s->train.threads, 3);
    assert_int_equal(s->train.seed, 6);
    assert_int_equal(s->lora.targets, 1 << 2 | 1 << 3);
    assert_int_equal(s->method, LCAL__METHOD_LC);
    lcal_config_close(&config);
}

/* Any text, whatever YAML would take it for elsewhere; it comes back from a dump. */
static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *written, *meant;
    } cases[] = {
        {"data.system=Be brief.", "Be brief."},
        {"data.system=\"two\\nlines: \\\"a\\\", #b\"", "two\nlines: \"a\", #b"},
        {"data.system='123'", "123"},
        {"data.system=true", "true"},
        {"data.system=\"null\"", "null"},
        {"data.system=null", ""},
        {"data.system=", ""},
        {"data.system=\"\"", ""},
        {"data.system=\xC3\xA9t\xC3\xA9 \xF0\x9F\x98\x80", "\xC3\xA9t\xC3\xA9 \xF0\x9F\x98\x80"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); ++i) {
        const char *overrides[] = {"data.system=before", cases[i].written, NULL};
        char *text;
        lcal_config *config = fixture_open(REQUIRED, overrides), *again;
        assert_string_equal(lcal__config_settings(config)->data.system, cases[i].meant);
        assert_int_equal(lcal_config_dump(config, &text, NULL), LCAL_OK);
        assert_int_equal(lcal__config_parse(text, strlen(text), "dump", "", NULL, 0, &again, NULL),
                         LCAL_OK);
        assert_string_equal(lcal__config_settings(again)->data.system, cases[i].meant);
        assert_int_equal(lcal__config_diff(config, again, NULL, 0), 0);
        lcal_text_free(text);
        lcal_config_close(&config);
        lcal_config_close(&again);
    }
    lcal_config *config = fixture_open(
        REQUIRED, (const char *[]){"data.tokenizer=../model", "data.template=zephyr",
                                   "data.loss_on=all", "data.valid_fraction=0.25", NULL});
    const lcal__settings *s = lcal__config_settings(config);
    assert_non_null(strstr(s->data.tokenizer, "/model"));
    assert_int_equal(s->data.template_, LCAL__TEMPLATE_ZEPHYR);
    assert_int_equal(s->data.loss_on, LCAL__LOSS_ON_ALL);
    assert_true(s->data.valid_fraction == 0.25);
    lcal_config_close(&config);
}

static void test_adapters(void **state)
{
    (void)state;
    const char *file = REQUIRED "adapters:\n- {path: a, weight: 0.5}\n- b:-2\n- {path: a}\n";
    lcal_config *config = fixture_open(file, NULL);
    const lcal__settings *s = lcal__config_settings(config);
    assert_int_equal(s->adapter_count, 3);
    assert_string_equal(s->adapters[0].path, fixture_path("a"));
    assert_string_equal(s->adapters[1].path, fixture_path("b"));
    assert_true(s->adapters[0].weight == 0.5 && s->adapters[1].weight == -2.0
                && s->adapters[2].weight == 1.0);
    lcal_config_close(&config);

    /* From the command line: relative to the working directory, which is root/work. */
    const char *lists[][3] = {
        {"adapters=[../a, ../b:0.5]", NULL},
        {"adapters=[{path: ../a}, {path: ../b, weight: 0.5}]", NULL},
        {"adapters=[../b, ../b]", "adapters.0.path=../a", "adapters.1.weight=0.5"},
        {"adapters=[../b, ../b]", "adapters.0=../a:1", "adapters.1={path: ../b, weight: 0.5}"},
    };
    for (size_t i = 0; i < 4; ++i) {
        const char *overrides[] = {lists[i][0], lists[i][1], lists[i][1] ? lists[i][2] : NULL,
                                   NULL};
        config = fixture_open(file, overrides);
        s = lcal__config_settings(config);
        assert_int_equal(s->adapter_count, 2);
        assert_string_equal(s->adapters[0].path, fixture_path("a"));
        assert_string_equal(s->adapters[1].path, fixture_path("b"));
        assert_true(s->adapters[0].weight == 1.0 && s->adapters[1].weight == 0.5);
        lcal_config_close(&config);
    }
    const char *none[] = {"adapters=[]", NULL}, *single[] = {"adapters=../b:3", NULL};
    config = fixture_open(file, none);
    assert_int_equal(lcal__config_settings(config)->adapter_count, 0);
    lcal_config_close(&config);
    config = fixture_open(file, single);
    assert_int_equal(lcal__config_settings(config)->adapter_count, 1);
    assert_true(lcal__config_settings(config)->adapters[0].weight == 3.0);
    lcal_config_close(&config);
}

static void test_paths(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof(text), "model: ./work/../model/\nout: new/./x/../y//z\ndata: {train: %s}",
             fixture_path("train.jsonl"));
    lcal_config *config = fixture_open(text, NULL);
    const lcal__settings *s = lcal__config_settings(config);
    assert_string_equal(s->model, fixture_path("model"));
    assert_string_equal(s->out, fixture_path("new/y/z"));
    assert_string_equal(s->data.train, fixture_path("train.jsonl"));
    lcal_config_close(&config);
    const char *overrides[] = {"model=../model", "out=here", "data.valid=../valid.jsonl", NULL};
    config = fixture_open(text, overrides);
    s = lcal__config_settings(config);
    assert_string_equal(s->model, fixture_path("model"));
    assert_string_equal(s->out, fixture_path("work/here"));
    assert_string_equal(s->data.valid, fixture_path("valid.jsonl"));
    lcal_config_close(&config);
}

/* A file is read relative to where it lies, from anywhere. */
static void test_open_and_reopen(void **state)
{
    (void)state;
    lcal_error err = {0};
    lcal_config *config = NULL, *again = NULL;
    char *first, *second;
    const char *path = fixture_path("c.yaml");
    const char *overrides[] = {"train.lr=0.1", "out=\"od\\td \\\"\\u2028\\u00e9\\\\\\ufeff: #\""};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(REQUIRED "adapters: [a:0.3333333333333333, b]\nlora: {alpha: 1e-3}\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(lcal_config_open("../c.yaml", overrides, 2, &config, &err), LCAL_OK);
    assert_string_equal(lcal__config_settings(config)->model, fixture_path("model"));
    assert_int_equal(lcal_config_dump(config, &first, &err), LCAL_OK);

    file = fopen(path, "w");
    assert_non_null(file);
    fputs(first, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(lcal_config_open(path, NULL, 0, &again, &err), LCAL_OK);
    assert_int_equal(lcal_config_dump(again, &second, &err), LCAL_OK);
    assert_string_equal(first, second);
    assert_int_equal(lcal__config_diff(config, again, NULL, 0), 0);
    assert_string_equal(lcal__config_settings(again)->out,
                        fixture_path("work/od\td \"\xE2\x80\xA8\xC3\xA9\\\xEF\xBB\xBF: #"));
    assert_int_equal(remove(path), 0);
    lcal_text_free(first);
    lcal_text_free(second);
    lcal_text_free(NULL);
    lcal_config_close(&config);
    lcal_config_close(&again);
}

static void test_dump_text(void **state)
{
    (void)state;
    lcal_config *config =
        fixture_open(REQUIRED "adapters: [a, b:0.1]\nlora: {targets: [up_proj, k_proj]}\n", NULL);
    char *text, expected[1024];
    assert_int_equal(lcal_config_dump(config, &text, NULL), LCAL_OK);
    snprintf(expected, sizeof(expected),
             "model: \"%s\"\nadapters:\n  - {path: \"%s\", weight: 1}\n"
             "  - {path: \"%s\", weight: 0.1}\nmerge:\n  method: concat\n  density: 0.2\n  scope: "
             "model\n"
             "  majority: total\n  election: weighted\n  lambda: 1\n  t: 0.5\n  seed: 1\n"
             "  rank: 0\nmethod: lcpp\n"
             "calibration:\n  form: output\n  rank: 4\n",
             fixture_path("model"), fixture_path("a"), fixture_path("b"));
    assert_memory_equal(text, expected, strlen(expected));
    assert_non_null(strstr(text, "\n  targets: [k_proj, up_proj]\n"));
    assert_non_null(strstr(text, "\n  valid: null\n"));
    assert_non_null(strstr(text, "\n  lr: 0.003\n"));
    assert_non_null(strstr(text, "\n  eps: 1e-08\n"));
    /* Every key of the table is there, each once. */
    size_t count, lines = 0, sections = 9;
    lcal_options(&count);
    for (const char *at = text; (at = strchr(at, '\n')); ++at)
        ++lines;
    assert_int_equal(lines, count + sections + 2);
    lcal_text_free(text);
    lcal_config_close(&config);
}

static void test_diff(void **state)
{
    (void)state;
    const char *overrides[] = {
        "train.lr=1",          "train.keep_best=false", "method=lc",     "adapters=[../a]",
        "lora.targets=q_proj", "lora.rank=1",           "out=elsewhere", NULL};
    const char *expected[] = {"adapters", "method",          "lora.rank", "lora.targets",
                              "train.lr", "train.keep_best", "out"};
    const char *keys[7] = {0};
    lcal_config *a = fixture_open(REQUIRED, NULL), *b = fixture_open(REQUIRED, overrides);
    assert_int_equal(lcal__config_diff(a, a, keys, 7), 0);
    assert_null(keys[0]);
    assert_int_equal(lcal__config_diff(a, b, keys, 2), 7);
    assert_string_equal(keys[1], "method");
    assert_null(keys[2]);
    assert_int_equal(lcal__config_diff(b, a, keys, 7), 7);
    for (size_t i = 0; i < 7; ++i)
        assert_string_equal(keys[i], expected[i]);
    const char *weight[] = {"adapters=[../a:0.5]", NULL}, *path[] = {"adapters=[../b]", NULL};
    const char *one[] = {"adapters=[../a]", NULL};
    lcal_config *c = fixture_open(REQUIRED, weight), *d = fixture_open(REQUIRED, path);
    lcal_config *e = fixture_open(REQUIRED, one);
    assert_int_equal(lcal__config_diff(e, c, keys, 7), 1);
    assert_int_equal(lcal__config_diff(e, d, keys, 7), 1);
    lcal_config_close(&a);
    lcal_config_close(&b);
    lcal_config_close(&c);
    lcal_config_close(&d);
    lcal_config_close(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values_are_typed_by_the_table),
        cmocka_unit_test(test_overrides_win_and_null_is_the_default),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_adapters),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_open_and_reopen),
        cmocka_unit_test(test_dump_text),
        cmocka_unit_test(test_diff),
    };
    return cmocka_run_group_tests(tests, fixture_make, fixture_remove);
}
