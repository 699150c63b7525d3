#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "methods/turns.h"

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
static void validate(lcal__turns *s, lcal_progress *row)
{
    lcal_trainer *at = lcal__turns_home(s);
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

lcal_status lcal__turns_save(lcal__turns *s)
{
    char *path = lcal__turns_path(s, "checkpoint.h5");
    if (!path)
        return lcal__fail_nomem(s->err, s->directory);
    lcal_status status =
        lcal__checkpoint_save(path, &lcal__turns_home(s)->session, &lcal__turns_home(s)->state,
                              s->members.identity, s->err);
    lcal__free(path);
    return status;
}

static bool is_due(uint64_t step, uint64_t every, uint64_t steps)
{
    return step % every == 0 || step == steps;
}

lcal_status lcal__turns_step(lcal__turns *s)
{
    const lcal__settings *settings = s->job->settings;
    const lcal_train_hooks *hooks = &s->job->options->hooks;
    lcal_trainer *t = s->trainers[lcal__turns_home(s)->state.step % s->members.count];
    lcal_progress row;
    hand_over(lcal__turns_home(s), t);
    /* Validation is of all together, not this trainer's own affair. */
    const size_t validation = t->session.valid.count;
    t->session.valid.count = 0;
    const lcal_status status = lcal__trainer_step(t, &row, s->err);
    t->session.valid.count = validation;
    LCAL_TRY(status);
    hand_over(t, lcal__turns_home(s));
    if (is_due(row.step, settings->train.eval_every, row.steps))
        validate(s, &row);
    row.logged = row.logged || is_due(row.step, settings->train.log_every, row.steps);
    if (row.step < row.steps && row.step % settings->train.save_every == 0)
        LCAL_TRY(lcal__turns_save(s));
    if (hooks->progress)
        hooks->progress(hooks->user, &row);
    return LCAL_OK;
}
