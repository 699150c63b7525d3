/* checkpoint.h5: everything comes back, and nothing that contradicts itself is believed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "config/config.h"
#include "model/scratch.h"
#include "train/checkpoint.h"
#include "train/fixture.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

/* A session with its configuration. */
typedef struct bench {
    lcal_config *config;
    lcal__session session;
} bench;

static void bench_open(bench *b, const char *const *keys, size_t count)
{
    job j = job_new("run");
    const char *pointers[JOB_KEYS];
    lcal_error err = {0};
    job_set(&j, "data.valid=%s", scratch_path("valid.jsonl"));
    for (size_t i = 0; i < count; i++)
        job_set(&j, "%s", keys[i]);
    for (size_t i = 0; i < j.count; i++)
        pointers[i] = j.keys[i];
    check(lcal_config_open(NULL, pointers, j.count, &b->config, &err), &err);
    check(lcal__session_open(lcal__config_settings(b->config), LCAL__SESSION_READY, NULL,
                             &b->session, &err),
          &err);
}

static void bench_close(bench *b)
{
    lcal__session_close(&b->session);
    lcal_config_close(&b->config);
}

static void fill_random(lcal__session *s)
{
    lcal__rng rng = {3, 0, 0};
    for (size_t i = 0; i < s->assembly.params.total; i++) {
        s->assembly.params.values[i] = (float)lcal__rng_normal(&rng);
        s->adamw.m[i] = (float)lcal__rng_normal(&rng);
        s->adamw.v[i] = (float)lcal__rng_uniform(&rng);
        if (s->best)
            s->best[i] = (float)lcal__rng_normal(&rng);
    }
}

static lcal__train_state some_state(void)
{
    lcal__train_state state = lcal__train_state_init();
    state.step = 30;
    state.tokens = 12345;
    state.updates = 28;
    state.skipped_in_row = 1;
    state.best_step = 20;
    state.best_tokens = 9999;
    state.best_loss = 1.0 / 3.0;
    state.first_loss = 5.5;
    return state; /* no last_loss: that step was skipped; no valid_loss */
}

static void save(const bench *b, const lcal__train_state *state)
{
    lcal_error err = {0};
    check(lcal__checkpoint_save(scratch_path("c.h5"), &b->session, state, "method: lc\n", &err),
          &err);
}

static void check_round_trip(const char *const *keys, size_t count)
{
    bench from, to;
    lcal__checkpoint checkpoint;
    lcal_error err = {0};
    bench_open(&from, keys, count);
    bench_open(&to, keys, count);
    fill_random(&from.session);
    from.session.batcher.cursor = 77;
    const lcal__train_state state = some_state();
    save(&from, &state);
    check(lcal__checkpoint_open(scratch_path("c.h5"), &checkpoint, &err), &err);
    assert_string_equal(checkpoint.config, "method: lc\n");
    const lcal__train_state *read = &checkpoint.state;
    assert_true(read->step == 30 && read->tokens == 12345 && read->updates == 28
                && read->skipped_in_row == 1 && read->best_step == 20 && read->best_tokens == 9999
                && read->best_loss == state.best_loss && read->first_loss == 5.5
                && isnan(read->last_loss) && isnan(read->valid_loss) && read->cursor == 77);
    check(lcal__checkpoint_restore(&checkpoint, "c.h5", &to.session, &err), &err);
    const size_t bytes = from.session.assembly.params.total * sizeof(float);
    assert_int_equal(to.session.batcher.cursor, 77);
    assert_memory_equal(to.session.assembly.params.values, from.session.assembly.params.values,
                        bytes);
    assert_memory_equal(to.session.adamw.m, from.session.adamw.m, bytes);
    assert_memory_equal(to.session.adamw.v, from.session.adamw.v, bytes);
    if (from.session.best)
        assert_memory_equal(to.session.best, from.session.best, bytes);
    lcal__checkpoint_close(&checkpoint);
    bench_close(&from);
    bench_close(&to);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"method=lc", "calibration.form=broadcast"},
        {"method=lcpp", "calibration.share=none"},
        {"method=lcpp", "train.keep_best=false"},
        {"method=columns", "data.valid=null"},
        {"method=lora", "lora.rank=3"},
        {"method=base", "adapters=[]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_round_trip(cases[i], 2);
}

/* --- what is refused -------------------------------------------------------------------- */

static void test_contradicting_counters(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, NULL, 0);
    for (size_t i = 0; i < 4; i++) {
        lcal__train_state s = some_state();
        lcal__checkpoint checkpoint;
        lcal_error err = {0};
        *(uint64_t *[]){&s.updates, &s.best_step, &s.skipped_in_row, &s.best_tokens}[i] =
            i < 3 ? 31 : (uint64_t)INT64_MAX + 1;
        save(&b, &s);
        assert_refused("counters", lcal__checkpoint_open(scratch_path("c.h5"), &checkpoint, &err),
                       &err, LCAL_FORMAT,
                       i < 3 ? "the counters contradict one another"
                             : "attribute best_tokens: expected a count");
    }
    bench_close(&b);
}

