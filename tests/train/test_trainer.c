/* Training step by step: the same bytes as a whole run, and what is written only when asked. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/file.h"
#include "model/scratch.h"
#include "train/fixture.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

/* A trainer and the configuration that must outlive it. */
typedef struct trainer {
    lcal_config *config;
    lcal_trainer *handle;
} trainer;

static trainer trainer_new(const job *j, lcal_purpose purpose, lcal_existing existing)
{
    trainer t = {.config = job_config(j, purpose)};
    lcal_error err = {0};
    check(lcal_trainer_open(t.config, existing, NULL, &t.handle, &err), &err);
    return t;
}

static void trainer_close(trainer *t)
{
    lcal_trainer_close(&t->handle);
    lcal_config_close(&t->config);
}

static lcal_progress take(trainer *t, uint64_t steps)
{
    lcal_progress row = {0};
    lcal_error err = {0};
    for (uint64_t i = 0; i < steps; i++)
        check(lcal_trainer_step(t->handle, &row, &err), &err);
    return row;
}

/* The job without a run directory. */
static job detached(const job *from)
{
    job j = {0};
    for (size_t i = 0; i < from->count; i++)
        if (strncmp(from->keys[i], "out=", 4) != 0)
            job_set(&j, "%s", from->keys[i]);
    return j;
}

static void test_steps_are_a_run(void **state)
{
    (void)state;
    job whole = job_full("whole"), j = job_full("steps");
    lcal_error err = {0};
    lcal_train_result expected = job_run(&whole, LCAL_EXISTING_REFUSE, NULL);
    trainer t = trainer_new(&j, LCAL_FOR_RUN, LCAL_EXISTING_REFUSE);
    assert_int_equal(lcal_trainer_steps(t.handle), 7);
    for (uint64_t step = 1; step <= 7; step++) {
        double loss;
        lcal_progress row = take(&t, 1);
        assert_int_equal(row.step, step);
        assert_int_equal(lcal_trainer_steps_taken(t.handle), step);
        /* Looking changes nothing, and sees what validation sees. */
        check(lcal_trainer_evaluate(t.handle, &loss, &err), &err);
        if (step % 3 == 0 || step == 7)
            assert_true(loss == row.valid_loss);
        else
            assert_true(isnan(row.valid_loss) && isfinite(loss));
        if (step == 7)
            assert_true(row.loss == expected.last_loss);
    }
    check(lcal_trainer_finish(t.handle, &err), &err);
    assert_int_equal(lcal_trainer_step(t.handle, NULL, &err), LCAL_INVALID);
    trainer_close(&t);
    assert_same_run("whole", "steps");
    assert_same_file("whole", "steps", "log.txt");
}

/* Whatever is let go and opened again at any step, checkpointed or finished early. */
static void test_going_on_is_a_run(void **state)
{
    (void)state;
    job whole = job_full("whole");
    lcal_error err = {0};
    job_run(&whole, LCAL_EXISTING_REFUSE, NULL);
    for (uint64_t stop = 1; stop < 7; stop++) {
        job j = job_full("parts");
        trainer t = trainer_new(&j, LCAL_FOR_RUN, LCAL_EXISTING_OVERWRITE);
        take(&t, stop);
        if (stop % 2)
            check(lcal_trainer_checkpoint(t.handle, &err), &err);
        else
            check(lcal_trainer_finish(t.handle, &err), &err);
        trainer_close(&t);
        assert_int_equal(lcal__path_is_file(scratch_path("parts/calibration.h5")), stop % 2 == 0);
        t = trainer_new(&j, LCAL_FOR_RUN, LCAL_EXISTING_RESUME);
        assert_int_equal(lcal_trainer_steps_taken(t.handle), stop);
        take(&t, 7 - stop);
        check(lcal_trainer_finish(t.handle, &err), &err);
        trainer_close(&t);
        assert_same_run("whole", "parts");
    }
}

/* The checkpoint of a run that is finished early is that of one that was only interrupted. */
static void test_finish_keeps_the_checkpoint(void **state)
{
    (void)state;
    job a = job_full("saved"), b = job_full("finished");
    lcal_error err = {0};
    trainer t = trainer_new(&a, LCAL_FOR_RUN, LCAL_EXISTING_REFUSE);
    take(&t, 5);
    check(lcal_trainer_checkpoint(t.handle, &err), &err);
    trainer_close(&t);
    t = trainer_new(&b, LCAL_FOR_RUN, LCAL_EXISTING_REFUSE);
    take(&t, 5);
    check(lcal_trainer_finish(t.handle, &err), &err);
    trainer_close(&t);
    assert_same_file("saved", "finished", "checkpoint.h5");
}

/* A result before the end is of the best validated values, the last ones among them. */
static void test_finish_early(void **state)
{
    (void)state;
    job j = job_full("early");
    lcal_error err = {0};
    lcal__calib_file file;
    double loss;
    trainer t = trainer_new(&j, LCAL_FOR_RUN, LCAL_EXISTING_REFUSE);
    lcal_progress row = take(&t, 3);
    take(&t, 2);
    check(lcal_trainer_finish(t.handle, &err), &err);
    check(lcal_trainer_evaluate(t.handle, &loss, &err), &err);
    trainer_close(&t);
    check(lcal__calib_load(scratch_path("early/calibration.h5"), &file, &err), &err);
    assert_true(file.facts.valid_loss == fmin(loss, row.valid_loss));
    assert_int_equal(file.facts.step, loss < row.valid_loss ? 5 : 3);
    lcal__calib_file_free(&file);
}

