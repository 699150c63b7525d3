/*
 * The library's side of exports: every allocation of every format failed in turn gives LCAL_NOMEM
 * and leaves nothing at the path (nor in memory: run under ASan); arguments; the report.
 */
#define _GNU_SOURCE /* mkdtemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocations.h"
#include "calib/composition_parts.h"
#include "export/rounding.h"
#include "lcal/export.h"
#include "lcal/merge.h"
#include "lcal/verify.h"

static char directory[256], target[300];
static lcal_model *model;

static const char *source(void)
{
    const char *path = getenv("LCAL_TEST_SOURCE");
    return path ? path : "tests";
}

static void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s: %s", lcal_status_text(status), err->message);
}

/* A calibration of small numbers, as a file beside the target. */
static void save_calibration(const lcal__calib_spec *spec, const char *path)
{
    lcal__calib_facts facts;
    lcal__params params = {0};
    lcal_error err = {0};
    const lcal__adapter_list *list = &model->adapters;
    check(lcal__calib_facts_from(&model->base, list->uses, list->count, &model->merge, spec, &facts,
                                 &err),
          &err);
    check(lcal__calib_layout(spec, &model->base.config, list->uses, list->count, &params, &err),
          &err);
    check(lcal__params_allocate(&params, &err), &err);
    for (size_t i = 0; i < params.total; i++)
        params.values[i] = 0.01f * (float)sin((double)i);
    check(lcal__calib_save_h5(path, &facts, &params, params.values, LCAL__STORE_F32, &err), &err);
    lcal__params_free(&params);
    lcal__calib_facts_free(&facts);
}

static void calibrate(lcal__method method, lcal__form form)
{
    const lcal__calib_spec spec = {
        .method = method, .form = form, .rank = 2, .scale = 1.5, .targets = 0x7F};
    char path[300];
    lcal_error err = {0};
    snprintf(path, sizeof(path), "%s/calibration.h5", directory);
    save_calibration(&spec, path);
    check(lcal_model_calibrate(model, path, &err), &err);
    assert_int_equal(remove(path), 0);
}

