/* Whole runs: what they leave behind, and that nothing but the configuration decides it. */
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

/* --- every method ----------------------------------------------------------------------- */

static void use_model(job *j, const char *model)
{
    job_set(j, "model=%s", shipped_path("%s", model));
    job_set(j, "adapters=[{path: \"%s\"}, {path: \"%s\", weight: 0.7}]",
            shipped_path("%s/lora_a", model), shipped_path("%s/lora_b", model));
}

static void test_methods(void **state)
{
    (void)state;
    static const struct {
        const char *keys[3];
        bool calibration, from_merge; /* starts as the merged model */
        double lr;
    } methods[] = {
        {{"method=lc"}, true, true, 0.02},
        {{"method=lc", "calibration.form=broadcast"}, true, true, 0.001},
        {{"method=lc", "calibration.share=none", "calibration.targets=[o_proj, down_proj]"},
         true,
         true,
         0.02},
        {{"method=lcpp"}, true, true, 0.02},
        {{"method=lcpp", "calibration.share=none", "calibration.dtype=f32"}, true, true, 0.02},
        {{"method=columns"}, true, true, 0.02},
        {{"method=lora", "lora.rank=4", "lora.alpha=8"}, false, true, 0.02},
        {{"method=base", "adapters=[]"}, false, false, 0.005},
    };
    static const char *const models[] = {"tiny-llama3", "tiny-qwen2", "tiny-stablelm2",
                                         "stories260K"};
    for (size_t model = 0; model < COUNT_OF(models); model++) {
        double start = NAN;
        for (size_t m = 0; m < COUNT_OF(methods); m++) {
            job j = job_new("run");
            use_model(&j, models[model]);
            job_set(&j, "train.batch_size=40"); /* all examples, so that steps compare */
            job_set(&j, "train.lr=%g", methods[m].lr);
            for (size_t k = 0; k < 3 && methods[m].keys[k]; k++)
                job_set(&j, "%s", methods[m].keys[k]);
            lcal_train_result result = job_run(&j, LCAL_EXISTING_OVERWRITE, NULL);
            assert_int_equal(result.step, 6);
            if (!(result.last_loss < result.first_loss))
                fail_msg("%s, %s: the loss went from %g to %g", models[model], methods[m].keys[0],
                         result.first_loss, result.last_loss);
            if (methods[m].from_merge && isnan(start))
                start = result.first_loss;
            if (methods[m].from_merge)
                assert_true(fabs(result.first_loss / start - 1) < 1e-5);
            assert_int_equal(lcal__path_is_file(scratch_path("run/calibration.h5")),
                             methods[m].calibration);
            assert_int_equal(lcal__path_is_file(scratch_path("run/calibration.safetensors")),
                             methods[m].calibration);
            assert_true(lcal__path_is_file(scratch_path("run/checkpoint.h5")));
        }
    }
}

