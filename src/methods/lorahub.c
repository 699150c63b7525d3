/*
 * LoraHub (Huang et al. 2023): the weights of the adapters' factors (factors.h) are searched
 * without gradients on a few examples, minimising their loss + penalty mean |w|. The search is
 * COBYLA (Powell 1994), by NLopt, in the box and with the start 0 and first step that the authors'
 * program comes to; it starts again from the best point until the budget is spent.
 */
#include <math.h>
#include <nlopt.h>

#include "base/mem.h"
#include "methods/factors.h"
#include "methods/rows.h"
#include "methods/shots.h"

#define TOLERANCE 5e-5 /* of a weight: where COBYLA stops by itself */
#define BATCH 0        /* all examples make one batch */

typedef struct search {
    const lcal__job *job;
    lcal_model *model;
    lcal__factors factors;
    lcal__dataset shots;
    nlopt_opt optimiser;
    double *best; /* [factors.adapters.count] */
    double best_value;
    size_t evaluations;
    lcal_status status;
    bool interrupted;
    lcal_error *err;
} search;

static lcal_status evaluate(search *s, const double *weights, unsigned count, double *value)
{
    double sum = 0.0;
    lcal__factors_weigh(&s->factors, weights);
    LCAL_TRY(lcal__shots_loss(s->model, &s->shots, BATCH, value, s->err));
    for (unsigned i = 0; i < count; i++)
        sum += fabs(weights[i]);
    *value += s->job->settings->lorahub.penalty * sum / count;
    return LCAL_OK;
}

static double objective(unsigned count, const double *weights, double *gradient, void *user)
{
    search *s = user;
    double value = HUGE_VAL;
    (void)gradient; /* COBYLA asks for none */
    s->interrupted = s->interrupted || lcal__job_should_stop(s->job);
    if (!s->interrupted)
        s->status = evaluate(s, weights, count, &value);
    if (s->interrupted || s->status != LCAL_OK) {
        nlopt_force_stop(s->optimiser);
        return HUGE_VAL;
    }
    if (s->evaluations++ == 0 || value < s->best_value) {
        s->best_value = value;
        for (unsigned i = 0; i < count; i++)
            s->best[i] = weights[i];
    }
    return value;
}

/* One descent from `point`, which it moves, with what is left of the budget. */
static lcal_status descend(search *s, double *point)
{
    const lcal__settings *settings = s->job->settings;
    const int left = (int)(settings->lorahub.budget - s->evaluations);
    nlopt_opt o = s->optimiser = nlopt_create(NLOPT_LN_COBYLA, (unsigned)s->factors.adapters.count);
    if (!o)
        return lcal__fail_nomem(s->err, "lorahub's search");
    const bool fine =
        nlopt_set_min_objective(o, objective, s) >= 0
        && nlopt_set_lower_bounds1(o, -settings->lorahub.bound) >= 0
        && nlopt_set_upper_bounds1(o, settings->lorahub.bound) >= 0
        && nlopt_set_initial_step1(o, fmin(settings->lorahub.radius, settings->lorahub.bound)) >= 0
        && nlopt_set_xtol_abs1(o, TOLERANCE) >= 0 && nlopt_set_maxeval(o, left) >= 0;
    double value;
    const nlopt_result result = fine ? nlopt_optimize(o, point, &value) : NLOPT_FAILURE;
    nlopt_destroy(o);
    if (s->status != LCAL_OK || s->interrupted)
        return s->status;
    if (result == NLOPT_OUT_OF_MEMORY)
        return lcal__fail_nomem(s->err, "lorahub's search");
    /* Rounding ends a descent as well as a tolerance does. */
    if (result < 0 && result != NLOPT_ROUNDOFF_LIMITED)
        return lcal__fail(s->err, LCAL_INTERNAL, "lorahub: NLopt's COBYLA failed with code %d",
                          (int)result);
    return LCAL_OK;
}

static lcal_status find(search *s)
{
    const size_t count = s->factors.adapters.count;
    double *point = lcal__calloc(count, sizeof(*point));
    s->best = lcal__calloc(count, sizeof(*s->best));
    lcal_status status = point && s->best ? LCAL_OK : lcal__fail_nomem(s->err, "weights");
    while (status == LCAL_OK && !s->interrupted
           && s->evaluations < s->job->settings->lorahub.budget) {
        for (size_t i = 0; i < count; i++)
            point[i] = s->best[i]; /* at first 0 */
        status = descend(s, point);
    }
    lcal__free(point);
    return status;
}

static lcal_status prepare(search *s, lcal__stage *base, lcal_error *err)
{
    lcal__changes changes = {0};
    lcal__cases shots = {0};
    lcal__changes_adapters(&changes, s->job->settings, 0, 1, NULL);
    lcal__changes_merge(&changes, LCAL__MERGE_CONCAT);
    LCAL_TRY(lcal__stage_open(s->job, base, &changes, err));
    s->model = base->passes[0];
    LCAL_TRY(lcal__factors_open(s->job->settings, s->model, s->job->options->hooks.log, &s->factors,
                                err));
    LCAL_TRY(lcal__shots_draw(s->job, &shots, err));
    lcal_status status = lcal__shots_encode(s->job, &shots, s->model, &s->shots, err);
    lcal__cases_free(&shots);
    return status;
}

/* The sum with the best weights as an adapter of its own, opened as the row's model. */
static lcal_status settle(search *s, lcal__stage *stage)
{
    lcal__changes changes = {0};
    char *directory = lcal__job_path(s->job, "adapter");
    if (!directory)
        return lcal__fail_nomem(s->err, "a path");
    lcal__factors_weigh(&s->factors, s->best);
    lcal_status status =
        lcal__factors_write(&s->factors, directory, s->job->settings->model, s->err);
    if (status == LCAL_OK) {
        stage->stored_bytes = lcal__adapter_bytes(directory);
        lcal__changes_adapter(&changes, directory);
        lcal__changes_merge(&changes, LCAL__MERGE_CONCAT);
        status = lcal__stage_open(s->job, stage, &changes, s->err);
    }
    lcal__free(directory);
    return status;
}

static lcal_status run(search *s, lcal__stage *base, lcal__stage *stage)
{
    LCAL_TRY(prepare(s, base, s->err));
    if (s->job->options->plan_only)
        return LCAL_OK;
    LCAL_TRY(find(s));
    stage->interrupted = s->interrupted;
    stage->searches = s->evaluations;
    return s->interrupted ? LCAL_OK : settle(s, stage);
}

lcal_status lcal__prepare_lorahub(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    search s = {.job = job, .err = err};
    lcal__stage base = {0};
    lcal_status status = run(&s, &base, stage);
    lcal__stage_free(&base);
    stage->weight_count = s.best ? s.factors.adapters.count : 0;
    stage->weights = s.best;
    lcal__factors_close(&s.factors);
    lcal__dataset_free(&s.shots);
    return status;
}
