#include "train/fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "format/json.h"
#include "model/scratch.h"

#define VOCAB 512

static void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

static void write_examples(const char *name, size_t count, uint64_t seed)
{
    lcal__rng rng = {seed, 0, 0};
    lcal__strbuf text = {0};
    for (size_t i = 0; i < count; i++) {
        const size_t length = 6 + (size_t)lcal__rng_below(&rng, 15);
        /* Something to learn: a token depends on the one before. */
        uint64_t id = lcal__rng_below(&rng, VOCAB);
        lcal__strbuf labels = {0};
        lcal__strbuf_add(&text, "{\"input_ids\":[");
        for (size_t t = 0; t < length; t++) {
            id = (id * 5 + 17) % 64;
            lcal__strbuf_printf(&text, "%s%llu", t ? "," : "", (unsigned long long)id);
            lcal__strbuf_printf(&labels, t ? ",%lld" : "%lld",
                                t < length / 2 ? -100LL : (long long)id);
        }
        lcal__strbuf_printf(&text, "],\"labels\":[%s]}\n", labels.text);
        lcal__strbuf_free(&labels);
    }
    scratch_text(name, text.text);
    lcal__strbuf_free(&text);
}

int train_open(void **state)
{
    if (scratch_open(state) != 0)
        return -1;
    write_examples("train.jsonl", 40, 1);
    write_examples("valid.jsonl", 9, 2);
    return 0;
}

int train_close(void **state)
{
    return scratch_close(state);
}

void job_set(job *j, const char *format, ...)
{
    va_list args;
    assert_true(j->count < JOB_KEYS);
    va_start(args, format);
    vsnprintf(j->keys[j->count++], sizeof(j->keys[0]), format, args);
    va_end(args);
}

job job_new(const char *name)
{
    job j = {0};
    job_set(&j, "model=%s", shipped_path("tiny-llama3"));
    job_set(&j, "adapters=[{path: \"%s\"}, {path: \"%s\", weight: 0.7}]",
            shipped_path("tiny-llama3/lora_a"), shipped_path("tiny-llama3/lora_b"));
    job_set(&j, "data.train=%s", scratch_path("train.jsonl"));
    job_set(&j, "data.max_length=24");
    job_set(&j, "train.steps=6");
    job_set(&j, "train.batch_tokens=64");
    job_set(&j, "train.lr=0.02");
    job_set(&j, "train.warmup=0.2");
    job_set(&j, "train.log_every=1");
    job_set(&j, "train.save_every=2");
    job_set(&j, "train.threads=1");
    job_set(&j, "out=%s", scratch_path("%s", name));
    return j;
}

job job_full(const char *name)
{
    job j = job_new(name);
    job_set(&j, "data.valid=%s", scratch_path("valid.jsonl"));
    job_set(&j, "train.eval_every=3");
    job_set(&j, "train.accumulate=2");
    job_set(&j, "train.steps=7");
    return j;
}

lcal_config *job_config(const job *j, lcal_purpose purpose)
{
    const char *pointers[JOB_KEYS];
    lcal_config *config = NULL;
    lcal_error err = {0};
    for (size_t i = 0; i < j->count; i++)
        pointers[i] = j->keys[i];
    check(lcal_config_open_for(purpose, NULL, pointers, j->count, &config, &err), &err);
    return config;
}

lcal_status job_try(const job *j, lcal_existing existing, const lcal_train_hooks *hooks,
                    lcal_train_result *result, lcal_error *err)
{
    lcal_config *config = job_config(j, LCAL_FOR_RUN);
    lcal_status status = lcal_train(config, existing, hooks, result, err);
    lcal_config_close(&config);
    return status;
}

lcal_train_result job_run(const job *j, lcal_existing existing, const lcal_train_hooks *hooks)
{
    lcal_train_result result;
    lcal_error err = {0};
    check(job_try(j, existing, hooks, &result, &err), &err);
    return result;
}