/* What a run leaves can be trained on again, and begins where the run ended. */
static void test_results_hold_what_was_trained(void **state)
{
    (void)state;
    static const struct {
        const char *method, *extra, *instead, *again[2];
    } cases[] = {
        {"method=lcpp", "calibration.dtype=f32", NULL, {"calibration.init=%s", "calibration.h5"}},
        {"method=columns",
         "calibration.dtype=f32",
         NULL,
         {"calibration.init=%s", "calibration.safetensors"}},
        {"method=base", "adapters=[]", NULL, {"model=%s", "model"}},
        /* A trained LoRA is then one more frozen adapter: of the same weight beside nothing. */
        {"method=lora", "adapters=[]", "method=lcpp", {"adapters=[{path: \"%s\"}]", "adapter"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        job first = job_new("first"), longer = job_new("longer"), second = job_new("second");
        job *all[] = {&first, &longer, &second};
        for (size_t k = 0; k < COUNT_OF(all); k++) {
            job_set(all[k], "%s", cases[i].method);
            job_set(all[k], "%s", cases[i].extra);
            job_set(all[k], "train.batch_size=40"); /* every step sees everything */
            job_set(all[k], "train.schedule=constant");
            job_set(all[k], "train.warmup=0");
        }
        job_set(&longer, "train.steps=7");
        job_run(&first, LCAL_EXISTING_OVERWRITE, NULL);
        const double next = job_run(&longer, LCAL_EXISTING_OVERWRITE, NULL).last_loss;
        if (cases[i].instead)
            job_set(&second, "%s", cases[i].instead);
        job_set(&second, cases[i].again[0], scratch_path("first/%s", cases[i].again[1]));
        const double begin = job_run(&second, LCAL_EXISTING_OVERWRITE, NULL).first_loss;
        if (!(fabs(begin / next - 1) < 2e-6))
            fail_msg("%s: would have gone on at %.9g, the result begins at %.9g", cases[i].method,
                     next, begin);
    }
}

/* A model described by nothing but config.json is trained from random weights. */
static void test_base_from_scratch(void **state)
{
    (void)state;
    job j = job_new("run");
    scratch_copy(shipped_path("tiny-qwen2/config.json"), "bare/config.json");
    job_set(&j, "model=%s", scratch_path("bare"));
    job_set(&j, "adapters=[]");
    job_set(&j, "method=base");
    job_set(&j, "train.steps=12");
    lcal_train_result result = job_run(&j, LCAL_EXISTING_REFUSE, NULL);
    assert_true(fabs(result.first_loss - log(512)) < 0.3); /* as good as guessing */
    assert_true(result.last_loss < 0.9 * result.first_loss);
}

/* --- the same bytes --------------------------------------------------------------------- */

static void test_stopping_anywhere_changes_nothing(void **state)
{
    (void)state;
    job whole = job_full("whole");
    lcal_train_result expected = job_run(&whole, LCAL_EXISTING_REFUSE, NULL);
    assert_false(expected.interrupted);
    for (uint64_t stop = 0; stop < 7; stop++) {
        job j = job_full("parts");
        stopper s = {.stop_after = stop};
        lcal_train_hooks hooks = stopper_hooks(&s);
        lcal_train_result part = job_run(&j, LCAL_EXISTING_OVERWRITE, &hooks);
        assert_true(part.interrupted && part.step == stop);
        lcal_train_result result = run_resume("parts", NULL, 0);
        assert_false(result.interrupted || result.already_finished);
        assert_true(result.first_loss == expected.first_loss
                    && result.last_loss == expected.last_loss
                    && result.best_valid_loss == expected.best_valid_loss
                    && result.best_step == expected.best_step);
        assert_same_run("whole", "parts");
    }
}

static void test_threads_and_recompute_change_nothing(void **state)
{
    (void)state;
    static const char *const keys[] = {"train.threads=2", "train.threads=4",
                                       "train.recompute=always", "train.memory_budget=0.001"};
    job whole = job_full("whole");
    job_run(&whole, LCAL_EXISTING_REFUSE, NULL);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        job j = job_full("other");
        job_set(&j, "%s", keys[i]);
        job_run(&j, LCAL_EXISTING_OVERWRITE, NULL);
        assert_same_run("whole", "other");
    }
    /* And for a LoRA and a base, whose results are other files. */
    static const struct {
        const char *keys[2], *files[2];
    } others[] = {
        {{"method=lora", "lora.rank=3"}, {"adapter/adapter_model.safetensors", "checkpoint.h5"}},
        {{"method=base", "adapters=[]"}, {"model/model.safetensors", "checkpoint.h5"}},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        for (size_t threads = 1; threads <= 4; threads += 3) {
            job j = job_full(threads == 1 ? "one" : "four");
            job_set(&j, "%s", others[i].keys[0]);
            job_set(&j, "%s", others[i].keys[1]);
            job_set(&j, "train.threads=%zu", threads);
            job_run(&j, LCAL_EXISTING_OVERWRITE, NULL);
        }
        assert_same_file("one", "four", others[i].files[0]);
        assert_same_file("one", "four", others[i].files[1]);
    }
}

/* --- the same numbers ------------------------------------------------------------------- */

static void compare_runs(const job *a, const job *b, double bar)
{
    double losses[2][16], norms[2][16];
    job_run(a, LCAL_EXISTING_OVERWRITE, NULL);
    job_run(b, LCAL_EXISTING_OVERWRITE, NULL);
    assert_int_equal(run_metric("a", "loss", losses[0], 16), 6);
    assert_int_equal(run_metric("b", "loss", losses[1], 16), 6);
    run_metric("a", "grad_norm", norms[0], 16);
    run_metric("b", "grad_norm", norms[1], 16);
    for (size_t i = 0; i < 6; i++)
        if (!(fabs(losses[0][i] / losses[1][i] - 1) < bar)
            || !(fabs(norms[0][i] / norms[1][i] - 1) < 50 * bar))
            fail_msg("step %zu: losses %.9g and %.9g, norms %.9g and %.9g", i + 1, losses[0][i],
                     losses[1][i], norms[0][i], norms[1][i]);
}

static void test_packing_changes_nothing(void **state)
{
    (void)state;
    job a = job_new("a"), b = job_new("b");
    job_set(&b, "data.pack=false");
    compare_runs(&a, &b, 1e-5);
    job_set(&a, "train.batch_size=5");
    job_set(&b, "train.batch_size=5");
    job_set(&a, "train.accumulate=3");
    job_set(&b, "train.accumulate=3");
    compare_runs(&a, &b, 1e-5);
}

/* The mean is over the labels of the whole step, not over the means of its parts. */
static void test_accumulating_equals_one_batch(void **state)
{
    (void)state;
    job a = job_new("a"), b = job_new("b");
    job_set(&a, "train.batch_size=8");
    job_set(&b, "train.batch_size=4");
    job_set(&b, "train.accumulate=2");
    compare_runs(&a, &b, 1e-5);
    job_set(&b, "train.batch_size=1");
    job_set(&b, "train.accumulate=8");
    compare_runs(&a, &b, 1e-5);
}

/* Validation does not depend on how it is packed. */
static void test_validation_is_a_mean_over_labels(void **state)
{
    (void)state;
    double one[16], other[16];
    for (size_t i = 0; i < 2; i++) {
        job j = job_full(i ? "b" : "a");
        job_set(&j, "train.accumulate=1");
        job_set(&j, i ? "data.pack=false" : "data.pack=true");
        job_run(&j, LCAL_EXISTING_REFUSE, NULL);
    }
    assert_int_equal(run_metric("a", "val_loss", one, 16), 7);
    assert_int_equal(run_metric("b", "val_loss", other, 16), 7);
    for (size_t i = 0; i < 7; i++) {
        const bool evaluated = i == 2 || i == 5 || i == 6;
        assert_int_equal(!isnan(one[i]), evaluated);
        if (evaluated)
            assert_true(fabs(one[i] / other[i] - 1) < 1e-5);
    }
}

/* --- which state is the result ---------------------------------------------------------- */

static void test_the_best_is_kept(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        double losses[32];
        lcal__calib_file file;
        lcal_error err = {0};
        job j = job_full("run");
        /* The data is of tokens below 64: learning it is unlearning this. */
        scratch_text("other.jsonl", "{\"input_ids\":[300,400,500,301,401,501,302,402,502]}\n");
        job_set(&j, "data.valid=%s", scratch_path("other.jsonl"));
        job_set(&j, "train.eval_every=1");
        job_set(&j, "train.steps=20");
        job_set(&j, "train.keep_best=%s", keep ? "true" : "false");
        lcal_train_result result = job_run(&j, LCAL_EXISTING_OVERWRITE, NULL);
        assert_int_equal(run_metric("run", "val_loss", losses, 32), 20);
        size_t best = 0;
        for (size_t i = 1; i < 20; i++)
            if (losses[i] < losses[best])
                best = i;
        assert_int_equal(result.best_step, best + 1);
        assert_true(result.best_step < 20 && result.best_valid_loss == losses[best]);
        check(lcal__calib_load(scratch_path("run/calibration.h5"), &file, &err), &err);
        assert_int_equal(file.facts.step, keep ? best + 1 : 20);
        assert_true(file.facts.valid_loss == losses[keep ? best : 19]);
        lcal__calib_file_free(&file);
    }
}

