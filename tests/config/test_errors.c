/* Broken configurations: the exact status, and the exact message or its place and core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REQUIRED FIXTURE_REQUIRED /* three lines, so that what follows is line 4 */

typedef struct broken {
    const char *text;
    const char *override[3];
    const char *says[4]; /* each a line of the message, whole, or its beginning before "~" */
} broken;

static const broken table[] = {
    /* Not YAML, or YAML we do not take. */
    {REQUIRED "train: {lr: 1\n", {0}, {"c.yaml:5:1: ~"}},
    {REQUIRED "train: [1\n", {0}, {"c.yaml:5:1: ~"}},
    {REQUIRED "\tlr: 1\n", {0}, {"c.yaml:4:1: ~"}},
    {REQUIRED "out: again\n", {0}, {"c.yaml:4:1: key out given again, first in line 2"}},
    {REQUIRED "train: &x {lr: 1}\n", {0}, {"c.yaml:4:8: anchors (&name) are not allowed~"}},
    {REQUIRED "---\na: b\n", {0}, {"c.yaml:4:1: a second document~"}},
    {REQUIRED "\xFF: 1\n", {0}, {"c.yaml:4:1: ~"}},
    {"- a\n- b\n", {0}, {"c.yaml:1:1: expected \"key: value\" lines, found a list"}},
    {"hello\n", {0}, {"c.yaml:1:1: expected \"key: value\" lines, found plain text"}},
    /* Missing keys. */
    {"",
     {0},
     {"c.yaml: key model: expected a path, but it is not given",
      "c.yaml: key data.train: expected a path, but it is not given",
      "c.yaml: key out: expected a path, but it is not given"}},
    {"model: model\nout:\ndata: {train: train.jsonl}\n",
     {0},
     {"c.yaml:2:5: key out: expected a path, found nothing"}},
    {REQUIRED, {"out="}, {"override 1 (out=): key out: expected a path, found nothing"}},
    {REQUIRED, {"out=''"}, {"override 1 (out=''): key out: expected a path, found \"\""}},
    /* Unknown keys. */
    {REQUIRED "train: {lrr: 1}\n",
     {0},
     {"c.yaml:4:9: unknown key train.lrr; did you mean train.lr?"}},
    {REQUIRED "trian:\n  lr: 1\n", {0}, {"c.yaml:4:1: unknown key trian; did you mean train?"}},
    {REQUIRED "lr: 1\n", {0}, {"c.yaml:4:1: unknown key lr; did you mean train.lr?"}},
    {REQUIRED "zebra: 1\n", {0}, {"c.yaml:4:1: unknown key zebra"}},
    {REQUIRED "'': 1\n", {0}, {"c.yaml:4:1: unknown key "}},
    {REQUIRED "train: {'': 1}\n", {0}, {"c.yaml:4:9: unknown key train.; did you mean train?"}},
    {REQUIRED "\"a\\nb\": 1\n", {0}, {"c.yaml:4:1: unknown key a?b"}},
    {REQUIRED,
     {"train.stepz=3"},
     {"override 1 (train.stepz=3): unknown key train.stepz; did you mean train.steps?"}},
    /* Types and ranges. */
    {REQUIRED "train:\n  lr: abc\n",
     {0},
     {"c.yaml:5:7: key train.lr: expected a number in (0, 10], found \"abc\""}},
    {REQUIRED "train:\n  lr: 0\n",
     {0},
     {"c.yaml:5:7: key train.lr: expected a number in (0, 10], found \"0\""}},
    {REQUIRED "train:\n  lr: 10.01\n",
     {0},
     {"c.yaml:5:7: key train.lr: expected a number in (0, 10], found \"10.01\""}},
    {REQUIRED "train: {lr: [1]}\n",
     {0},
     {"c.yaml:4:13: key train.lr: expected a number in (0, 10], found a list"}},
    {REQUIRED "train: {lr: {a: 1}}\n",
     {0},
     {"c.yaml:4:13: key train.lr: expected a number in (0, 10], found a map"}},
    {REQUIRED "train: {lr: .inf}\n", {0}, {"c.yaml:4:13: key train.lr: ~"}},
    {REQUIRED "train: {lr: nan}\n", {0}, {"c.yaml:4:13: key train.lr: ~"}},
    {REQUIRED "train: {lr: 0x1}\n", {0}, {"c.yaml:4:13: key train.lr: ~"}},
    {REQUIRED "train: {lr: 1e999}\n", {0}, {"c.yaml:4:13: key train.lr: ~"}},
    {REQUIRED "train: {beta1: 1}\n",
     {0},
     {"c.yaml:4:16: key train.beta1: expected a number in [0, 1), found \"1\""}},
    {REQUIRED "train: {warmup: 1.5}\n",
     {0},
     {"c.yaml:4:17: key train.warmup: expected a number in [0, 1], found \"1.5\""}},
    {REQUIRED "train: {eps: 0}\n",
     {0},
     {"c.yaml:4:14: key train.eps: expected a number in (0, 1], found \"0\""}},
    {REQUIRED "train: {steps: 4_096}\n",
     {0},
     {"c.yaml:4:16: key train.steps: expected an integer in 1..1000000000, found \"4_096\""}},
    {REQUIRED "train: {steps: 1.5}\n",
     {0},
     {"c.yaml:4:16: key train.steps: expected an integer in ~"}},
    {REQUIRED "train: {steps: -1}\n", {0}, {"c.yaml:4:16: key train.steps: ~"}},
    {REQUIRED "train: {steps: 0}\n", {0}, {"c.yaml:4:16: key train.steps: ~"}},
    {REQUIRED "train: {seed: 9223372036854775808}\n", {0}, {"c.yaml:4:15: key train.seed: ~"}},
    {REQUIRED "train: {seed: 99999999999999999999}\n", {0}, {"c.yaml:4:15: key train.seed: ~"}},
    {REQUIRED "train: {keep_best: yes}\n",
     {0},
     {"c.yaml:4:20: key train.keep_best: expected true or false, found \"yes\"; write true"}},
    {REQUIRED "train: {keep_best: off}\n",
     {0},
     {"c.yaml:4:20: key train.keep_best: expected true or false, found \"off\"; write false"}},
    {REQUIRED "calibration: {form: ouput}\n",
     {0},
     {"c.yaml:4:21: key calibration.form: expected one of output | broadcast, found \"ouput\"; did "
      "you mean output?"}},
    {REQUIRED "train: {precision: bf16}\n",
     {0},
     {"c.yaml:4:20: key train.precision: expected f32, found \"bf16\""}},
    {REQUIRED "method: LC\n",
     {0},
     {"c.yaml:4:9: key method: expected one of lc | lcpp | columns | lora | base, found \"LC\""}},
    {REQUIRED "train: 5\n", {0}, {"c.yaml:4:8: key train: expected a map of keys, found \"5\""}},
    {REQUIRED "lora: {targets: [q_proj, k_prj]}\n",
     {0},
     {"c.yaml:4:26: key lora.targets: expected all, or a list of q_proj, k_proj, v_proj, o_proj, "
      "gate_proj, up_proj, down_proj, found \"k_prj\"; did you mean k_proj?"}},
    {REQUIRED "lora: {targets: []}\n",
     {0},
     {"c.yaml:4:17: key lora.targets: expected at least one projection, found an empty list"}},
    {REQUIRED "lora: {targets: 'q_proj,'}\n", {0}, {"c.yaml:4:17: key lora.targets: ~"}},
    /* Merging. */
    {REQUIRED "adapters: [a, b]\nmerge: {method: tie}\n",
     {0},
     {"c.yaml:5:17: key merge.method: expected one of concat | linear | ties | dare-linear | "
      "dare-ties | slerp | magnitude-prune | svd | peft-linear | peft-ties | peft-dare-linear | "
      "peft-dare-ties | peft-magnitude-prune | peft-svd, found \"tie\"; did you mean ties?"}},
    {REQUIRED "adapters: [a, b]\nmerge: {method: slerp, density: 0.3, seed: 1}\n",
     {0},
     {"c.yaml:5:33: key merge.density: merge.method slerp has no such option; remove it or choose "
      "another method"}},
    {REQUIRED "adapters: [a]\nmerge: {method: slerp}\n",
     {0},
     {"c.yaml:5:17: key merge.method: slerp lies between two adapters, found 1"}},
    {REQUIRED "adapters: [a, b]\nmerge: {method: svd}\nmethod: columns\n",
     {0},
     {"c.yaml:5:17: key merge.method: method columns scales the adapters' own factors and needs "
      "concat or linear, found svd"}},
    {REQUIRED "adapters: [a, b]\nmerge: {method: ties, density: 0, t: 2}\n",
     {0},
     {"c.yaml:5:32: key merge.density: expected a number in (0, 1], found \"0\"",
      "c.yaml:5:38: key merge.t: expected a number in [0, 1], found \"2\""}},
    /* Adapters. */
    {REQUIRED "adapters: {path: a}\n",
     {0},
     {"c.yaml:4:11: key adapters: expected a list of DIR[:WEIGHT] or {path: DIR, weight: NUMBER}, "
      "found a map"}},
    {REQUIRED "adapters:\n- {weight: 1}\n",
     {0},
     {"c.yaml:5:3: key adapters.0.path: expected a path, but it is not given"}},
    {REQUIRED "adapters:\n- a\n- {path: b, weigth: 1}\n",
     {0},
     {"c.yaml:6:13: unknown key adapters.1.weigth; did you mean adapters.1.weight?"}},
    {REQUIRED "adapters:\n- {path: a, weight: heavy}\n",
     {0},
     {"c.yaml:5:21: key adapters.0.weight: expected a number in [-1000, 1000], found \"heavy\""}},
    {REQUIRED "adapters: [[a]]\n",
     {0},
     {"c.yaml:4:12: key adapters.0: expected DIR[:WEIGHT] or {path: DIR, weight: NUMBER}, found a "
      "list"}},
    {REQUIRED "adapters: ['a:1e9']\n",
     {0},
     {"c.yaml:4:12: key adapters.0: expected a weight in [-1000, 1000] after the colon, found "
      "\"a:1e9\""}},
    {REQUIRED "adapters: [a, b]\n",
     {"adapters.2.weight=1"},
     {"override 1 (adapters.2.weight=1): key adapters.2: there are 2 adapters, counted from 0"}},
    {REQUIRED "adapters: [a]\n",
     {"adapters.0.weigth=1"},
     {"override 1 (adapters.0.weigth=1): unknown key adapters.0.weigth; did you mean "
      "adapters.0.weight?"}},
    {REQUIRED "adapters.0.weight: 1\n", {0}, {"c.yaml:4:1: unknown key adapters.0.weight"}},
    /* Overrides. */
    {REQUIRED, {"train.lr"}, {"override 1 (train.lr): expected key=value"}},
    {REQUIRED, {"=3"}, {"override 1 (=3): expected key=value"}},
    {REQUIRED,
     {"seed=1", "train.lr=abc"},
     {"override 1 (seed=1): unknown key seed; did you mean merge.seed or train.seed?",
      "override 2 (train.lr=abc): key train.lr: expected a number in (0, 10], found \"abc\""}},
    {REQUIRED,
     {"adapters=[a"},
     {"override 1 (adapters=[a):2:1: did not find expected ',' or ']'~"}},
    /* Keys that do not fit one another. */
    {REQUIRED "method: columns\n",
     {0},
     {"c.yaml:4:9: key method: columns merges adapters and needs at least one in adapters, found "
      "none"}},
    {REQUIRED "method: base\nadapters: [a]\n",
     {0},
     {"c.yaml:5:11: key adapters: method base trains a model without adapters, found 1~"}},
    {REQUIRED,
     {"train.batch_tokens=511"},
     {"override 1 (train.batch_tokens=511): key train.batch_tokens: expected at least "
      "data.max_length = 512, found 511~"}},
    {REQUIRED,
     {"data.max_length=4097"},
     {"override 1 (data.max_length=4097): key train.batch_tokens: expected at least "
      "data.max_length = 4097, found 4096~"}},
    {REQUIRED "train.lr: 1\ntrain: {lr: 2}\n",
     {0},
     {"c.yaml:5:9: key train.lr: given again, first in line 4"}},
};

