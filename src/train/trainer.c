/* The one trainer, step by step: include/lcal/train.h's lcal_trainer. */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "train/result.h"
#include "train/trainer_parts.h"

lcal_status lcal_trainer_open(const lcal_config *config, lcal_existing existing,
                              const lcal_log *log, lcal_trainer **out, lcal_error *err)
{
    lcal_trainer *t = NULL;
    if (!config || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_trainer_open: config and out must be given");
    LCAL_TRY(lcal__trainer_locate(config, existing, log, &t, err));
    lcal_status status = lcal__trainer_begin(t, err);
    if (status == LCAL_OK)
        *out = t;
    else
        lcal_trainer_close(&t);
    return status;
}

void lcal_trainer_close(lcal_trainer **trainer)
{
    if (!trainer || !*trainer)
        return;
    lcal_trainer *t = *trainer;
    lcal__checkpoint_close(&t->checkpoint);
    lcal__session_close(&t->session);
    lcal__run_log_free(&t->run_log);
    lcal__run_dir_close(&t->dir);
    lcal__free(t->identity);
    lcal__free(t);
    *trainer = NULL;
}

uint64_t lcal_trainer_steps_taken(const lcal_trainer *trainer)
{
    return trainer->state.step;
}

uint64_t lcal_trainer_steps(const lcal_trainer *trainer)
{
    return trainer->settings->train.steps;
}

/* A failure stands in log.txt too. */
static lcal_status noted(const lcal_trainer *t, lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK && err)
        lcal__run_log_note(&t->run_log, LCAL_LOG_NOTICE, "%s", err->message);
    return status;
}

/* --- steps ------------------------------------------------------------------------------ */

lcal_status lcal_trainer_step(lcal_trainer *trainer, lcal_progress *row, lcal_error *err)
{
    lcal_progress own;
    if (!trainer || trainer->state.step >= trainer->settings->train.steps)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_trainer_step: a trainer with steps left must be given");
    return noted(trainer, lcal__trainer_step(trainer, row ? row : &own, err), err);
}

lcal_status lcal_trainer_evaluate(lcal_trainer *trainer, double *loss, lcal_error *err)
{
    if (!trainer || !loss)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_trainer_evaluate: trainer and loss must be given");
    if (!trainer->session.valid.count)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_trainer_evaluate: the configuration has no data.valid");
    *loss = lcal__trainer_evaluate(trainer);
    return LCAL_OK;
}

/* --- what is written -------------------------------------------------------------------- */

lcal_status lcal_trainer_save(lcal_trainer *trainer, lcal_values which, const char *path,
                              lcal_error *err)
{
    if (!trainer || !path)
        return lcal__fail(err, LCAL_INVALID, "lcal_trainer_save: trainer and path must be given");
    lcal__result result;
    if (which == LCAL_VALUES_BEST) {
        result = lcal__result_best(&trainer->session, &trainer->state);
        if (!result.values)
            return lcal__fail(err, LCAL_INVALID,
                              "lcal_trainer_save: no best values are kept: data.valid, "
                              "train.keep_best and a validation make them");
    } else {
        result = lcal__result_last(&trainer->session, &trainer->state);
        result.valid_loss =
            trainer->known_step == trainer->state.step ? trainer->known_loss : (double)NAN;
    }
    return noted(trainer, lcal__result_save(&trainer->session, &result, path, err), err);
}

lcal_status lcal__trainer_checkpoint(lcal_trainer *t, lcal_error *err)
{
    if (t->saved_step == t->state.step)
        return LCAL_OK;
    LCAL_TRY(lcal__checkpoint_save(t->dir.checkpoint, &t->session, &t->state, t->identity, err));
    t->saved_step = t->state.step;
    return LCAL_OK;
}

static lcal_status need_directory(const lcal_trainer *t, const char *function, lcal_error *err)
{
    if (t && t->dir.root)
        return LCAL_OK;
    return lcal__fail(err, LCAL_INVALID,
                      "%s: a trainer with a run directory (key out) must be given; "
                      "lcal_trainer_save writes without one",
                      function);
}

lcal_status lcal_trainer_checkpoint(lcal_trainer *trainer, lcal_error *err)
{
    LCAL_TRY(need_directory(trainer, "lcal_trainer_checkpoint", err));
    return noted(trainer, lcal__trainer_checkpoint(trainer, err), err);
}

static lcal_status finish(lcal_trainer *t, lcal_error *err)
{
    if (t->state.step < t->settings->train.steps && t->session.valid.count
        && t->known_step != t->state.step) {
        /* Before a validation that the run, when it goes on, will not have had. */
        LCAL_TRY(lcal__trainer_checkpoint(t, err));
        lcal__trainer_validate(t);
    }
    lcal__result result = lcal__result_best(&t->session, &t->state);
    if (!result.values)
        result = lcal__result_last(&t->session, &t->state);
    LCAL_TRY(lcal__result_write(&t->session, &result, &t->dir, err));
    LCAL_TRY(lcal__trainer_checkpoint(t, err));
    lcal__run_log_note(&t->run_log, LCAL_LOG_INFO, "finished after step %" PRIu64, t->state.step);
    return LCAL_OK;
}

lcal_status lcal_trainer_finish(lcal_trainer *trainer, lcal_error *err)
{
    LCAL_TRY(need_directory(trainer, "lcal_trainer_finish", err));
    return noted(trainer, finish(trainer, err), err);
}
