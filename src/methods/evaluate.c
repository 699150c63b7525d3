/* The whole evaluation of one row: include/lcal/evaluate.h. */
#include "lcal/evaluate.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "methods/answer.h"
#include "methods/prompts.h"
#include "methods/report.h"
#include "methods/rows.h"

/* --- what the row needs ----------------------------------------------------------------- */

static lcal_status check_adapters(const lcal__job *job, lcal_error *err)
{
    const lcal__row *row = job->row;
    const size_t count = job->settings->adapter_count;
    if (count < row->adapters_min || count > row->adapters_max)
        return lcal__fail(
            err, LCAL_CONFIG, "key adapters: %s needs %s %zu, the main task's first, found %zu",
            row->shown.name, row->adapters_min == row->adapters_max ? "exactly" : "at least",
            row->adapters_min, count);
    return LCAL_OK;
}

static lcal_status check_keys(const lcal__job *job, lcal_error *err)
{
    const lcal__row *row = job->row;
    const lcal__settings *settings = job->settings;
    LCAL_TRY(check_adapters(job, err));
    if (row->needs & LCAL__NEEDS_TRAIN && !settings->data.train[0])
        return lcal__fail(err, LCAL_CONFIG,
                          "key data.train: %s needs training examples, but it is not given",
                          row->shown.name);
    if (row->needs & LCAL__NEEDS_OUT && !job->folder)
        return lcal__fail(err, LCAL_CONFIG,
                          "key out: %s writes what it finds there, but it is not given",
                          row->shown.name);
    if (row->needs & LCAL__NEEDS_OTHERS && !job->options->with_count)
        return lcal__fail(err, LCAL_CONFIG,
                          "%s: the configurations of the other sub-tasks must be given (--with)",
                          row->shown.name);
    if (!(row->needs & LCAL__NEEDS_OTHERS) && (job->options->with_count || job->options->shared))
        return lcal__fail(err, LCAL_CONFIG,
                          "%s: it shares nothing with other sub-tasks: leave --with and --shared "
                          "out",
                          row->shown.name);
    if (!settings->eval.test[0])
        return lcal__fail(err, LCAL_CONFIG, "key eval.test: expected a path, but it is not given");
    return LCAL_OK;
}

/* --- the job ---------------------------------------------------------------------------- */

static lcal_status name_folder(lcal__job *job, lcal_error *err)
{
    lcal__strbuf name = {0};
    if (!job->settings->out[0])
        return LCAL_OK;
    lcal__strbuf_printf(&name, "%s-%" PRIu64, job->row->shown.name, job->settings->train.seed);
    if (!name.failed)
        job->folder = lcal__path_join(job->settings->out, name.text);
    lcal__strbuf_free(&name);
    return job->folder ? LCAL_OK : lcal__fail_nomem(err, "a path");
}

static lcal_status open_job(lcal__job *job, lcal_error *err)
{
    const lcal__settings *settings = job->settings;
    job->row = lcal__row_find(job->options->method);
    if (!job->row)
        return lcal__fail(err, LCAL_CONFIG,
                          "method \"%.64s\": there is no such row; `lcal methods` lists them",
                          job->options->method);
    LCAL_TRY(name_folder(job, err));
    LCAL_TRY(check_keys(job, err));
    LCAL_TRY(lcal__cases_read(settings->eval.test, (size_t)settings->eval.limit, &job->test, err));
    if (job->row->needs & LCAL__NEEDS_TEMPLATES)
        LCAL_TRY(lcal__prompts_check(job, err));
    return LCAL_OK;
}

static void close_job(lcal__job *job)
{
    lcal__cases_free(&job->test);
    lcal__free(job->folder);
}

/* --- preparing and answering ------------------------------------------------------------ */

static lcal_status prepare(const lcal__job *job, lcal__stage *stage, lcal_eval_report *report,
                           lcal_error *err)
{
    const double begun = lcal__seconds();
    lcal_status status = job->row->prepare(job, stage, err);
    stage->seconds = report->prepare_seconds = lcal__seconds() - begun;
    report->interrupted = stage->interrupted;
    report->searches = stage->searches;
    report->trained_parameters = stage->trained_parameters;
    report->stored_bytes = stage->stored_bytes;
    report->plan = stage->plan;
    report->weights = stage->weights;
    report->weight_count = stage->weight_count;
    stage->weights = NULL;
    stage->weight_count = 0;
    return status;
}

static lcal_status score(const lcal__job *job, const lcal__kept *kept, lcal_eval_report *report,
                         lcal_error *err)
{
    const lcal_eval_options *options = job->options;
    lcal__scored scored;
    if (options->judge_out)
        LCAL_TRY(lcal__judge_write(job, kept, options->judge_out, err));
    LCAL_TRY(lcal__scored_open(job, kept, &scored, err));
    lcal_status status = lcal__scored_sum(&scored, report, err);
    if (status == LCAL_OK && options->dump)
        status = lcal__scored_dump(&scored, options->dump, err);
    lcal__scored_close(&scored);
    return status;
}

static lcal_status answer(const lcal__job *job, const lcal__stage *stage, lcal_eval_report *report,
                          lcal_error *err)
{
    lcal__kept kept = {0};
    lcal_status status =
        lcal__answer_cases(job, stage, &kept, &report->reused, &report->interrupted, err);
    report->answered = kept.count;
    report->prepare_seconds = kept.prepare_seconds;
    report->answer_seconds = kept.answer_seconds;
    for (size_t i = 0; i < kept.count; i++)
        report->tokens += kept.items[i].tokens;
    if (status == LCAL_OK && !report->interrupted)
        status = score(job, &kept, report, err);
    lcal__kept_free(&kept);
    return status;
}

static lcal_status run(lcal__job *job, lcal_eval_report *report, lcal_error *err)
{
    lcal__stage stage = {0};
    LCAL_TRY(open_job(job, err));
    report->method = &job->row->shown;
    report->seed = job->settings->train.seed;
    report->planned = job->options->plan_only;
    report->examples = job->test.count;
    report->inferences = job->row->needs & LCAL__NEEDS_TEMPLATES ? 2 : 1;
    lcal_status status = prepare(job, &stage, report, err);
    if (status == LCAL_OK && !report->planned && !report->interrupted)
        status = answer(job, &stage, report, err);
    lcal__stage_free(&stage);
    return status;
}

lcal_status lcal_evaluate(const lcal_config *config, const lcal_eval_options *options,
                          lcal_eval_report *report, lcal_error *err)
{
    if (!config || !options || !options->method || !report)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_evaluate: config, options with a method and report must be given");
    lcal__job job = {
        .config = config, .settings = lcal__config_settings(config), .options = options};
    *report = (lcal_eval_report){0};
    lcal_status status = run(&job, report, err);
    close_job(&job);
    return status;
}

void lcal_eval_report_free(lcal_eval_report *report)
{
    lcal__free(report->weights);
    lcal__free(report->scores);
    *report = (lcal_eval_report){0};
}