/* Every line of the message is one that was expected, in that order, and none is missing. */
static void check_message(const broken *row, const lcal_error *err)
{
    const char *line = err->message;
    for (size_t i = 0; i < COUNT(row->says) && row->says[i]; ++i) {
        size_t length = strcspn(line, "\n"), expected = strcspn(row->says[i], "~");
        if (row->says[i][expected] == '~' ? length <= expected : length != expected)
            fail_msg("expected \"%s\", found \"%s\"", row->says[i], err->message);
        if (memcmp(line, row->says[i], expected) != 0)
            fail_msg("expected \"%s\", found \"%s\"", row->says[i], err->message);
        line += length;
        line += *line == '\n';
    }
    if (*line)
        fail_msg("not expected: \"%s\"", line);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(table); ++i) {
        lcal_config *config = NULL;
        lcal_error err = {0};
        lcal_status status = fixture_parse(table[i].text, table[i].override, &config, &err);
        if (status != LCAL_CONFIG)
            fail_msg("row %zu was taken: %s", i, table[i].text);
        assert_int_equal(err.status, LCAL_CONFIG);
        assert_null(config);
        check_message(&table[i], &err);
        assert_int_equal(fixture_parse(table[i].text, table[i].override, &config, NULL),
                         LCAL_CONFIG);
    }
    print_message("%zu broken configurations\n", COUNT(table));
}

