/* Rows that are trained on several tasks in turn: shared calibrations, and columns with teachers.
 */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "methods/rows.h"
#include "methods/turns.h"

/* *done: these sub-tasks have their result already. */
static lcal_status look(const lcal__turns *s, bool *done)
{
    char *path = lcal__turns_path(s, LCAL__TURNS_DONE);
    unsigned char *text = NULL;
    size_t size = 0;
    *done = false;
    if (!path)
        return lcal__fail_nomem(s->err, s->directory);
    lcal_status status = LCAL_OK;
    if (!s->job->options->overwrite && lcal__path_is_file(path)) {
        status = lcal__file_read(path, (size_t)1 << 24, &text, &size, s->err);
        *done = status == LCAL_OK && size == strlen(s->members.identity)
                && memcmp(text, s->members.identity, size) == 0;
        if (status == LCAL_OK && !*done)
            status = lcal__fail(s->err, LCAL_CONFIG,
                                "%s: holds a calibration of other sub-tasks or another "
                                "configuration; choose another directory, or --overwrite",
                                s->directory);
    }
    lcal__free(text);
    lcal__free(path);
    return status;
}

static lcal_status open_model(lcal__turns *s, lcal__stage *stage)
{
    lcal__changes changes = {0};
    int64_t changed;
    char *path = lcal__turns_result(s, s->members.own);
    if (!path)
        return lcal__fail_nomem(s->err, s->directory);
    lcal__changes_merge(&changes, lcal__row_rule(s->job));
    lcal_status status = lcal__stage_open(s->job, stage, &changes, s->err);
    if (status == LCAL_OK)
        status = lcal_model_calibrate(stage->passes[0], path, s->err);
    if (status == LCAL_OK) {
        stage->trained_parameters = lcal__model_trained(stage->passes[0]);
        lcal__path_facts(path, &stage->stored_bytes, &changed);
    }
    lcal__free(path);
    return status;
}

static lcal_status prepare(lcal__turns *s, lcal__stage *stage)
{
    const lcal__job *job = s->job;
    bool done;
    LCAL_TRY(s->distills ? lcal__members_open_tasks(job, &s->members, s->err)
                         : lcal__members_open(job, &s->members, s->err));
    if (job->options->plan_only) {
        LCAL_TRY(lcal_train_dry_run(s->members.items[s->members.own].config,
                                    job->options->hooks.log, &stage->plan, s->err));
        stage->trained_parameters = stage->plan.trained_parameters;
        return LCAL_OK;
    }
    LCAL_TRY(look(s, &done));
    if (!done)
        LCAL_TRY(lcal__turns_train(s, &stage->interrupted));
    return stage->interrupted ? LCAL_OK : open_model(s, stage);
}

static lcal_status prepare_turns(const lcal__job *job, bool distills, lcal__stage *stage,
                                 lcal_error *err)
{
    lcal__turns s = {.job = job, .distills = distills, .err = err};
    s.directory =
        job->options->shared ? lcal__strdup(job->options->shared) : lcal__job_path(job, "run");
    lcal_status status =
        s.directory ? prepare(&s, stage) : lcal__fail_nomem(err, job->row->shown.name);
    lcal__turns_close(&s);
    return status;
}

lcal_status lcal__prepare_shared(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    return prepare_turns(job, false, stage, err);
}

lcal_status lcal__prepare_columns(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    if (job->settings->columns.objective == LCAL__OBJECTIVE_DISTILL)
        return prepare_turns(job, true, stage, err);
    return lcal__prepare_trained(job, stage, err);
}