/* --- numbers that are none -------------------------------------------------------------- */

/* A calibration whose first pass overflows. */
static void write_explosive(const char *name)
{
    job j = job_new("donor");
    job_set(&j, "method=lc");
    job_set(&j, "calibration.dtype=f32");
    job_run(&j, LCAL_EXISTING_REFUSE, NULL);
    lcal__calib_file file;
    lcal_error err = {0};
    check(lcal__calib_load(scratch_path("donor/calibration.h5"), &file, &err), &err);
    for (size_t i = 0; i < file.params.total; i++)
        file.params.values[i] = i % 2 ? 3e38f : -3e38f;
    check(lcal__calib_save_h5(scratch_path("%s", name), &file.facts, &file.params,
                              file.params.values, LCAL__STORE_F32, &err),
          &err);
    lcal__calib_file_free(&file);
}

static void test_not_finite(void **state)
{
    (void)state;
    lcal_train_result result;
    lcal_error err = {0};
    double losses[16];
    write_explosive("explosive.h5");
    job j = job_new("run");
    job_set(&j, "method=lc");
    job_set(&j, "calibration.dtype=f32");
    job_set(&j, "calibration.init=%s", scratch_path("explosive.h5"));
    assert_refused("stop", job_try(&j, LCAL_EXISTING_REFUSE, NULL, &result, &err), &err,
                   LCAL_NUMERIC, "step 1: the loss is ");
    assert_false(lcal__path_is_file(scratch_path("run/checkpoint.h5")));

    job_set(&j, "train.on_nonfinite=skip");
    result = job_run(&j, LCAL_EXISTING_OVERWRITE, NULL);
    assert_int_equal(result.step, 6);
    assert_int_equal(run_metric("run", "loss", losses, 16), 6);
    assert_true(isnan(losses[0]) && isnan(losses[5])); /* null in the file */
    /* Nothing was updated. */
    lcal__calib_file before, after;
    check(lcal__calib_load(scratch_path("explosive.h5"), &before, &err), &err);
    check(lcal__calib_load(scratch_path("run/calibration.h5"), &after, &err), &err);
    assert_memory_equal(before.params.values, after.params.values,
                        before.params.total * sizeof(float));
    lcal__calib_file_free(&before);
    lcal__calib_file_free(&after);

    job_set(&j, "train.steps=200");
    assert_refused("skips", job_try(&j, LCAL_EXISTING_OVERWRITE, NULL, &result, &err), &err,
                   LCAL_NUMERIC, "step 101: the loss is ");
}