lcal_train_result run_resume(const char *name, const char *const *overrides, size_t count)
{
    lcal_config *config = NULL;
    lcal_train_result result;
    lcal_error err = {0};
    check(lcal_train_resume_config(scratch_path("%s", name), overrides, count, &config, &err),
          &err);
    check(lcal_train(config, LCAL_EXISTING_RESUME, NULL, &result, &err), &err);
    lcal_config_close(&config);
    return result;
}

static void count_step(void *user, const lcal_progress *progress)
{
    stopper *s = user;
    s->steps = progress->step;
}

static bool stop_now(void *user)
{
    const stopper *s = user;
    return s->steps >= s->stop_after;
}

lcal_train_hooks stopper_hooks(stopper *s)
{
    return (lcal_train_hooks){.progress = count_step, .should_stop = stop_now, .user = s};
}

char *read_whole(const char *path, size_t *size)
{
    unsigned char *bytes = NULL;
    lcal_error err = {0};
    check(lcal__file_read(path, SIZE_MAX - 1, &bytes, size, &err), &err);
    return (char *)bytes;
}

void assert_same_file(const char *run_a, const char *run_b, const char *name)
{
    size_t size_a, size_b;
    char *a = read_whole(scratch_path("%s/%s", run_a, name), &size_a);
    char *b = read_whole(scratch_path("%s/%s", run_b, name), &size_b);
    if (size_a != size_b || memcmp(a, b, size_a) != 0)
        fail_msg("%s differs between %s (%zu bytes) and %s (%zu bytes)", name, run_a, size_a, run_b,
                 size_b);
    lcal__free(a);
    lcal__free(b);
}

/* The next row of metrics without what depends on time; NULL at the end. */
static char *next_row(char **text)
{
    json_t *row = NULL;
    lcal_error err = {0};
    char *end = strchr(*text, '\n'), *out = NULL;
    if (!end)
        return NULL;
    check(lcal__json_parse(*text, (size_t)(end - *text), "row", &row, &err), &err);
    *text = end + 1;
    assert_int_equal(json_object_del(row, "tokens_per_s"), 0);
    assert_int_equal(json_object_del(row, "peak_rss"), 0);
    check(lcal__json_write(row, &out, &err), &err);
    json_decref(row);
    return out;
}

void assert_same_metrics(const char *run_a, const char *run_b)
{
    size_t size;
    char *a = read_whole(scratch_path("%s/metrics.jsonl", run_a), &size), *at_a = a;
    char *b = read_whole(scratch_path("%s/metrics.jsonl", run_b), &size), *at_b = b;
    char *row_a, *row_b;
    do {
        row_a = next_row(&at_a);
        row_b = next_row(&at_b);
        assert_int_equal(row_a == NULL, row_b == NULL);
        if (row_a)
            assert_string_equal(row_a, row_b);
        lcal__free(row_a);
        lcal__free(row_b);
    } while (at_a[0] || at_b[0]);
    lcal__free(a);
    lcal__free(b);
}

void assert_same_run(const char *run_a, const char *run_b)
{
    assert_same_file(run_a, run_b, "checkpoint.h5");
    assert_same_file(run_a, run_b, "calibration.h5");
    assert_same_file(run_a, run_b, "calibration.safetensors");
    assert_same_metrics(run_a, run_b);
}

size_t run_metric(const char *run, const char *key, double *out, size_t capacity)
{
    size_t size, count = 0;
    char *text = read_whole(scratch_path("%s/metrics.jsonl", run), &size);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        json_t *row = NULL;
        lcal_error err = {0};
        check(lcal__json_parse(line, (size_t)(end - line), "row", &row, &err), &err);
        const json_t *value = json_object_get(row, key);
        assert_true(count < capacity);
        out[count++] = json_is_number(value) ? json_number_value(value) : NAN;
        json_decref(row);
    }
    lcal__free(text);
    return count;
}
