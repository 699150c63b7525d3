/*
 * Rows evaluated with an allocation failed: LCAL_NOMEM, nothing leaked (run under ASan), and the
 * next call gives what an undisturbed one does. Of the thousands of allocations the first are
 * failed one by one, later ones by sample.
 */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "allocations.h"
#include "lcal/evaluate.h"
#include "model/scratch.h"

static lcal_error err;

static void write_examples(void)
{
    scratch_text("train.jsonl", "{\"prompt\":\"One: a dog\",\"completion\":\"big\"}\n"
                                "{\"prompt\":\"One: a cat\",\"completion\":\"small\"}\n");
    scratch_text("test.jsonl", "{\"prompt\":\"One: a bird\",\"completion\":\"red\"}\n"
                               "{\"prompt\":\"One: a fish\",\"completions\":[\"wet\",\"blue\"]}\n");
}

/* A configuration whose adapters stand in the given order. */
static void write_config(const char *name, int first)
{
    char text[8192];
    snprintf(text, sizeof(text),
             "model: %s/tiny-qwen2\nadapters: [\"%s/tiny-qwen2/lora_%c\", "
             "\"%s/tiny-qwen2/lora_%c\"]\n"
             "data: {train: train.jsonl, tokenizer: \"%s/../../../data/stories260K/tok512.bin\", "
             "template: raw, max_length: 32}\n"
             "train: {steps: 1, batch_tokens: 64, threads: 1}\n"
             "eval: {test: test.jsonl, shots: 2, max_tokens: 2, resamples: 5, "
             "prompt: \"One: {text}\", main_prompt: \"{text}\", aux_prompt: \"{text}!\"}\n"
             "lorahub: {budget: 2}\nout: out\n",
             shipped_path("."), shipped_path("."), 'a' + first, shipped_path("."), 'b' - first,
             shipped_path("."));
    scratch_text(name, text);
}

static int prepare(void **state)
{
    if (scratch_open(state) != 0)
        return -1;
    write_examples();
    write_config("config.yaml", 0);
    write_config("other.yaml", 1);
    return 0;
}

static lcal_status evaluate(const char *method, lcal_eval_report *report)
{
    char path[4096], other[4096], dump[4096];
    lcal_config *config = NULL;
    snprintf(path, sizeof(path), "%s", scratch_path("config.yaml"));
    snprintf(other, sizeof(other), "%s", scratch_path("other.yaml"));
    snprintf(dump, sizeof(dump), "%s", scratch_path("dump.jsonl"));
    const char *others[] = {other};
    const lcal_eval_options options = {
        .method = method,
        .dump = dump,
        .overwrite = true,
        .with = others,
        .with_count = strncmp(method, "shared", 6) == 0,
    };
    err = (lcal_error){0};
    *report = (lcal_eval_report){0};
    lcal_status status = lcal_config_open_for(LCAL_FOR_EVAL, path, NULL, 0, &config, &err);
    if (status == LCAL_OK)
        status = lcal_evaluate(config, &options, report, &err);
    lcal_config_close(&config);
    return status;
}

static void try_row(const char *method)
{
    lcal_eval_report whole, broken, after;
    size_t failures = 0;
    const size_t before = allocations;
    if (evaluate(method, &whole) != LCAL_OK)
        fail_msg("%s: %s", method, err.message);
    const size_t count = allocations - before;
    for (size_t n = 1; n < count; n += 1 + n / 40) {
        allocations_left = n;
        const lcal_status status = evaluate(method, &broken);
        const bool reached = allocations_left == 0;
        allocations_left = 0;
        lcal_eval_report_free(&broken);
        if (!reached)
            break;
        if (status != LCAL_NOMEM && status != LCAL_OK)
            fail_msg("%s: allocation %zu: status %d: %s", method, n, (int)status, err.message);
        failures += status == LCAL_NOMEM;
    }
    assert_true(failures > 20);
    if (evaluate(method, &after) != LCAL_OK)
        fail_msg("%s: %s", method, err.message);
    assert_int_equal(after.score_count, whole.score_count);
    for (size_t i = 0; i < whole.score_count; i++)
        assert_true(after.scores[i].mean == whole.scores[i].mean);
    lcal_eval_report_free(&whole);
    lcal_eval_report_free(&after);
}

static void test_rows(void **state)
{
    (void)state;
    static const char *const methods[] = {"concat",  "in-context", "multi-step", "lm-cocktail",
                                          "lorahub", "lc",         "shared-lcpp"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        try_row(methods[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, prepare, scratch_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
