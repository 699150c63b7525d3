/* A whole run: steps until it is done or told to stop. */
#include <inttypes.h>

#include "config/config.h"
#include "train/trainer_parts.h"

static bool should_stop(const lcal_train_hooks *hooks)
{
    return hooks && hooks->should_stop && hooks->should_stop(hooks->user);
}

static bool nothing_left(const lcal_trainer *t)
{
    return t->resumed && t->state.step == t->settings->train.steps
           && lcal__run_dir_has_result(&t->dir, t->settings->method);
}

static lcal_status run(lcal_trainer *t, const lcal_train_hooks *hooks, bool *interrupted,
                       lcal_error *err)
{
    lcal_progress row;
    while (t->state.step < t->settings->train.steps) {
        if (should_stop(hooks)) {
            *interrupted = true;
            LCAL_TRY(lcal_trainer_checkpoint(t, err));
            lcal__run_log_note(&t->run_log, LCAL_LOG_INFO,
                               "interrupted after step %" PRIu64 ", saved", t->state.step);
            return LCAL_OK;
        }
        LCAL_TRY(lcal_trainer_step(t, &row, err));
        if (hooks && hooks->progress)
            hooks->progress(hooks->user, &row);
    }
    return lcal_trainer_finish(t, err);
}

static lcal_status train(lcal_trainer *t, const lcal_train_hooks *hooks, lcal_train_result *result,
                         lcal_error *err)
{
    result->already_finished = nothing_left(t);
    if (result->already_finished)
        return LCAL_OK;
    LCAL_TRY(lcal__trainer_begin(t, err));
    return run(t, hooks, &result->interrupted, err);
}

lcal_status lcal_train(const lcal_config *config, lcal_existing existing,
                       const lcal_train_hooks *hooks, lcal_train_result *result, lcal_error *err)
{
    if (!config || !result)
        return lcal__fail(err, LCAL_INVALID, "lcal_train: config and result must be given");
    lcal__train_state state = lcal__train_state_init();
    lcal_trainer *t = NULL;
    *result = (lcal_train_result){0};
    lcal_status status;
    if (lcal__config_settings(config)->out[0])
        status = lcal__trainer_locate(config, existing, hooks ? hooks->log : NULL, &t, err);
    else
        status = lcal__fail(err, LCAL_CONFIG, "key out: expected a path, but it is not given");
    if (status == LCAL_OK) {
        status = train(t, hooks, result, err);
        state = t->state;
    }
    result->step = state.step;
    result->first_loss = state.first_loss;
    result->last_loss = state.last_loss;
    result->best_valid_loss = state.best_loss;
    result->best_step = state.best_step;
    lcal_trainer_close(&t);
    return status;
}
