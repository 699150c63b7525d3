/*
 * Rows that are trained on several tasks in turn. Step i trains on a batch of task i modulo their
 * number, over that one's merged adapters; values, moments and counters are one set, which goes
 * from trainer to trainer. The result is a file for each task: the same numbers, with the adapters
 * that they were trained with.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "methods/members.h"
#include "methods/rows.h"
#include "methods/teacher.h"
#include "train/result.h"
#include "train/trainer_parts.h"

#define DONE "shared.txt" /* the identity of a finished run */

typedef struct shared {
    const lcal__job *job;
    char *directory;
    lcal__members members;
    lcal_trainer **trainers;  /* [members.count] */
    bool distills;            /* each member has a teacher */
    lcal__stage *schools;     /* [members.count] the teachers' models */
    lcal__teacher **teachers; /* [members.count] */
    lcal_error *err;
} shared;

/* The one whose values, moments, best values and counters are those of all. */
static lcal_trainer *home(const shared *s)
{
    return s->trainers[0];
}

static char *path_of(const shared *s, const char *name)
{
    return lcal__path_join(s->directory, name);
}

/* Of one sub-task's result. NULL: out of memory. */
static char *result_path(const shared *s, size_t member)
{
    lcal__strbuf name = {0};
    lcal__strbuf_printf(&name, "calibration-%zu.h5", member);
    char *path = name.failed ? NULL : path_of(s, name.text);
    lcal__strbuf_free(&name);
    return path;
}

/* --- steps ------------------------------------------------------------------------------ */

/* All that is trained, from one trainer to another; each keeps its place in its own data. */
static void hand_over(const lcal_trainer *from, lcal_trainer *to)
{
    const lcal__session *a = &from->session, *b = &to->session;
    const size_t bytes = a->assembly.params.total * sizeof(float);
    if (from == to)
        return;
    memcpy(b->assembly.params.values, a->assembly.params.values, bytes);
    memcpy(b->adamw.m, a->adamw.m, bytes);
    memcpy(b->adamw.v, a->adamw.v, bytes);
    to->state = from->state;
}

/* The mean over the sub-tasks that have validation data; the best values stay at home. */
static void validate(shared *s, lcal_progress *row)
{
    lcal_trainer *at = home(s);
    double sum = 0.0;
    size_t count = 0;
    for (size_t i = 0; i < s->members.count; i++) {
        lcal_trainer *t = s->trainers[i];
        if (!t->session.valid.count)
            continue;
        hand_over(at, t);
        sum += lcal__trainer_evaluate(t);
        count++;
    }
    if (!count)
        return;
    lcal__train_state *state = &at->state;
    row->valid_loss = state->valid_loss = sum / (double)count;
    if (!(state->valid_loss < state->best_loss)
        && !(isnan(state->best_loss) && isfinite(state->valid_loss)))
        return;
    state->best_loss = state->valid_loss;
    state->best_step = state->step;
    state->best_tokens = state->tokens;
    if (at->session.best)
        memcpy(at->session.best, at->session.assembly.params.values,
               at->session.assembly.params.total * sizeof(float));
}

static lcal_status save(shared *s)
{
    char *path = path_of(s, "checkpoint.h5");
    if (!path)
        return lcal__fail_nomem(s->err, s->directory);
    lcal_status status = lcal__checkpoint_save(path, &home(s)->session, &home(s)->state,
                                               s->members.identity, s->err);
    lcal__free(path);
    return status;
}

static bool is_due(uint64_t step, uint64_t every, uint64_t steps)
{
    return step % every == 0 || step == steps;
}

/* A step, and what is due after it. */
static lcal_status step(shared *s)
{
    const lcal__settings *settings = s->job->settings;
    const lcal_train_hooks *hooks = &s->job->options->hooks;
    lcal_trainer *t = s->trainers[home(s)->state.step % s->members.count];
    lcal_progress row;
    hand_over(home(s), t);
    /* Validation is of all together, not this trainer's own affair. */
    const size_t validation = t->session.valid.count;
    t->session.valid.count = 0;
    const lcal_status status = lcal__trainer_step(t, &row, s->err);
    t->session.valid.count = validation;
    LCAL_TRY(status);
    hand_over(t, home(s));
    if (is_due(row.step, settings->train.eval_every, row.steps))
        validate(s, &row);
    row.logged = row.logged || is_due(row.step, settings->train.log_every, row.steps);
    if (row.step < row.steps && row.step % settings->train.save_every == 0)
        LCAL_TRY(save(s));
    if (hooks->progress)
        hooks->progress(hooks->user, &row);
    return LCAL_OK;
}

/* --- the trainers ----------------------------------------------------------------------- */

/* Where the others' data stands after the steps that were taken. */
static void skip(shared *s)
{
    const uint64_t taken = home(s)->state.step;
    for (size_t i = 1; i < s->members.count; i++) {
        lcal__session *session = &s->trainers[i]->session;
        const uint64_t own = taken / s->members.count + (i < taken % s->members.count);
        for (uint64_t k = 0; k < own * session->passes.accumulate; k++)
            lcal__batcher_next(&session->batcher, &session->passes.batch);
    }
}

static lcal_status resume(shared *s, const char *path)
{
    lcal__checkpoint checkpoint = {0};
    LCAL_TRY(lcal__checkpoint_open(path, &checkpoint, s->err));
    lcal_status status = LCAL_OK;
    if (strcmp(checkpoint.config, s->members.identity) != 0)
        status = lcal__fail(s->err, LCAL_CONFIG,
                            "%s: made by other sub-tasks or another configuration; choose another "
                            "directory, or --overwrite",
                            path);
    if (status == LCAL_OK)
        status = lcal__checkpoint_restore(&checkpoint, path, &home(s)->session, s->err);
    if (status == LCAL_OK) {
        home(s)->state = checkpoint.state;
        skip(s);
    }
    lcal__checkpoint_close(&checkpoint);
    return status;
}