static void test_all_at_once_and_sorted(void **state)
{
    (void)state;
    const char *overrides[] = {"train.steps=x", "modle=m", NULL};
    lcal_config *config = NULL;
    lcal_error err = {0};
    char expected[LCAL_ERROR_MESSAGE_MAX];
    assert_int_equal(fixture_parse("train:\n  lr: x\n  sped: 1\ndata: {train: gone.jsonl}\n"
                                   "model: train.jsonl\nadapters:\n- a\n- nowhere:0.5\n"
                                   "calibration: {init: missing.h5}\n",
                                   overrides, &config, &err),
                     LCAL_CONFIG);
    snprintf(expected, sizeof(expected),
             "c.yaml: key out: expected a path, but it is not given\n"
             "c.yaml:2:7: key train.lr: expected a number in (0, 10], found \"x\"\n"
             "c.yaml:3:3: unknown key train.sped; did you mean train.seed?\n"
             "c.yaml:4:15: key data.train: expected an existing file, found nothing usable at %s\n"
             "c.yaml:5:8: key model: expected an existing directory, found a file at %s\n"
             "c.yaml:8:3: key adapters.1.path: expected an existing directory, found nothing "
             "usable at %s\n"
             "c.yaml:9:21: key calibration.init: expected default | an existing file, found "
             "nothing usable at %s\n"
             "override 1 (train.steps=x): key train.steps: expected an integer in 1..1000000000, "
             "found \"x\"\n"
             "override 2 (modle=m): unknown key modle; did you mean model?",
             fixture_path("gone.jsonl"), fixture_path("train.jsonl"), fixture_path("nowhere"),
             fixture_path("missing.h5"));
    assert_string_equal(err.message, expected);
}

