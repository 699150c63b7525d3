/* The one trainer: steps, validation, checkpoints, until the run is done or told to stop. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "train/metrics.h"
#include "train/result.h"
#include "train/resume.h"
#include "train/run_log.h"
#include "train/schedule.h"

#define SKIPS_MAX 100 /* in a row: then the run has diverged, not stumbled */

typedef struct trainer {
    const lcal__settings *settings;
    const lcal_train_hooks *hooks;
    lcal__run_dir dir;
    lcal__run_log run_log;
    const lcal_log *log;
    lcal__session session;
    lcal__train_state state;
    char *identity;           /* the configuration that checkpoints hold */
    uint64_t saved_step;      /* of the newest checkpoint; UINT64_MAX: none */
    uint64_t started_step;    /* where this process began */
    double started, reported; /* seconds: begin of this process, last row */
    uint64_t unreported;      /* tokens since the last row */
    uint64_t peak_rss;        /* at the last row */
} trainer;

/* --- one step --------------------------------------------------------------------------- */

/* A loss or gradient that is not finite: the update is left out, or the run ends. */
static lcal_status skip_update(trainer *t, const lcal_progress *row, lcal_error *err)
{
    const char *what = isfinite(row->loss) ? "gradient norm" : "loss";
    const double value = isfinite(row->loss) ? row->grad_norm : row->loss;
    if (t->settings->train.on_nonfinite == LCAL__NONFINITE_STOP)
        return lcal__fail(err, LCAL_NUMERIC,
                          "%s: step %" PRIu64 ": the %s is %g; the last checkpoint is as it was. "
                          "Lower train.lr or train.clip_norm, or set train.on_nonfinite: skip",
                          t->dir.root, row->step, what, value);
    if (++t->state.skipped_in_row > SKIPS_MAX)
        return lcal__fail(err, LCAL_NUMERIC,
                          "%s: step %" PRIu64 ": the %s is %g, after %d skipped steps in a row; "
                          "lower train.lr",
                          t->dir.root, row->step, what, value, SKIPS_MAX);
    lcal__log(t->log, LCAL_LOG_NOTICE, "step %" PRIu64 ": skipped, the %s is %g", row->step, what,
              value);
    return LCAL_OK;
}

static void update(trainer *t, const lcal_progress *row)
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

static lcal_status take_step(trainer *t, lcal_progress *row, lcal_error *err)
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

static void validate(trainer *t, lcal_progress *row)
{
    lcal__session *s = &t->session;
    row->valid_loss = lcal__passes_validate(&s->passes);
    t->state.valid_loss = row->valid_loss;
    bool better = row->valid_loss < t->state.best_loss
                  || (isnan(t->state.best_loss) && isfinite(row->valid_loss));
    lcal__run_log_note(&t->run_log, LCAL_LOG_INFO, "step %" PRIu64 ": validation loss %.6g%s",
                       row->step, row->valid_loss, better ? ", the best so far" : "");
    if (!better)
        return;
    t->state.best_loss = row->valid_loss;
    t->state.best_step = row->step;
    t->state.best_tokens = row->tokens;
    if (s->best)
        memcpy(s->best, s->assembly.params.values, s->assembly.params.total * sizeof(float));
}

static void measure(trainer *t, lcal_progress *row, bool logged)
{
    const double now = lcal__seconds(), elapsed = now - t->reported;
    const uint64_t taken = row->step - t->started_step;
    row->tokens_per_s = elapsed > 0.0 ? (double)t->unreported / elapsed : 0.0;
    row->seconds_left = (now - t->started) / (double)taken * (double)(row->steps - row->step);
    if (logged) {
        t->peak_rss = lcal__peak_rss();
        t->reported = now;
        t->unreported = 0;
    }
    row->peak_rss = t->peak_rss;
}

static lcal_status save(trainer *t, lcal_error *err)
{
    if (t->saved_step == t->state.step)
        return LCAL_OK;
    LCAL_TRY(lcal__checkpoint_save(t->dir.checkpoint, &t->session, &t->state, t->identity, err));
    t->saved_step = t->state.step;
    return LCAL_OK;
}

static lcal_status after_step(trainer *t, lcal_progress *row, lcal_error *err)
{
    const lcal__settings *settings = t->settings;
    const bool validated =
        t->session.valid.count && is_due(row->step, settings->train.eval_every, row->steps);
    if (validated)
        validate(t, row);
    const bool logged = validated || is_due(row->step, settings->train.log_every, row->steps);
    measure(t, row, logged);
    if (logged)
        LCAL_TRY(lcal__metrics_append(t->dir.metrics, row, err));
    if (t->hooks && t->hooks->progress)
        t->hooks->progress(t->hooks->user, row, logged);
    /* The last checkpoint comes after the result, so that a finished run has both. */
    if (row->step < row->steps && row->step % settings->train.save_every == 0)
        return save(t, err);
    return LCAL_OK;
}

/* --- the run ---------------------------------------------------------------------------- */

static bool should_stop(const trainer *t)
{
    return t->hooks && t->hooks->should_stop && t->hooks->should_stop(t->hooks->user);
}

