/* Rows that train on the composed task: the one trainer in a run directory of the row's own. */
#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"
#include "config/run_files.h"
#include "methods/rows.h"

lcal__merge_rule lcal__row_rule(const lcal__job *job)
{
    const lcal__row *row = job->row;
    const bool summed = row->method == LCAL__METHOD_COLUMNS || !row->frozen_adapters;
    return summed ? LCAL__MERGE_CONCAT : job->settings->merge.method;
}

/* What the row trains, on what, in `run`. */
static lcal_status derive(const lcal__job *job, const char *run, lcal_config **out, lcal_error *err)
{
    const lcal__row *row = job->row;
    lcal__changes changes = {0};
    lcal__changes_text(&changes, "out", run);
    lcal__changes_add(&changes, "method=%s", lcal__method_name(row->method));
    if (!row->frozen_adapters)
        lcal__changes_adapters(&changes, job->settings, 0, 0, NULL);
    lcal__changes_merge(&changes, lcal__row_rule(job));
    lcal_status status = lcal__derive(job->config, LCAL_FOR_RUN, &changes, out, err);
    lcal__changes_free(&changes);
    return status;
}

static lcal_status train(const lcal__job *job, const lcal_config *config, const char *run,
                         bool *interrupted, lcal_error *err)
{
    char *path = lcal__path_join(run, LCAL__RUN_CONFIG);
    lcal_train_result result;
    if (!path)
        return lcal__fail_nomem(err, run);
    const lcal_existing existing = !lcal__path_is_file(path) ? LCAL_EXISTING_REFUSE
                                   : job->options->overwrite ? LCAL_EXISTING_OVERWRITE
                                                             : LCAL_EXISTING_RESUME;
    lcal__free(path);
    lcal_status status = lcal_train(config, existing, &job->options->hooks, &result, err);
    *interrupted = result.interrupted;
    return status;
}

/* Numbers and bytes of what was trained. */
static lcal_status count(const lcal__row *row, const char *run, lcal__stage *stage, lcal_error *err)
{
    const bool lora = row->method == LCAL__METHOD_LORA;
    const lcal_model *model = stage->passes[0];
    char *path = lcal__path_join(run, lora ? LCAL__RUN_ADAPTER : LCAL__RUN_CALIBRATION);
    int64_t changed;
    if (!path)
        return lcal__fail_nomem(err, run);
    if (lora) {
        stage->trained_parameters = model->adapters.owned[model->adapters.count - 1]->parameters;
        stage->stored_bytes = lcal__adapter_bytes(path);
    } else {
        stage->trained_parameters = lcal__model_trained(model);
        lcal__path_facts(path, &stage->stored_bytes, &changed);
    }
    lcal__free(path);
    return LCAL_OK;
}

static lcal_status prepare(const lcal__job *job, const char *run, lcal__stage *stage,
                           lcal_error *err)
{
    const lcal_model_options options = lcal__job_model_options(job);
    lcal_config *config = NULL;
    LCAL_TRY(derive(job, run, &config, err));
    lcal_status status;
    if (job->options->plan_only) {
        status = lcal_train_dry_run(config, options.log, &stage->plan, err);
        stage->trained_parameters = stage->plan.trained_parameters;
    } else {
        status = train(job, config, run, &stage->interrupted, err);
    }
    lcal_config_close(&config);
    if (status != LCAL_OK || stage->interrupted || job->options->plan_only)
        return status;
    LCAL_TRY(lcal_model_open_run(run, &options, &stage->passes[0], err));
    stage->pass_count = 1;
    return count(job->row, run, stage, err);
}

lcal_status lcal__prepare_trained(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    char *run = lcal__job_path(job, "run");
    lcal_status status =
        run ? prepare(job, run, stage, err) : lcal__fail_nomem(err, job->row->shown.name);
    lcal__free(run);
    return status;
}
