/* Composed models through the public functions: what a change does, what a failed one leaves, and
 * that a run's result is found again. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcal/lcal.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static char folder[64];

static void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

static void refused(lcal_status found, const lcal_error *err, lcal_status expected,
                    const char *says)
{
    if (found != expected || !strstr(err->message, says))
        fail_msg("expected %s saying \"%s\", found %s: %s", lcal_status_text(expected), says,
                 lcal_status_text(found), err->message);
}

/* One of many buffers. */
static const char *text(const char *format, ...)
{
    static char buffers[32][1024];
    static size_t next;
    char *out = buffers[next++ % 32];
    va_list args;
    va_start(args, format);
    vsnprintf(out, sizeof(buffers[0]), format, args);
    va_end(args);
    return out;
}

static const char *shipped(const char *name)
{
    const char *tests = getenv("LCAL_TEST_SOURCE");
    return text("%s/golden/models/%s", tests ? tests : "tests", name);
}

static const char *local(const char *name)
{
    return text("%s/%s", folder, name);
}

static void write_rows(const char *name, size_t count, unsigned seed)
{
    FILE *file = fopen(local(name), "w");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        char ids[256] = "", labels[256] = "";
        for (size_t t = 0, a = 0, b = 0; t < 4 + i % 7; t++) {
            seed = seed * 1103515245u + 12345u;
            int id = (int)(seed >> 16) % 500;
            a += (size_t)snprintf(ids + a, sizeof(ids) - a, t ? ",%d" : "%d", id);
            b += (size_t)snprintf(labels + b, sizeof(labels) - b, t ? ",%d" : "%d",
                                  t < 2 ? -100 : id);
        }
        fprintf(file, "{\"input_ids\":[%s],\"labels\":[%s]}\n", ids, labels);
    }
    assert_int_equal(fclose(file), 0);
}

static int open_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/lcal-model-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    write_rows("rows.jsonl", 12, 7);
    write_rows("train.jsonl", 30, 8);
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static int close_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static lcal_model *open_tiny(void)
{
    lcal_model *model = NULL;
    lcal_error err = {0};
    check(lcal_model_open(shipped("tiny-llama3"), NULL, &model, &err), &err);
    return model;
}

static void add(lcal_model *model, const char *adapter, double weight)
{
    lcal_error err = {0};
    check(lcal_model_add_adapter(model, shipped(adapter), weight, &err), &err);
}

typedef struct sum {
    double nll;
    size_t count;
} sum;

static lcal_status add_row(void *user, const lcal_score_row *row, lcal_error *err)
{
    sum *s = user;
    (void)err;
    for (size_t i = 0; i < row->count; i++)
        s->nll += row->nll[i];
    s->count += row->count;
    return LCAL_OK;
}

/* Mean over the labels of rows.jsonl. */
static double loss_of(lcal_model *model)
{
    const lcal_score_options options = {.file = local("rows.jsonl")};
    lcal_error err = {0};
    sum s = {0};
    check(lcal_score(model, &options, add_row, &s, &err), &err);
    assert_int_equal(s.count, 55);
    return s.nll / (double)s.count;
}

/* --- changes ---------------------------------------------------------------------------- */

#define ADAPTERS(a, b)                                                                             \
    text("adapters=[{path: %s, weight: 0.5}, {path: %s}]", shipped(a), shipped(b))

/* A short run into the temporary directory; extra: up to 3 more keys. Returns its best loss on
 * rows.jsonl. */
static double train(const char *run, const char *const extra[3])
{
    const char *keys[] = {
        text("model=%s", shipped("tiny-llama3")),
        ADAPTERS("tiny-llama3/lora_a", "tiny-llama3/lora_b"),
        text("data.train=%s", local("train.jsonl")),
        text("data.valid=%s", local("rows.jsonl")),
        text("out=%s", local(run)),
        "train.steps=5",
        "train.eval_every=5",
        "train.lr=0.01",
        "train.schedule=constant",
        "train.warmup=0",
        "calibration.dtype=f32",
        "data.max_length=16",
        "train.batch_tokens=64",
        NULL,
        NULL,
        NULL,
    };
    size_t count = COUNT_OF(keys) - 3;
    lcal_config *config = NULL;
    lcal_train_result result;
    lcal_error err = {0};
    for (size_t i = 0; i < 3 && extra[i]; i++)
        keys[count++] = extra[i];
    check(lcal_config_open(NULL, keys, count, &config, &err), &err);
    check(lcal_train(config, LCAL_EXISTING_OVERWRITE, NULL, &result, &err), &err);
    lcal_config_close(&config);
    return result.best_valid_loss;
}