static void test_too_many_problems(void **state)
{
    (void)state;
    static char text[64 * 1000];
    size_t used = (size_t)snprintf(text, sizeof(text), REQUIRED);
    for (int i = 0; i < 1000; ++i)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "unheard-of-%d: 1\n", i);
    lcal_config *config = NULL;
    lcal_error err = {0};
    assert_int_equal(fixture_parse(text, NULL, &config, &err), LCAL_CONFIG);
    const char *end = strrchr(err.message, '\n');
    assert_non_null(end);
    size_t told = 0, more = 0;
    for (const char *at = err.message; (at = strchr(at, '\n')); ++at)
        ++told;
    assert_int_equal(sscanf(end, "\n... and %zu more", &more), 1);
    assert_int_equal(told + more, 1000);
    assert_true(strlen(err.message) < LCAL_ERROR_MESSAGE_MAX);
    assert_true(told > 100);
}

static void test_output_over_a_file(void **state)
{
    (void)state;
    const char *overrides[] = {"out=../train.jsonl", NULL};
    lcal_config *config = NULL;
    lcal_error err = {0};
    assert_int_equal(fixture_parse(REQUIRED, overrides, &config, &err), LCAL_CONFIG);
    assert_non_null(strstr(err.message, "key out: expected a directory, to be made or empty, "
                                        "found a file at "));
}

static void test_long_paths(void **state)
{
    (void)state;
    static char text[20000];
    lcal_config *config = NULL;
    lcal_error err = {0};
    size_t used =
        (size_t)snprintf(text, sizeof(text), "model: model\ndata: {train: train.jsonl}\nout: ");
    memset(text + used, '/', sizeof(text) - used - 1);
    for (size_t i = used; i + 2 < sizeof(text); i += 2)
        text[i] = 'a';
    assert_int_equal(fixture_parse(text, NULL, &config, &err), LCAL_CONFIG);
    assert_string_equal(err.message, "c.yaml:3:6: key out: a path longer than 4095 bytes");
}

static void test_files(void **state)
{
    (void)state;
    lcal_config *config = NULL;
    lcal_error err = {0};
    assert_int_equal(lcal_config_open(fixture_path("none.yaml"), NULL, 0, &config, &err), LCAL_IO);
    assert_non_null(strstr(err.message, "none.yaml"));
    assert_int_equal(lcal_config_open(NULL, NULL, 0, NULL, &err), LCAL_INVALID);
    assert_int_equal(lcal_config_open(NULL, NULL, 0, &config, &err), LCAL_CONFIG);
    assert_non_null(strstr(err.message, "configuration: key model: "));
    assert_null(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_all_at_once_and_sorted),
        cmocka_unit_test(test_too_many_problems),
        cmocka_unit_test(test_output_over_a_file),
        cmocka_unit_test(test_long_paths),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, fixture_make, fixture_remove);
}