/* --- the plan --------------------------------------------------------------------------- */

static void test_dry_run(void **state)
{
    (void)state;
    job j = job_full("run");
    const char *pointers[JOB_KEYS];
    lcal_config *config = NULL;
    lcal_train_plan plan;
    lcal_error err = {0};
    job_set(&j, "train.recompute=always");
    for (size_t i = 0; i < j.count; i++)
        pointers[i] = j.keys[i];
    check(lcal_config_open(NULL, pointers, j.count, &config, &err), &err);
    check(lcal_train_dry_run(config, NULL, &plan, &err), &err);
    lcal_config_close(&config);
    assert_int_equal(plan.train_examples, 40);
    assert_int_equal(plan.valid_examples, 9);
    assert_int_equal(plan.steps, 7);
    assert_int_equal(plan.batch_tokens_max, 64);
    assert_int_equal(plan.state_bytes, plan.trained_parameters * 20);
    assert_true(plan.recomputed_blocks == 3 && plan.blocks == 3);
    assert_true(plan.frozen_parameters > 100000 && plan.workspace_bytes > 0);
    assert_true(plan.peak_bytes
                == plan.mapped_bytes + plan.weight_bytes + plan.state_bytes + plan.workspace_bytes
                       + plan.data_bytes + plan.other_bytes);
    /* Two batches of about 4.5 examples, seven times, of 40. */
    assert_true(plan.epochs_milli > 1200 && plan.epochs_milli < 2400);
    assert_false(lcal__path_is_dir(scratch_path("run")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, train_open, train_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_methods),
        TEST(test_results_hold_what_was_trained),
        TEST(test_base_from_scratch),
        TEST(test_stopping_anywhere_changes_nothing),
        TEST(test_threads_and_recompute_change_nothing),
        TEST(test_packing_changes_nothing),
        TEST(test_accumulating_equals_one_batch),
        TEST(test_validation_is_a_mean_over_labels),
        TEST(test_the_best_is_kept),
        TEST(test_not_finite),
        TEST(test_dry_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
