/* From a configuration to a trainer that is ready for its next step. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "train/resume.h"
#include "train/trainer_parts.h"

const char *lcal__trainer_name(const lcal_trainer *t)
{
    return t->dir.root ? t->dir.root : "training";
}

/* The checkpoint to go on from, if there is one; refuses one of another configuration. */
static lcal_status open_checkpoint(lcal_trainer *t, lcal_error *err)
{
    lcal__checkpoint *out = &t->checkpoint;
    if (t->existing != LCAL_EXISTING_RESUME || !lcal__path_is_file(t->dir.checkpoint))
        return LCAL_OK;
    LCAL_TRY(lcal__checkpoint_open(t->dir.checkpoint, out, err));
    LCAL_TRY(lcal__resume_check_identity(out->config, t->config, t->dir.checkpoint, err));
    if (out->state.step > t->settings->train.steps)
        return lcal__fail(err, LCAL_FORMAT, "%s: step %" PRIu64 " is beyond train.steps %" PRIu64,
                          t->dir.checkpoint, out->state.step, t->settings->train.steps);
    t->state = out->state;
    t->saved_step = out->state.step;
    t->resumed = true;
    return LCAL_OK;
}

/* Where the trainer writes, and where it stands; touches nothing. */
static lcal_status locate(lcal_trainer *t, lcal_error *err)
{
    if (!t->settings->out[0])
        return t->existing != LCAL_EXISTING_RESUME
                   ? LCAL_OK
                   : lcal__fail(err, LCAL_CONFIG,
                                "key out: no run directory is given that could be resumed");
    LCAL_TRY(lcal__run_dir_open(t->settings->out, t->existing, &t->dir, err));
    t->log = &t->run_log.log;
    LCAL_TRY(lcal__resume_identity(t->config, &t->identity, err));
    return open_checkpoint(t, err);
}

lcal_status lcal__trainer_locate(const lcal_config *config, lcal_existing existing,
                                 const lcal_log *log, lcal_trainer **out, lcal_error *err)
{
    lcal_trainer *t = lcal__calloc(1, sizeof(*t));
    if (!t)
        return lcal__fail_nomem(err, "a trainer");
    *t = (lcal_trainer){
        .config = config,
        .settings = lcal__config_settings(config),
        .existing = existing,
        .log = log,
        .state = lcal__train_state_init(),
        .saved_step = UINT64_MAX,
        .known_step = UINT64_MAX,
    };
    lcal__run_log_init(&t->run_log, log);
    lcal_status status = locate(t, err);
    if (status == LCAL_OK)
        *out = t;
    else
        lcal_trainer_close(&t);
    return status;
}

static void log_start(const lcal_trainer *t)
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

lcal_status lcal__trainer_begin(lcal_trainer *t, lcal_error *err)
{
    LCAL_TRY(lcal__session_open(t->settings, LCAL__SESSION_READY, t->log, &t->session, err));
    if (t->resumed)
        LCAL_TRY(lcal__checkpoint_restore(&t->checkpoint, t->dir.checkpoint, &t->session, err));
    lcal__checkpoint_close(&t->checkpoint);
    if (t->dir.root) {
        LCAL_TRY(lcal__run_dir_prepare(&t->dir, t->existing, t->config, t->state.step, err));
        LCAL_TRY(lcal__run_log_open(&t->run_log, t->dir.log, err));
    }
    log_start(t);
    t->started = t->reported = lcal__seconds();
    t->started_step = t->state.step;
    t->peak_rss = lcal__peak_rss();
    return LCAL_OK;
}
