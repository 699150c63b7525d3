/* One optimiser step, and what is due after it. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "train/metrics.h"
#include "train/schedule.h"
#include "train/trainer_parts.h"

#define SKIPS_MAX 100 /* in a row: then the run has diverged, not stumbled */

/* --- one step --------------------------------------------------------------------------- */

/* A loss or gradient that is not finite: the update is left out, or the run ends. */
static lcal_status skip_update(lcal_trainer *t, const lcal_progress *row, lcal_error *err)
{
    const char *what = isfinite(row->loss) ? "gradient norm" : "loss";
    const double value = isfinite(row->loss) ? row->grad_norm : row->loss;
    if (t->settings->train.on_nonfinite == LCAL__NONFINITE_STOP)
        return lcal__fail(err, LCAL_NUMERIC,
                          "%s: step %" PRIu64 ": the %s is %g. %sLower train.lr or "
                          "train.clip_norm, or set train.on_nonfinite: skip",
                          lcal__trainer_name(t), row->step, what, value,
                          t->dir.root ? "The last checkpoint is as it was. " : "");
    if (++t->state.skipped_in_row > SKIPS_MAX)
        return lcal__fail(err, LCAL_NUMERIC,
                          "%s: step %" PRIu64 ": the %s is %g, after %d skipped steps in a row; "
                          "lower train.lr",
                          lcal__trainer_name(t), row->step, what, value, SKIPS_MAX);
    lcal__log(t->log, LCAL_LOG_NOTICE, "step %" PRIu64 ": skipped, the %s is %g", row->step, what,
              value);
    return LCAL_OK;
}

static void update(lcal_trainer *t, const lcal_progress *row)
{
    const lcal__settings *settings = t->settings;
    const lcal__params *params = &t->session.assembly.params;
    const lcal__adamw_rates rates = {
        .lr = row->lr,
        .beta1 = settings->train.beta1,
        .beta2 = settings->train.beta2,
        .eps = settings->train.eps,
        .weight_decay = settings->train.weight_decay,
        .scale = lcal__clip_factor(row->grad_norm, settings->train.clip_norm),
        .time = ++t->state.updates,
    };
    lcal__adamw_step(&t->session.adamw, &t->session.exec, &rates, params->values, params->grads);
    t->state.skipped_in_row = 0;
}

static lcal_status take_step(lcal_trainer *t, lcal_progress *row, lcal_error *err)
{
    lcal__session *s = &t->session;
    const lcal__params *params = &s->assembly.params;
    memset(params->grads, 0, params->total * sizeof(float));
    const lcal__pass_sums sums = lcal__passes_step(&s->passes, &s->batcher);
    *row = (lcal_progress){
        .step = t->state.step + 1,
        .steps = t->settings->train.steps,
        .loss = sums.loss,
        .lr = lcal__schedule_lr(t->settings, t->state.step),
        .grad_norm = lcal__adamw_norm(&s->adamw, &s->exec, params->grads),
        .valid_loss = NAN,
        .tokens = t->state.tokens + sums.labels,
    };
    if (isfinite(row->loss) && isfinite(row->grad_norm))
        update(t, row);
    else
        LCAL_TRY(skip_update(t, row, err));
    t->state.step = row->step;
    t->state.tokens = row->tokens;
    t->state.last_loss = row->loss;
    if (t->state.step == 1)
        t->state.first_loss = row->loss;
    t->unreported += sums.tokens;
    return LCAL_OK;
}

/* --- what follows a step ---------------------------------------------------------------- */

static bool is_due(uint64_t step, uint64_t every, uint64_t steps)
{
    return step % every == 0 || step == steps;
}

double lcal__trainer_evaluate(lcal_trainer *t)
{
    t->known_loss = lcal__passes_validate(&t->session.passes);
    t->known_step = t->state.step;
    return t->known_loss;
}

double lcal__trainer_validate(lcal_trainer *t)
{
    lcal__session *s = &t->session;
    lcal__train_state *state = &t->state;
    state->valid_loss = lcal__trainer_evaluate(t);
    bool better = state->valid_loss < state->best_loss
                  || (isnan(state->best_loss) && isfinite(state->valid_loss));
    lcal__run_log_note(&t->run_log, LCAL_LOG_INFO, "step %" PRIu64 ": validation loss %.6g%s",
                       state->step, state->valid_loss, better ? ", the best so far" : "");
    if (!better)
        return state->valid_loss;
    state->best_loss = state->valid_loss;
    state->best_step = state->step;
    state->best_tokens = state->tokens;
    if (s->best)
        memcpy(s->best, s->assembly.params.values, s->assembly.params.total * sizeof(float));
    return state->valid_loss;
}

static void measure(lcal_trainer *t, lcal_progress *row)
{
    const double now = lcal__seconds(), elapsed = now - t->reported;
    const uint64_t taken = row->step - t->started_step;
    row->tokens_per_s = elapsed > 0.0 ? (double)t->unreported / elapsed : 0.0;
    row->seconds_left = (now - t->started) / (double)taken * (double)(row->steps - row->step);
    if (row->logged) {
        t->peak_rss = lcal__peak_rss();
        t->reported = now;
        t->unreported = 0;
    }
    row->peak_rss = t->peak_rss;
}

static lcal_status after_step(lcal_trainer *t, lcal_progress *row, lcal_error *err)
{
    const lcal__settings *settings = t->settings;
    const bool validated =
        t->session.valid.count && is_due(row->step, settings->train.eval_every, row->steps);
    if (validated)
        row->valid_loss = lcal__trainer_validate(t);
    row->logged = validated || is_due(row->step, settings->train.log_every, row->steps);
    measure(t, row);
    if (!t->dir.root)
        return LCAL_OK;
    if (row->logged)
        LCAL_TRY(lcal__metrics_append(t->dir.metrics, row, err));
    /* The last checkpoint comes after the result, so that a finished run has both. */
    if (row->step < row->steps && row->step % settings->train.save_every == 0)
        return lcal__trainer_checkpoint(t, err);
    return LCAL_OK;
}

lcal_status lcal__trainer_step(lcal_trainer *trainer, lcal_progress *row, lcal_error *err)
{
    LCAL_TRY(take_step(trainer, row, err));
    return after_step(trainer, row, err);
}
