#include "methods/turns.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/result.h"

lcal_trainer *lcal__turns_home(const lcal__turns *turns)
{
    return turns->trainers[0];
}

char *lcal__turns_path(const lcal__turns *turns, const char *name)
{
    return lcal__path_join(turns->directory, name);
}

char *lcal__turns_result(const lcal__turns *turns, size_t member)
{
    lcal__strbuf name = {0};
    lcal__strbuf_printf(&name, "calibration-%zu.h5", member);
    char *path = name.failed ? NULL : lcal__turns_path(turns, name.text);
    lcal__strbuf_free(&name);
    return path;
}

void lcal__turns_close(lcal__turns *s)
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

/* Where the others' data stands after the steps that were taken. */
static void skip(lcal__turns *s)
{
    const uint64_t taken = lcal__turns_home(s)->state.step;
    for (size_t i = 1; i < s->members.count; i++) {
        lcal__session *session = &s->trainers[i]->session;
        const uint64_t own = taken / s->members.count + (i < taken % s->members.count);
        for (uint64_t k = 0; k < own * session->passes.accumulate; k++)
            lcal__batcher_next(&session->batcher, &session->passes.batch);
    }
}

static lcal_status resume(lcal__turns *s, const char *path)
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
        status = lcal__checkpoint_restore(&checkpoint, path, &lcal__turns_home(s)->session, s->err);
    if (status == LCAL_OK) {
        lcal__turns_home(s)->state = checkpoint.state;
        skip(s);
    }
    lcal__checkpoint_close(&checkpoint);
    return status;
}

static lcal_status open_trainers(lcal__turns *s)
{
    s->trainers = lcal__calloc(s->members.count, sizeof(*s->trainers));
    if (!s->trainers)
        return lcal__fail_nomem(s->err, "trainers");
    for (size_t i = 0; i < s->members.count; i++) {
        LCAL_TRY(lcal_trainer_open(s->members.items[i].config, LCAL_EXISTING_REFUSE,
                                   s->job->options->hooks.log, &s->trainers[i], s->err));
        if (!s->trainers[i]->session.valid.count != !lcal__turns_home(s)->session.valid.count)
            return lcal__fail(s->err, LCAL_CONFIG,
                              "key data.valid: sub-tasks that share a calibration all have "
                              "validation examples, or none has");
    }
    return LCAL_OK;
}

/* Each task's adapter, alone, teaches the trainer that has its data. */
static lcal_status open_teachers(lcal__turns *s)
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
static lcal_status finish(lcal__turns *s)
{
    lcal__result result =
        lcal__result_best(&lcal__turns_home(s)->session, &lcal__turns_home(s)->state);
    lcal_status status = LCAL_OK;
    if (!result.values)
        result = lcal__result_last(&lcal__turns_home(s)->session, &lcal__turns_home(s)->state);
    for (size_t i = 0; i < s->members.count && status == LCAL_OK; i++) {
        char *path = lcal__turns_result(s, i);
        status = path ? lcal__result_save(&s->trainers[i]->session, &result, path, s->err)
                      : lcal__fail_nomem(s->err, s->directory);
        lcal__free(path);
    }
    char *mark = lcal__turns_path(s, LCAL__TURNS_DONE);
    if (status == LCAL_OK)
        status = mark ? lcal__file_replace(mark, s->members.identity, strlen(s->members.identity),
                                           s->err)
                      : lcal__fail_nomem(s->err, s->directory);
    lcal__free(mark);
    return status;
}

/* An earlier run here. */
static lcal_status forget(const lcal__turns *s, const char *checkpoint)
{
    char *mark = lcal__turns_path(s, LCAL__TURNS_DONE);
    if (!mark)
        return lcal__fail_nomem(s->err, s->directory);
    lcal_status status = lcal__file_remove(mark, s->err);
    lcal__free(mark);
    return status == LCAL_OK ? lcal__file_remove(checkpoint, s->err) : status;
}

lcal_status lcal__turns_train(lcal__turns *s, bool *interrupted)
{
    char *checkpoint = lcal__turns_path(s, "checkpoint.h5");
    lcal_status status =
        checkpoint ? lcal__dir_make(s->directory, s->err) : lcal__fail_nomem(s->err, s->directory);
    if (status == LCAL_OK && s->job->options->overwrite)
        status = forget(s, checkpoint);
    if (status == LCAL_OK)
        status = open_trainers(s);
    if (status == LCAL_OK && s->distills)
        status = open_teachers(s);
    if (status == LCAL_OK && lcal__path_is_file(checkpoint))
        status = resume(s, checkpoint);
    lcal__free(checkpoint);
    LCAL_TRY(status);
    while (lcal__turns_home(s)->state.step < s->job->settings->train.steps) {
        if (lcal__job_should_stop(s->job)) {
            *interrupted = true;
            return lcal__turns_save(s);
        }
        LCAL_TRY(lcal__turns_step(s));
    }
    return finish(s);
}
