/* The shared library through its public functions alone, as an application embeds it. */
#define _POSIX_C_SOURCE 200809L /* mkstemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcal/lcal.h"

static const char *model_path(void)
{
    static char path[4096];
    const char *tests = getenv("LCAL_TEST_SOURCE");
    snprintf(path, sizeof(path), "%s/golden/models/tiny-qwen2", tests ? tests : "tests");
    return path;
}

/* A data file of `count` examples of growing length. */
static void write_rows(char path[64], size_t count)
{
    strcpy(path, "/tmp/lcal-api-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    for (size_t i = 0; i < count; i++) {
        fputs("{\"input_ids\":[1", file);
        for (size_t t = 0; t < i + 2; t++)
            fprintf(file, ",%zu", 3 + (17 * i + 5 * t) % 500);
        fputs("],\"labels\":[-100", file);
        for (size_t t = 0; t < i + 2; t++)
            fprintf(file, ",%zu", 3 + (17 * i + 5 * t) % 500);
        fputs("]}\n", file);
    }
    assert_int_equal(fclose(file), 0);
}

typedef struct seen {
    size_t rows, stop_after;
} seen;

static lcal_status count_row(void *user, const lcal_score_row *row, lcal_error *err)
{
    seen *s = user;
    assert_int_equal(row->index, s->rows);
    assert_int_equal(row->count, s->rows + 2);
    assert_int_equal(row->logits_count, 1);
    double sum = 0.0;
    for (size_t i = 0; i < row->count; i++) {
        assert_true(row->nll[i] > 0.0f);
        sum += (double)row->nll[i];
    }
    assert_true(fabs(row->loss - sum / (double)row->count) < 1e-12);
    for (size_t i = 0; i < row->vocab; i++)
        assert_true(isfinite(row->logits[i]));
    if (++s->rows < s->stop_after)
        return LCAL_OK;
    err->status = LCAL_IO;
    strcpy(err->message, "enough");
    return LCAL_IO;
}

static void test_score(void **state)
{
    (void)state;
    char path[64];
    write_rows(path, 9);
    const lcal_score_options options = {.file = path, .logits = LCAL_LOGITS_LAST};
    const lcal_model_options one_thread = {.threads = 1};
    lcal_error err = {0};
    lcal_model *model = NULL;
    seen all = {.stop_after = 100}, some = {.stop_after = 4};
    assert_int_equal(lcal_model_open(model_path(), &one_thread, &model, &err), LCAL_OK);
    assert_int_equal(lcal_score(model, &options, count_row, &all, &err), LCAL_OK);
    assert_int_equal(all.rows, 9);
    assert_int_equal(lcal_score(model, &options, count_row, &some, &err), LCAL_IO);
    assert_int_equal(some.rows, 4);
    assert_string_equal(err.message, "enough");
    lcal_model_close(&model);
    unlink(path);
}

static void test_arguments(void **state)
{
    (void)state;
    lcal_error err = {0};
    char *text = NULL;
    lcal_model *model = NULL;
    const lcal_score_options nothing = {0};
    const int32_t id = 1;
    float nll;
    assert_int_equal(lcal_model_open(NULL, NULL, &model, &err), LCAL_INVALID);
    assert_int_equal(lcal_model_open(model_path(), NULL, NULL, &err), LCAL_INVALID);
    assert_int_equal(lcal_model_open(model_path(), NULL, &model, &err), LCAL_OK);
    assert_int_equal(lcal_model_add_adapter(model, "lora_a", INFINITY, &err), LCAL_INVALID);
    assert_non_null(strstr(err.message, "lora_a"));
    assert_int_equal(lcal_model_add_adapter(model, NULL, 1.0, &err), LCAL_INVALID);
    assert_int_equal(lcal_model_calibrate(NULL, NULL, &err), LCAL_INVALID);
    assert_int_equal(lcal_score(model, &nothing, count_row, NULL, &err), LCAL_INVALID);
    assert_int_equal(lcal_score(NULL, NULL, count_row, NULL, NULL), LCAL_INVALID);
    assert_int_equal(lcal_score_ids(model, &id, NULL, 0, &nll, NULL, &err), LCAL_INVALID);
    assert_int_equal(lcal_score_ids(model, &id, NULL, 1, NULL, NULL, &err), LCAL_INVALID);
    lcal_model_close(&model);
    lcal_model_close(&model);
    lcal_model_close(NULL);
    assert_int_equal(lcal_inspect(NULL, LCAL_INSPECT_TEXT, &text, &err), LCAL_INVALID);
    assert_null(text);
}

static void test_bench(void **state)
{
    (void)state;
    lcal_error err = {0};
    lcal_bench_result result, recomputed;
    lcal_bench_options options = {
        .shape = "mini", .method = "lcpp", .batch = 2, .length = 16, .threads = 1, .steps = 2};
    assert_int_equal(lcal_bench(&options, &result, &err), LCAL_OK);
    assert_int_equal(result.tokens, 32);
    assert_true(result.step_s > 0.0 && result.best_tokens_per_s >= result.tokens_per_s);
    assert_true(result.gflops > 0.0);
    /* Untrained: about as good as guessing one of 1024. */
    assert_true(fabs(result.loss - log(1024.0)) < 1.0);
    options.recompute_blocks = 4;
    assert_int_equal(lcal_bench(&options, &recomputed, &err), LCAL_OK);
    assert_true(recomputed.loss == result.loss);
    assert_true(recomputed.planned_bytes < result.planned_bytes);
    options.recompute_blocks = 5;
    assert_int_equal(lcal_bench(&options, &result, &err), LCAL_INVALID);
    options.recompute_blocks = 0;
    options.loss_last = 17;
    assert_int_equal(lcal_bench(&options, &result, &err), LCAL_INVALID);
    options.loss_last = 0;
    options.batch = SIZE_MAX / 2;
    assert_int_equal(lcal_bench(&options, &result, &err), LCAL_INVALID);
    options.batch = 1;
    options.precision = "int4";
    assert_int_equal(lcal_bench(&options, &result, &err), LCAL_UNSUPPORTED);
    options.method = "magic";
    assert_int_equal(lcal_bench(&options, &result, &err), LCAL_INVALID);
    assert_non_null(strstr(err.message, "magic"));
}

static void test_nearest_word(void **state)
{
    (void)state;
    const char *const words[] = {"train", "score", "inspect"};
    assert_string_equal(lcal_nearest_word("trian", words, 3), "train");
    assert_string_equal(lcal_nearest_word("inspct", words, 3), "inspect");
    assert_null(lcal_nearest_word("xyzzy", words, 3));
    assert_null(lcal_nearest_word("train", words, 0));
}

static void test_build(void **state)
{
    (void)state;
    const lcal_build build = lcal_build_info();
    assert_string_equal(lcal_version(), LCAL_VERSION);
    assert_true(build.threads >= 1);
    assert_true(strlen(build.compiler) > 0 && strlen(build.blas) > 0 && strlen(build.kernels) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_bench), cmocka_unit_test(test_nearest_word),
        cmocka_unit_test(test_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