static void refuse_restore(const char *what, bench *into, lcal_status expected, const char *says)
{
    lcal__checkpoint checkpoint;
    lcal_error err = {0};
    check(lcal__checkpoint_open(scratch_path("c.h5"), &checkpoint, &err), &err);
    assert_refused(what, lcal__checkpoint_restore(&checkpoint, "c.h5", &into->session, &err), &err,
                   expected, says);
    lcal__checkpoint_close(&checkpoint);
}

static void test_damaged_numbers(void **state)
{
    (void)state;
    bench from, to;
    const lcal__train_state s = some_state();
    bench_open(&from, NULL, 0);
    bench_open(&to, NULL, 0);
    float *const places[] = {from.session.adamw.m, from.session.adamw.v, from.session.best};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        fill_random(&from.session);
        places[i][5] = NAN;
        save(&from, &s);
        refuse_restore("nan", &to, LCAL_FORMAT, "tensor q_proj.P1: element 5 is ");
    }
    fill_random(&from.session);
    from.session.adamw.v[7] = -1e-9f;
    save(&from, &s);
    refuse_restore("negative square", &to, LCAL_FORMAT, "element 7 is -1e-09, expected a square");
    bench_close(&from);
    bench_close(&to);
}

/* Values that are not finite never replace a good checkpoint. */
static void test_only_finite_values_are_saved(void **state)
{
    (void)state;
    bench b;
    lcal_error err = {0};
    size_t before_size, after_size;
    const lcal__train_state s = some_state();
    bench_open(&b, NULL, 0);
    save(&b, &s);
    char *before = read_whole(scratch_path("c.h5"), &before_size);
    b.session.assembly.params.values[9] = INFINITY;
    assert_refused("inf", lcal__checkpoint_save(scratch_path("c.h5"), &b.session, &s, "", &err),
                   &err, LCAL_NUMERIC, "step 30: q_proj.P1 is no longer finite");
    char *after = read_whole(scratch_path("c.h5"), &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    lcal__free(before);
    lcal__free(after);
    bench_close(&b);
}

static void test_of_something_else(void **state)
{
    (void)state;
    static const struct {
        const char *keys[2];
        lcal_status status;
        const char *says;
    } cases[] = {
        {{"method=lc", "train.seed=1"}, LCAL_FORMAT, "/calib/q_proj/p: missing"},
        {{"calibration.rank=5", "train.seed=1"}, LCAL_SHAPE, "/calib/q_proj/P1"},
        {{"adapters=[]", "train.seed=1"}, LCAL_INVALID, "made with 2 adapters, but 0 are given"},
        {{"data.max_length=15", "train.seed=1"}, LCAL_INVALID, "no longer holds the examples"},
    };
    bench from;
    const lcal__train_state s = some_state();
    bench_open(&from, NULL, 0);
    save(&from, &s);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bench to;
        bench_open(&to, cases[i].keys, 2);
        refuse_restore(cases[i].keys[0], &to, cases[i].status, cases[i].says);
        bench_close(&to);
    }
    bench_close(&from);

    /* A result is no checkpoint. */
    job j = job_new("run");
    lcal__checkpoint checkpoint;
    lcal_error err = {0};
    job_run(&j, LCAL_EXISTING_REFUSE, NULL);
    assert_refused("result",
                   lcal__checkpoint_open(scratch_path("run/calibration.h5"), &checkpoint, &err),
                   &err, LCAL_FORMAT, "attribute kind: expected train, found \"deploy\"");
}

static void test_damaged_bytes(void **state)
{
    (void)state;
    bench b;
    const lcal__train_state s = some_state();
    const char *one[] = {"calibration.targets=[q_proj]", "data.valid=null"};
    bench_open(&b, one, 2);
    fill_random(&b.session);
    save(&b, &s);
    size_t size, refused = 0;
    char *bytes = read_whole(scratch_path("c.h5"), &size);
    lcal__rng rng = {8, 0, 0};
    for (size_t i = 0; i < 300; i++) {
        lcal_error err = {0};
        lcal__checkpoint checkpoint;
        size_t at = (size_t)lcal__rng_below(&rng, size);
        char old = bytes[at];
        bytes[at] = (char)(bytes[at] ^ (1 + (int)lcal__rng_below(&rng, 255)));
        size_t length = i % 3 ? size : at;
        check(lcal__file_replace(scratch_path("d.h5"), bytes, length, &err), &err);
        lcal_status status = lcal__checkpoint_open(scratch_path("d.h5"), &checkpoint, &err);
        if (status == LCAL_OK)
            status = lcal__checkpoint_restore(&checkpoint, "d.h5", &b.session, &err);
        refused += status != LCAL_OK;
        lcal__checkpoint_close(&checkpoint);
        bytes[at] = old;
    }
    assert_true(refused > 150);
    lcal__free(bytes);
    bench_close(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, train_open, train_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trips),       TEST(test_contradicting_counters),
        TEST(test_damaged_numbers),   TEST(test_only_finite_values_are_saved),
        TEST(test_of_something_else), TEST(test_damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