static lcal_status open_trainers(shared *s)
{
    s->trainers = lcal__calloc(s->members.count, sizeof(*s->trainers));
    if (!s->trainers)
        return lcal__fail_nomem(s->err, "trainers");
    for (size_t i = 0; i < s->members.count; i++) {
        LCAL_TRY(lcal_trainer_open(s->members.items[i].config, LCAL_EXISTING_REFUSE,
                                   s->job->options->hooks.log, &s->trainers[i], s->err));
        if (!s->trainers[i]->session.valid.count != !home(s)->session.valid.count)
            return lcal__fail(s->err, LCAL_CONFIG,
                              "key data.valid: sub-tasks that share a calibration all have "
                              "validation examples, or none has");
    }
    return LCAL_OK;
}

/* Each task's adapter, alone, teaches the trainer that has its data. */
static lcal_status open_teachers(shared *s)
{
    const lcal__settings *settings = s->job->settings;
    s->schools = lcal__calloc(s->members.count, sizeof(*s->schools));
    s->teachers = lcal__calloc(s->members.count, sizeof(*s->teachers));
    if (!s->schools || !s->teachers)
        return lcal__fail_nomem(s->err, "teachers");
    for (size_t i = 0; i < s->members.count; i++) {
        lcal__changes changes = {0};
        lcal__changes_adapters(&changes, settings, s->members.items[i].teacher, 1, NULL);
        lcal__changes_merge(&changes, LCAL__MERGE_CONCAT);
        LCAL_TRY(lcal__stage_open(s->job, &s->schools[i], &changes, s->err));
        LCAL_TRY(lcal__teacher_open(s->schools[i].passes[0], s->trainers[i],
                                    settings->columns.temperature, settings->columns.overlap,
                                    &s->teachers[i], s->err));
    }
    return LCAL_OK;
}

/* The files of the sub-tasks, then the mark that they are all there. */
static lcal_status finish(shared *s)
{
    lcal__result result = lcal__result_best(&home(s)->session, &home(s)->state);
    lcal_status status = LCAL_OK;
    if (!result.values)
        result = lcal__result_last(&home(s)->session, &home(s)->state);
    for (size_t i = 0; i < s->members.count && status == LCAL_OK; i++) {
        char *path = result_path(s, i);
        status = path ? lcal__result_save(&s->trainers[i]->session, &result, path, s->err)
                      : lcal__fail_nomem(s->err, s->directory);
        lcal__free(path);
    }
    char *mark = path_of(s, DONE);
    if (status == LCAL_OK)
        status = mark ? lcal__file_replace(mark, s->members.identity, strlen(s->members.identity),
                                           s->err)
                      : lcal__fail_nomem(s->err, s->directory);
    lcal__free(mark);
    return status;
}

static lcal_status train(shared *s, bool *interrupted)
{
    char *checkpoint = path_of(s, "checkpoint.h5");
    lcal_status status =
        checkpoint ? lcal__dir_make(s->directory, s->err) : lcal__fail_nomem(s->err, s->directory);
    if (status == LCAL_OK)
        status = open_trainers(s);
    if (status == LCAL_OK && s->distills)
        status = open_teachers(s);
    if (status == LCAL_OK && !s->job->options->overwrite && lcal__path_is_file(checkpoint))
        status = resume(s, checkpoint);
    lcal__free(checkpoint);
    LCAL_TRY(status);
    while (home(s)->state.step < s->job->settings->train.steps) {
        if (lcal__job_should_stop(s->job)) {
            *interrupted = true;
            return save(s);
        }
        LCAL_TRY(step(s));
    }
    return finish(s);
}

/* --- the row ---------------------------------------------------------------------------- */

/* *done: these sub-tasks have their result already. */
static lcal_status look(const shared *s, bool *done)
{
    char *path = path_of(s, DONE);
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

static lcal_status open_model(shared *s, lcal__stage *stage)
{
    lcal__changes changes = {0};
    int64_t changed;
    char *path = result_path(s, s->members.own);
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

static lcal_status prepare(shared *s, lcal__stage *stage)
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
        LCAL_TRY(train(s, &stage->interrupted));
    return stage->interrupted ? LCAL_OK : open_model(s, stage);
}

static void close_all(shared *s)
{
    for (size_t i = 0; s->teachers && i < s->members.count; i++)
        lcal__teacher_close(&s->teachers[i]);
    for (size_t i = 0; s->schools && i < s->members.count; i++)
        lcal__stage_free(&s->schools[i]);
    for (size_t i = 0; s->trainers && i < s->members.count; i++)
        lcal_trainer_close(&s->trainers[i]);
    lcal__free(s->teachers);
    lcal__free(s->schools);
    lcal__free(s->trainers);
    lcal__members_close(&s->members);
    lcal__free(s->directory);
}

static lcal_status prepare_turns(const lcal__job *job, bool distills, lcal__stage *stage,
                                 lcal_error *err)
{
    shared s = {.job = job, .distills = distills, .err = err};
    s.directory =
        job->options->shared ? lcal__strdup(job->options->shared) : lcal__job_path(job, "run");
    lcal_status status =
        s.directory ? prepare(&s, stage) : lcal__fail_nomem(err, job->row->shown.name);
    close_all(&s);
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
