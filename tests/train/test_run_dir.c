/* The rules of a run directory: what is refused, what is resumed, what is never touched. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/scratch.h"
#include "train/fixture.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

static void assert_resume_refused(const char *override, const char *says)
{
    lcal_config *config = NULL;
    lcal_error err = {0};
    assert_refused(override,
                   lcal_train_resume_config(scratch_path("run"), &override, 1, &config, &err), &err,
                   LCAL_CONFIG, says);
    assert_null(config);
}

static void test_rules_of_the_run_directory(void **state)
{
    (void)state;
    lcal_train_result result;
    lcal_error err = {0};
    job j = job_new("run");
    assert_refused("nothing to resume", job_try(&j, LCAL_EXISTING_RESUME, NULL, &result, &err),
                   &err, LCAL_CONFIG, "holds no run to resume");
    job_run(&j, LCAL_EXISTING_REFUSE, NULL);
    job twin = job_new("twin");
    job_run(&twin, LCAL_EXISTING_REFUSE, NULL);

    /* Neither given: refused, and nothing is touched; nor by a start that fails. */
    assert_refused("refuse", job_try(&j, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_CONFIG, "already holds a run; continue it with --resume");
    scratch_text("bad.jsonl", "{\"input_ids\":[1,2,9999]}\n");
    job bad = j;
    job_set(&bad, "data.train=%s", scratch_path("bad.jsonl"));
    assert_refused("bad data", job_try(&bad, LCAL_EXISTING_OVERWRITE, NULL, &result, &err), &err,
                   LCAL_FORMAT, "bad.jsonl");
    assert_same_run("run", "twin");

    /* Finished: says so, touches nothing; a deleted result is made again. */
    result = run_resume("run", NULL, 0);
    assert_true(result.already_finished && result.step == 6 && !result.interrupted);
    assert_true(result.first_loss > result.last_loss);
    check(lcal__file_remove(scratch_path("run/calibration.safetensors"), &err), &err);
    assert_false(run_resume("run", NULL, 0).already_finished);
    assert_same_run("run", "twin");

    assert_resume_refused("train.lr=0.1", "these keys differ: train.lr;");
    assert_resume_refused("train.steps=5", "these keys differ: train.steps;");
    assert_resume_refused("train.seed=2", "these keys differ: train.seed;");
    assert_resume_refused("out=/tmp/elsewhere", "key out: a run is resumed where it is");
    assert_resume_refused("train.batch_tokens=99", "these keys differ: train.batch_tokens;");

    /* What may change, and more steps. */
    const char *const allowed[] = {"train.steps=8", "train.threads=2", "train.log_every=3",
                                   "train.save_every=5", "train.recompute=always"};
    result = run_resume("run", allowed, COUNT_OF(allowed));
    assert_true(result.step == 8 && !result.already_finished);
    double steps[16];
    assert_int_equal(run_metric("run", "step", steps, 16), 7); /* 1..6 and the last */

    /* Anew: the same bytes as the first time, and what is not ours stays. */
    scratch_text("run/notes.md", "mine");
    scratch_text("run/checkpoint.h5.tmp.123.0", "of a killed writer");
    job_run(&j, LCAL_EXISTING_OVERWRITE, NULL);
    assert_same_run("run", "twin");
    assert_true(lcal__path_is_file(scratch_path("run/notes.md")));
    assert_false(lcal__path_is_file(scratch_path("run/checkpoint.h5.tmp.123.0")));

    scratch_text("foreign/thesis.tex", "precious");
    job foreign = job_new("foreign");
    for (int existing = LCAL_EXISTING_REFUSE; existing <= LCAL_EXISTING_OVERWRITE; existing++)
        assert_refused("foreign", job_try(&foreign, (lcal_existing)existing, NULL, &result, &err),
                       &err, LCAL_CONFIG, "neither empty nor a run of lcal");
    scratch_text("file", "");
}