static void test_changes(void **state)
{
    (void)state;
    lcal_error err = {0};
    const double trained = train("run", (const char *const[3]){"method=lcpp"});
    lcal_model *model = open_tiny();
    const double base = loss_of(model);
    add(model, "tiny-llama3/lora_a", 0.5);
    const double one = loss_of(model);
    add(model, "tiny-llama3/lora_b", 1.0);
    const double two = loss_of(model);
    assert_true(base != one && one != two);
    /* A change that fails leaves everything as it was, assembled or not. */
    for (int round = 0; round < 2; round++) {
        refused(lcal_model_add_adapter(model, local("none"), 1.0, &err), &err, LCAL_IO, "none");
        refused(lcal_model_add_adapter(model, shipped("stories260K/lora_a"), 1.0, &err), &err,
                LCAL_SHAPE, "stories260K");
        refused(lcal_model_calibrate(model, local("rows.jsonl"), &err), &err, LCAL_FORMAT,
                "rows.jsonl");
        refused(lcal_model_merge(model, "tied", &err), &err, LCAL_CONFIG, "tied");
        assert_true(loss_of(model) == two);
        check(lcal_model_calibrate(model, local("run/calibration.h5"), &err), &err);
        check(lcal_model_calibrate(model, NULL, &err), &err);
    }
    check(lcal_model_calibrate(model, local("run/calibration.safetensors"), &err), &err);
    const double calibrated = loss_of(model);
    assert_true(fabs(calibrated - trained) < 1e-5);
    refused(lcal_model_calibrate(model, local("none.h5"), &err), &err, LCAL_IO, "none.h5");
    assert_true(loss_of(model) == calibrated);
    /* A calibration belongs to its adapters, weights and merge. */
    check(lcal_model_merge(model, "concat", &err), &err);
    assert_true(loss_of(model) == two);
    check(lcal_model_calibrate(model, local("run/calibration.h5"), &err), &err);
    assert_true(loss_of(model) == calibrated);
    add(model, "tiny-llama3/lora_a", 0.1);
    const double three = loss_of(model);
    check(lcal_model_calibrate(model, NULL, &err), &err);
    assert_true(loss_of(model) == three);
    refused(lcal_model_calibrate(model, local("run/calibration.h5"), &err), &err, LCAL_INVALID,
            "3 are given");
    lcal_model_close(&model);
    assert_null(model);
    model = open_tiny();
    add(model, "tiny-llama3/lora_a", 0.25);
    add(model, "tiny-llama3/lora_b", 1.0);
    refused(lcal_model_calibrate(model, local("run/calibration.h5"), &err), &err, LCAL_INVALID,
            "weight 0.5");
    lcal_model_close(&model);
}

/* --- runs ------------------------------------------------------------------------------- */

static void test_runs(void **state)
{
    (void)state;
    static const struct {
        const char *keys[3], *result;
    } runs[] = {
        {{"method=lc"}, "calibration.h5"},
        {{"method=lcpp", "merge.method=ties"}, "calibration.h5"},
        {{"method=columns"}, "calibration.h5"},
        {{"method=lora", "lora.rank=4"}, "adapter/adapter_model.safetensors"},
        {{"method=lora", "lora.rank=4", "merge.method=ties"}, "adapter/adapter_model.safetensors"},
        {{"method=base", "adapters=[]"}, "model/model.safetensors"},
    };
    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        const double trained = train("run", runs[i].keys);
        lcal_model *model = NULL;
        lcal_error err = {0};
        /* Of what it trained on nothing is needed any more. */
        assert_int_equal(rename(local("train.jsonl"), local("away.jsonl")), 0);
        for (int low = 0; low < 2; low++) {
            const lcal_model_options options = {.threads = 1, .low_memory = low};
            check(lcal_model_open_run(local("run"), &options, &model, &err), &err);
            const double found = loss_of(model);
            if (!(fabs(found - trained) < 2e-5))
                fail_msg("%s %s: trained to %.9g, found %.9g", runs[i].keys[0],
                         runs[i].keys[1] ? runs[i].keys[1] : "", trained, found);
            lcal_model_close(&model);
        }
        assert_int_equal(rename(local("away.jsonl"), local("train.jsonl")), 0);
        assert_int_equal(remove(local(text("run/%s", runs[i].result))), 0);
        lcal_status status = lcal_model_open_run(local("run"), NULL, &model, &err);
        assert_true(status == LCAL_CONFIG || status == LCAL_IO);
        assert_null(model);
    }
}

static void test_config_and_refusals(void **state)
{
    (void)state;
    lcal_error err = {0};
    lcal_model *model = open_tiny(), *same = NULL;
    lcal_config *config = NULL;
    add(model, "tiny-llama3/lora_a", 0.5);
    add(model, "tiny-llama3/lora_b", 1.0);
    const char *keys[] = {text("model=%s", shipped("tiny-llama3")),
                          ADAPTERS("tiny-llama3/lora_a", "tiny-llama3/lora_b"),
                          text("data.train=%s", local("gone.jsonl"))};
    /* Examples need not be there for a model; for training they must. */
    check(lcal_config_open_for(LCAL_FOR_MODEL, NULL, keys, 3, &config, &err), &err);
    check(lcal_model_open_config(config, NULL, &same, &err), &err);
    assert_true(loss_of(model) == loss_of(same));
    lcal_config_close(&config);
    refused(lcal_config_open_for(LCAL_FOR_TRAINER, NULL, keys, 3, &config, &err), &err, LCAL_CONFIG,
            "gone.jsonl");
    assert_null(strstr(err.message, "key out"));
    refused(lcal_config_open(NULL, keys, 3, &config, &err), &err, LCAL_CONFIG, "key out");
    lcal_model_close(&same);
    refused(lcal_model_open_run(folder, NULL, &same, &err), &err, LCAL_CONFIG, "no run of lcal");
    refused(lcal_model_open(local("none"), NULL, &same, &err), &err, LCAL_IO, "none");
    assert_null(same);
    lcal_model_close(&model);
}