static lcal_status run(trainer *t, bool *interrupted, lcal_error *err)
{
    t->started = t->reported = lcal__seconds();
    t->started_step = t->state.step;
    t->peak_rss = lcal__peak_rss();
    while (t->state.step < t->settings->train.steps) {
        if (should_stop(t)) {
            *interrupted = true;
            LCAL_TRY(save(t, err));
            lcal__run_log_note(&t->run_log, LCAL_LOG_INFO,
                               "interrupted after step %" PRIu64 ", saved", t->state.step);
            return LCAL_OK;
        }
        lcal_progress row;
        LCAL_TRY(take_step(t, &row, err));
        LCAL_TRY(after_step(t, &row, err));
    }
    LCAL_TRY(lcal__result_write(&t->session, &t->state, &t->dir, err));
    LCAL_TRY(save(t, err));
    lcal__run_log_note(&t->run_log, LCAL_LOG_INFO, "finished after step %" PRIu64, t->state.step);
    return LCAL_OK;
}

static void log_start(const trainer *t)
{
    const lcal__session *s = &t->session;
    lcal_train_plan plan = {0};
    lcal__session_memory(s, &plan);
    lcal__log(t->log, LCAL_LOG_INFO,
              "method %s: %zu trained parameters, %zu examples, %zu to validate; step %" PRIu64
              " of %" PRIu64,
              lcal__method_name(s->spec.method), s->assembly.params.total, s->train.count,
              s->valid.count, t->state.step, t->settings->train.steps);
    lcal__log(t->log, LCAL_LOG_INFO,
              "memory: %" PRIu64 " MiB expected, %" PRIu64
              " of it workspace; %zu of %zu layers recomputed",
              plan.peak_bytes >> 20, plan.workspace_bytes >> 20,
              s->passes.train_options.recompute_blocks, s->model.config.layers);
}

/* The checkpoint to go on from, if there is one; refuses one of another configuration. */
static lcal_status open_checkpoint(trainer *t, const lcal_config *config, lcal_existing existing,
                                   lcal__checkpoint *out, bool *found, lcal_error *err)
{
    *found = existing == LCAL_EXISTING_RESUME && lcal__path_is_file(t->dir.checkpoint);
    if (!*found)
        return LCAL_OK;
    LCAL_TRY(lcal__checkpoint_open(t->dir.checkpoint, out, err));
    lcal_status status = lcal__resume_check_identity(out->config, config, t->dir.checkpoint, err);
    if (status == LCAL_OK && out->state.step > t->settings->train.steps)
        status = lcal__fail(err, LCAL_FORMAT, "%s: step %" PRIu64 " is beyond train.steps %" PRIu64,
                            t->dir.checkpoint, out->state.step, t->settings->train.steps);
    if (status == LCAL_OK) {
        t->state = out->state;
        t->saved_step = out->state.step;
    } else {
        lcal__checkpoint_close(out);
        *found = false;
    }
    return status;
}

static lcal_status train(trainer *t, const lcal_config *config, lcal_existing existing,
                         const lcal__checkpoint *checkpoint, lcal_train_result *result,
                         lcal_error *err)
{
    if (checkpoint && checkpoint->state.step == t->settings->train.steps
        && lcal__run_dir_has_result(&t->dir, t->settings->method)) {
        result->already_finished = true;
        return LCAL_OK;
    }
    LCAL_TRY(lcal__session_open(t->settings, LCAL__SESSION_READY, t->log, &t->session, err));
    if (checkpoint)
        LCAL_TRY(lcal__checkpoint_restore(checkpoint, t->dir.checkpoint, &t->session, err));
    LCAL_TRY(lcal__run_dir_prepare(&t->dir, existing, config, t->state.step, err));
    LCAL_TRY(lcal__run_log_open(&t->run_log, t->dir.log, err));
    log_start(t);
    return run(t, &result->interrupted, err);
}

lcal_status lcal_train(const lcal_config *config, lcal_existing existing,
                       const lcal_train_hooks *hooks, lcal_train_result *result, lcal_error *err)
{
    trainer t = {
        .settings = lcal__config_settings(config),
        .hooks = hooks,
        .state = lcal__train_state_init(),
        .saved_step = UINT64_MAX,
    };
    lcal__checkpoint checkpoint = {0};
    bool found = false;
    *result = (lcal_train_result){0};
    lcal__run_log_init(&t.run_log, hooks ? hooks->log : NULL);
    t.log = &t.run_log.log;
    lcal_status status = lcal__run_dir_open(t.settings->out, existing, &t.dir, err);
    if (status == LCAL_OK)
        status = lcal__resume_identity(config, &t.identity, err);
    if (status == LCAL_OK)
        status = open_checkpoint(&t, config, existing, &checkpoint, &found, err);
    if (status == LCAL_OK)
        status = train(&t, config, existing, found ? &checkpoint : NULL, result, err);
    if (status != LCAL_OK && err)
        lcal__run_log_note(&t.run_log, LCAL_LOG_NOTICE, "%s", err->message);
    result->step = t.state.step;
    result->first_loss = t.state.first_loss;
    result->last_loss = t.state.last_loss;
    result->best_valid_loss = t.state.best_loss;
    result->best_step = t.state.best_step;
    lcal__checkpoint_close(&checkpoint);
    lcal__session_close(&t.session);
    lcal__run_log_free(&t.run_log);
    lcal__run_dir_close(&t.dir);
    lcal__free(t.identity);
    return status;
}