static int set_up(void **state)
{
    (void)state;
    char path[400];
    lcal_error err = {0};
    const lcal_model_options options = {.threads = 1};
    snprintf(directory, sizeof(directory), "%s/lcal-export-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    snprintf(target, sizeof(target), "%s/out", directory);
    snprintf(path, sizeof(path), "%s/golden/models/tiny-llama3", source());
    check(lcal_model_open(path, &options, &model, &err), &err);
    for (const char *name = "ab"; *name; name++) {
        snprintf(path, sizeof(path), "%s/golden/models/tiny-llama3/lora_%c", source(), *name);
        check(lcal_model_add_adapter(model, path, 0.5, &err), &err);
    }
    return 0;
}

static void clear(void)
{
    char command[400];
    snprintf(command, sizeof(command), "rm -rf '%s'/*", directory);
    assert_int_equal(system(command), 0);
}

static int tear_down(void **state)
{
    (void)state;
    lcal_model_close(&model);
    clear();
    return rmdir(directory);
}

static size_t entries(void)
{
    DIR *listing = opendir(directory);
    size_t count = 0;
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count - 2;
}

/* All failures near the beginning, then fewer and fewer: modules are alike. */
static size_t next_failure(size_t n)
{
    return n < 40 ? n + 1 : n + 1 + n / 6;
}

static void fail_each(const lcal_export_options *options)
{
    for (size_t n = 1;; n = next_failure(n)) {
        lcal_error err = {0};
        lcal_export_report report = {0};
        allocations_left = n;
        const lcal_status status = lcal_export(model, target, options, &report, &err);
        const bool reached = allocations_left == 0;
        allocations_left = 0;
        if (!reached) {
            check(status, &err);
            assert_true(report.bytes > 0);
            lcal_export_report_free(&report);
            break;
        }
        assert_int_equal(status, LCAL_NOMEM);
        assert_int_equal(err.status, LCAL_NOMEM);
        assert_int_equal(entries(), 0);
    }
    assert_int_equal(entries(), 1);
    clear();
}

static void test_no_memory(void **state)
{
    (void)state;
    static const struct {
        lcal__method method;
        lcal__form form;
        lcal_export_options options;
    } cases[] = {
        {LCAL__METHOD_LC, LCAL__FORM_OUTPUT, {.format = LCAL_EXPORT_PEFT}},
        {LCAL__METHOD_LC, LCAL__FORM_OUTPUT, {.format = LCAL_EXPORT_HF, .shard_bytes = 200000}},
        {LCAL__METHOD_LC, LCAL__FORM_BROADCAST, {.format = LCAL_EXPORT_HF}},
        {LCAL__METHOD_LCPP, LCAL__FORM_OUTPUT, {.format = LCAL_EXPORT_PEFT, .rank = 2}},
        {LCAL__METHOD_LCPP, LCAL__FORM_OUTPUT, {.format = LCAL_EXPORT_SAFETENSORS}},
        {LCAL__METHOD_COLUMNS, LCAL__FORM_OUTPUT, {.format = LCAL_EXPORT_PEFT}},
        {LCAL__METHOD_LC, LCAL__FORM_OUTPUT, {.format = LCAL_EXPORT_REPORT}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        calibrate(cases[i].method, cases[i].form);
        fail_each(&cases[i].options);
    }
}

static void test_no_memory_to_explain(void **state)
{
    (void)state;
    lcal_error err = {0};
    check(lcal_model_merge(model, "ties", &err), &err);
    for (size_t n = 1;; n = next_failure(n)) {
        lcal_merge_explanation found = {0};
        allocations_left = n;
        const lcal_status status = lcal_merge_explain(model, &found, &err);
        const bool reached = allocations_left == 0;
        allocations_left = 0;
        if (!reached) {
            check(status, &err);
            assert_false(found.factored);
            assert_true(found.all.apart > 0.0);
            lcal_merge_explanation_free(&found);
            break;
        }
        assert_int_equal(status, LCAL_NOMEM);
        assert_null(found.modules);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    lcal_error err = {0};
    lcal_verification found;
    const lcal_export_options broken[] = {
        {.format = (lcal_export_format)99},
        {.type = (lcal_export_type)99},
        {.format = LCAL_EXPORT_PEFT, .type = LCAL_EXPORT_Q8_0},
        {.format = LCAL_EXPORT_HF, .rank = 3},
        {.format = LCAL_EXPORT_PEFT, .as = "llama"},
    };
    assert_int_equal(lcal_export(NULL, target, NULL, NULL, &err), LCAL_INVALID);
    assert_int_equal(lcal_export(model, NULL, NULL, NULL, &err), LCAL_INVALID);
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
        assert_int_equal(lcal_export(model, target, &broken[i], NULL, &err), LCAL_INVALID);
    const lcal_export_options stablelm = {.format = LCAL_EXPORT_HF, .as = "stablelm"};
    assert_int_equal(lcal_export(model, target, &stablelm, NULL, &err), LCAL_UNSUPPORTED);
    /* The default format needs a calibration. */
    assert_int_equal(lcal_export(model, target, NULL, NULL, &err), LCAL_UNSUPPORTED);
    assert_int_equal(lcal_verify(NULL, target, NULL, &found, &err), LCAL_INVALID);
    assert_int_equal(lcal_merge_explain(model, NULL, &err), LCAL_INVALID);
    assert_int_equal(entries(), 0);
}

/* Numbers by hand: rounding 1 + 0.25 to 1, and 2 - 0.5 exactly. */
static void test_rounding(void **state)
{
    (void)state;
    const float exact[] = {1.25f, 1.5f}, stored[] = {1.0f, 1.5f}, update[] = {0.25f, -0.5f};
    const float calibration[] = {0.25f, 0.0f};
    lcal__rounding rounding = {0};
    lcal_export_module note = {.rounding_max = 0.1, .rounding_mean = 0.9};
    lcal__rounding_add(&rounding, exact, stored, update, calibration, 2);
    lcal__rounding_note(&rounding, &note);
    assert_true(fabs(note.rounding_max - 0.5) < 1e-12);
    assert_true(fabs(note.rounding_mean - 0.9) < 1e-12); /* the larger stays */
    assert_true(fabs(note.calibration_noise - 1.0) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory_to_explain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arguments, set_up, tear_down),
        cmocka_unit_test(test_rounding),
    };
    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