/* --- in memory -------------------------------------------------------------------------- */

typedef struct row_check {
    lcal_model *model;
    size_t rows;
} row_check;

/* The labels after the first two of write_rows' ids; the same example in memory. */
static lcal_status compare_row(void *user, const lcal_score_row *row, lcal_error *err)
{
    row_check *to = user;
    const size_t count = row->logits_count;
    int32_t ids[16], labels[16];
    unsigned seed = 7;
    float nll[16], *logits = calloc(count * row->vocab, sizeof(float));
    assert_non_null(logits);
    assert_int_equal(row->vocab, lcal_model_vocab(to->model));
    for (size_t i = 0; i <= row->index; i++)
        for (size_t t = 0; t < 4 + i % 7; t++) {
            seed = seed * 1103515245u + 12345u;
            ids[t] = (int32_t)(seed >> 16) % 500;
            labels[t] = t < 2 ? -100 : ids[t];
        }
    assert_int_equal(count, 4 + row->index % 7);
    check(lcal_score_ids(to->model, ids, labels, count, nll, logits, err), err);
    assert_true(isnan(nll[0]) && isnan(nll[1]));
    for (size_t t = 2; t < count; t++)
        assert_true(fabsf(nll[t] - row->nll[t - 2]) < 1e-5f);
    for (size_t i = 0; i < count * row->vocab; i++)
        assert_true(fabsf(logits[i] - row->logits[i]) < 1e-5f);
    check(lcal_score_ids(to->model, ids, NULL, count, nll, NULL, err), err);
    assert_true(isnan(nll[0]) && isfinite(nll[1]));
    free(logits);
    to->rows++;
    return LCAL_OK;
}

static void test_ids(void **state)
{
    (void)state;
    lcal_error err = {0};
    row_check to = {.model = open_tiny()};
    const lcal_score_options options = {.file = local("rows.jsonl"), .logits = LCAL_LOGITS_ALL};
    check(lcal_score(to.model, &options, compare_row, &to, &err), &err);
    assert_int_equal(to.rows, 12);
    const int32_t low[] = {1, -1}, high[] = {1, 512}, fine[] = {1, 2}, label[] = {1, -7};
    float nll[2] = {42.0f, 42.0f};
    refused(lcal_score_ids(to.model, low, NULL, 2, nll, NULL, &err), &err, LCAL_INVALID, "ids[1]");
    refused(lcal_score_ids(to.model, high, NULL, 2, nll, NULL, &err), &err, LCAL_INVALID, "512");
    refused(lcal_score_ids(to.model, fine, label, 2, nll, NULL, &err), &err, LCAL_INVALID,
            "labels[1]");
    assert_true(nll[0] == 42.0f && nll[1] == 42.0f);
    check(lcal_score_ids(to.model, fine, NULL, 1, nll, NULL, &err), &err);
    assert_true(isnan(nll[0]) && nll[1] == 42.0f);
    lcal_model_close(&to.model);
}

/* --- the tokenizer ---------------------------------------------------------------------- */

static void test_tokenizer(void **state)
{
    (void)state;
    lcal_error err = {0};
    lcal_model *stories = NULL, *tiny = open_tiny();
    const lcal_tokenizer *tokenizer = NULL, *again = NULL;
    const char *own = shipped("../../../data/stories260K");
    check(lcal_model_open(own, NULL, &stories, &err), &err);
    check(lcal_model_tokenizer(stories, &tokenizer, &err), &err);
    check(lcal_model_tokenizer(stories, &again, &err), &err);
    assert_ptr_equal(tokenizer, again);
    assert_int_equal(lcal_tokenizer_size(tokenizer), 512);
    /* A model without one says so, and is given one. */
    assert_int_not_equal(lcal_model_tokenizer(tiny, &tokenizer, &err), LCAL_OK);
    assert_non_null(strstr(err.message, "tiny-llama3"));
    refused(lcal_model_set_tokenizer(tiny, local("none"), &err), &err, LCAL_IO, "none");
    check(lcal_model_set_tokenizer(tiny, own, &err), &err);
    check(lcal_model_tokenizer(tiny, &tokenizer, &err), &err);
    assert_int_equal(lcal_tokenizer_size(tokenizer), 512);
    lcal_model_close(&stories);
    lcal_model_close(&tiny);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_changes), TEST(test_runs),      TEST(test_config_and_refusals),
        TEST(test_ids),     TEST(test_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