static void test_resume_checks_what_it_resumes(void **state)
{
    (void)state;
    lcal_train_result result;
    lcal_error err = {0};
    size_t size;
    job j = job_full("run");
    stopper s = {.stop_after = 4};
    lcal_train_hooks hooks = stopper_hooks(&s);
    job_run(&j, LCAL_EXISTING_REFUSE, &hooks);
    /* Not through lcal_train_resume_config: the checkpoint knows its own configuration. */
    job changed = j;
    job_set(&changed, "train.lr=0.5");
    assert_refused("lr", job_try(&changed, LCAL_EXISTING_RESUME, NULL, &result, &err), &err,
                   LCAL_CONFIG, "checkpoint.h5: a resumed run must compute the same");
    /* The same file name with other examples in it. */
    char *data = read_whole(scratch_path("train.jsonl"), &size);
    scratch_copy(scratch_path("valid.jsonl"), "train.jsonl");
    assert_refused("data", job_try(&j, LCAL_EXISTING_RESUME, NULL, &result, &err), &err,
                   LCAL_INVALID, "no longer holds the examples this run began with");
    scratch_text("train.jsonl", data);
    lcal__free(data);
    result = job_run(&j, LCAL_EXISTING_RESUME, NULL);
    assert_int_equal(result.step, 7);
}

static void test_start_is_checked(void **state)
{
    (void)state;
    lcal_train_result result;
    lcal_error err = {0};
    job donor = job_new("donor"), j = job_new("run");
    job_set(&donor, "method=lc");
    job_run(&donor, LCAL_EXISTING_REFUSE, NULL);
    job_set(&j, "calibration.init=%s", scratch_path("donor/calibration.h5"));
    assert_refused("method", job_try(&j, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_CONFIG, "calibration.init: ");
    job_set(&j, "method=lc");
    job_set(&j, "calibration.form=broadcast");
    assert_refused("form", job_try(&j, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_CONFIG, "holds the other calibration.form");
    job_set(&j, "calibration.form=output");
    job_set(&j, "calibration.scale=2");
    assert_refused("scale", job_try(&j, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_CONFIG, "expected calibration.scale 2, found 1");
    job_set(&j, "calibration.scale=1");
    job_set(&j, "calibration.share=none");
    assert_refused("share", job_try(&j, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_SHAPE, "tensor layers.0.q_proj.p: expected [1, ");
    job_set(&j, "calibration.share=layers");
    job_set(&j, "adapters=[]");
    assert_refused("adapters", job_try(&j, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_INVALID, "made with 2 adapters, but 0 are given");
    job_set(&j, "method=lora");
    assert_refused("lora", job_try(&j, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_CONFIG, "a LoRA or a base is to be trained");
    assert_false(lcal__path_is_dir(scratch_path("run")));
}

static void test_a_damaged_end_of_metrics_is_dropped(void **state)
{
    (void)state;
    job whole = job_full("whole"), j = job_full("parts");
    job_run(&whole, LCAL_EXISTING_REFUSE, NULL);
    stopper s = {.stop_after = 5};
    lcal_train_hooks hooks = stopper_hooks(&s);
    job_run(&j, LCAL_EXISTING_REFUSE, &hooks);
    /* As if it had gone on to step 6 and been killed while writing the row of step 7. */
    static const char more[] = "{\"step\":6,\"loss\":1}\n{\"step\":7,\"lo";
    lcal_error err = {0};
    check(lcal__file_append(scratch_path("parts/metrics.jsonl"), more, sizeof(more) - 1, &err),
          &err);
    run_resume("parts", NULL, 0);
    assert_same_run("whole", "parts");

    job_run(&j, LCAL_EXISTING_OVERWRITE, &(lcal_train_hooks){0});
    check(lcal__file_replace(scratch_path("parts/metrics.jsonl"), "{}\n{\"step\":1}\n", 14, &err),
          &err);
    lcal_config *config = NULL;
    lcal_train_result result;
    const char *longer[] = {"train.steps=9"};
    check(lcal_train_resume_config(scratch_path("parts"), longer, 1, &config, &err), &err);
    assert_refused("metrics", lcal_train(config, LCAL_EXISTING_RESUME, NULL, &result, &err), &err,
                   LCAL_FORMAT, "metrics.jsonl: line 1: expected an object with a step");
    lcal_config_close(&config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, train_open, train_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rules_of_the_run_directory),
        TEST(test_resume_checks_what_it_resumes),
        TEST(test_start_is_checked),
        TEST(test_a_damaged_end_of_metrics_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
