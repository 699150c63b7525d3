/* What training would do, from the headers of the files and the data. */
#include <math.h>

#include "config/config.h"
#include "train/session.h"

/* Examples of `steps` steps: walked through, since batches are cut by length. */
static uint64_t examples_of(lcal__session *s, uint64_t steps)
{
    const uint64_t passes_in_all = steps * s->settings->train.accumulate;
    const uint64_t probe = passes_in_all < 1000 ? passes_in_all : 1000;
    for (uint64_t i = 0; i < probe; i++)
        lcal__batcher_next(&s->batcher, &s->passes.batch);
    return (uint64_t)((double)s->batcher.cursor * ((double)passes_in_all / (double)probe));
}

lcal_status lcal_train_dry_run(const lcal_config *config, const lcal_log *log,
                               lcal_train_plan *plan, lcal_error *err)
{
    const lcal__settings *settings = lcal__config_settings(config);
    lcal__session session;
    *plan = (lcal_train_plan){0};
    LCAL_TRY(lcal__session_open(settings, LCAL__SESSION_PLANNED, log, &session, err));
    lcal__session_memory(&session, plan);
    plan->frozen_parameters = settings->method == LCAL__METHOD_BASE
                                  ? 0
                                  : (uint64_t)lcal__model_parameters(&session.model.config);
    for (size_t i = 0; i < session.adapters.count; i++)
        plan->frozen_parameters += session.adapters.owned[i]->parameters;
    plan->train_examples = session.train.count;
    plan->train_tokens = session.train.tokens;
    plan->train_labels = session.train.counted;
    plan->valid_examples = session.valid.count;
    plan->batch_tokens_max = session.passes.batch_capacity.tokens;
    plan->steps = settings->train.steps;
    plan->epochs_milli = (uint64_t)floor(
        1000.0 * (double)examples_of(&session, plan->steps) / (double)session.train.count + 0.5);
    plan->recomputed_blocks = session.passes.train_options.recompute_blocks;
    plan->blocks = session.model.config.layers;
    lcal__session_close(&session);
    return LCAL_OK;
}