/* Without a run directory nothing is written but what is asked for, and that is the run's. */
static void test_without_directory(void **state)
{
    (void)state;
    job whole = job_full("whole"), j = detached(&whole);
    lcal_error err = {0};
    job_run(&whole, LCAL_EXISTING_REFUSE, NULL);
    trainer t = trainer_new(&j, LCAL_FOR_TRAINER, LCAL_EXISTING_REFUSE);
    const char *best = scratch_path("saved/calibration.h5");
    assert_refused("best", lcal_trainer_save(t.handle, LCAL_VALUES_BEST, best, &err), &err,
                   LCAL_INVALID, "data.valid");
    take(&t, 7);
    assert_false(lcal__path_is_dir(scratch_path("saved")));
    check(lcal__dir_make(scratch_path("saved"), &err), &err);
    check(lcal_trainer_save(t.handle, LCAL_VALUES_BEST, best, &err), &err);
    check(lcal_trainer_save(t.handle, LCAL_VALUES_BEST,
                            scratch_path("saved/calibration.safetensors"), &err),
          &err);
    assert_same_file("whole", "saved", "calibration.h5");
    assert_same_file("whole", "saved", "calibration.safetensors");
    assert_refused("ending",
                   lcal_trainer_save(t.handle, LCAL_VALUES_NOW, scratch_path("saved/x"), &err),
                   &err, LCAL_INVALID, ".safetensors");
    assert_refused("checkpoint", lcal_trainer_checkpoint(t.handle, &err), &err, LCAL_INVALID,
                   "run directory");
    assert_refused("finish", lcal_trainer_finish(t.handle, &err), &err, LCAL_INVALID,
                   "run directory");
    trainer_close(&t);
    lcal_config *config = job_config(&j, LCAL_FOR_TRAINER);
    lcal_train_result result;
    assert_refused("resume", lcal_trainer_open(config, LCAL_EXISTING_RESUME, NULL, &t.handle, &err),
                   &err, LCAL_CONFIG, "key out");
    assert_refused("train", lcal_train(config, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_CONFIG, "key out");
    lcal_config_close(&config);
}

/* What is saved in the middle says of which step it is; other methods leave directories. */
static void test_save_now(void **state)
{
    (void)state;
    static const struct {
        const char *method, *extra, *path, *file;
    } cases[] = {
        {"method=lc", "calibration.dtype=f32", "now.h5", "now.h5"},
        {"method=columns", "calibration.dtype=f32", "now.safetensors", "now.safetensors"},
        {"method=lora", "lora.rank=2", "lora", "lora/adapter_model.safetensors"},
        {"method=base", "adapters=[]", "base", "base/model.safetensors"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        job from = job_full("none"), j = detached(&from);
        lcal_error err = {0};
        lcal__calib_file file;
        double loss;
        job_set(&j, "%s", cases[i].method);
        job_set(&j, "%s", cases[i].extra);
        trainer t = trainer_new(&j, LCAL_FOR_TRAINER, LCAL_EXISTING_REFUSE);
        take(&t, 4);
        check(lcal_trainer_save(t.handle, LCAL_VALUES_NOW, scratch_path("%s", cases[i].path), &err),
              &err);
        assert_true(lcal__path_is_file(scratch_path("%s", cases[i].file)));
        if (i < 2) {
            check(lcal__calib_load(scratch_path("%s", cases[i].path), &file, &err), &err);
            assert_int_equal(file.facts.step, 4);
            assert_true(isnan(file.facts.valid_loss)); /* validated at step 3 */
            lcal__calib_file_free(&file);
            check(lcal_trainer_evaluate(t.handle, &loss, &err), &err);
            check(lcal_trainer_save(t.handle, LCAL_VALUES_NOW, scratch_path("%s", cases[i].path),
                                    &err),
                  &err);
            check(lcal__calib_load(scratch_path("%s", cases[i].path), &file, &err), &err);
            assert_true(file.facts.valid_loss == loss);
            lcal__calib_file_free(&file);
        }
        trainer_close(&t);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    job with = job_new("none"), j = detached(&with);
    lcal_error err = {0};
    double loss;
    trainer t = trainer_new(&j, LCAL_FOR_TRAINER, LCAL_EXISTING_REFUSE);
    assert_refused("no valid", lcal_trainer_evaluate(t.handle, &loss, &err), &err, LCAL_INVALID,
                   "data.valid");
    assert_int_equal(lcal_trainer_save(t.handle, LCAL_VALUES_NOW, NULL, &err), LCAL_INVALID);
    assert_int_equal(lcal_trainer_step(NULL, NULL, &err), LCAL_INVALID);
    assert_int_equal(lcal_trainer_finish(NULL, NULL), LCAL_INVALID);
    assert_int_equal(lcal_trainer_open(NULL, LCAL_EXISTING_REFUSE, NULL, &t.handle, &err),
                     LCAL_INVALID);
    assert_int_equal(lcal_trainer_open(t.config, LCAL_EXISTING_REFUSE, NULL, NULL, &err),
                     LCAL_INVALID);
    trainer_close(&t);
    trainer_close(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, train_open, train_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_steps_are_a_run),   TEST(test_going_on_is_a_run),
        TEST(test_finish_early),      TEST(test_finish_keeps_the_checkpoint),
        TEST(test_without_directory), TEST(test_save_now),
        TEST(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
