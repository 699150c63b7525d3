/*
 * LM-Cocktail (Xiao et al. 2023): adapters weighted by how well each does alone on a few examples,
 * w = softmax(-loss / T), and added up exactly. Losses are means over batches of 2, as in the
 * authors' program.
 */
#include <math.h>

#include "base/mem.h"
#include "methods/rows.h"
#include "methods/shots.h"

#define BATCH 2

/* Into *loss what adapter number `index` alone comes to. */
static lcal_status score_alone(const lcal__job *job, const lcal__cases *shots, size_t index,
                               double *loss, lcal_error *err)
{
    lcal__stage alone = {0};
    lcal__changes changes = {0};
    lcal__dataset encoded = {0};
    lcal__changes_adapters(&changes, job->settings, index, 1, NULL);
    lcal__changes_merge(&changes, LCAL__MERGE_CONCAT);
    lcal_status status = lcal__stage_open(job, &alone, &changes, err);
    if (status == LCAL_OK)
        status = lcal__shots_encode(job, shots, alone.passes[0], &encoded, err);
    if (status == LCAL_OK)
        status = lcal__shots_loss(alone.passes[0], &encoded, BATCH, loss, err);
    lcal__dataset_free(&encoded);
    lcal__stage_free(&alone);
    return status;
}

/* In place: losses to weights. */
static void soften(double *values, size_t count, double temperature)
{
    double least = values[0], sum = 0.0;
    for (size_t i = 1; i < count; i++)
        least = fmin(least, values[i]);
    for (size_t i = 0; i < count; i++)
        sum += values[i] = exp((least - values[i]) / temperature);
    for (size_t i = 0; i < count; i++)
        values[i] /= sum;
}

lcal_status lcal__prepare_cocktail(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    const lcal__settings *settings = job->settings;
    const bool plan_only = job->options->plan_only;
    lcal__cases shots = {0};
    lcal_status status = lcal__shots_draw(job, &shots, err);
    stage->weight_count = settings->adapter_count;
    stage->weights = lcal__calloc(stage->weight_count, sizeof(*stage->weights));
    if (status == LCAL_OK && !stage->weights)
        status = lcal__fail_nomem(err, "weights");
    for (size_t i = 0; i < stage->weight_count && status == LCAL_OK && !plan_only;
         i++, stage->searches++)
        status = score_alone(job, &shots, i, &stage->weights[i], err);
    lcal__cases_free(&shots);
    if (status != LCAL_OK || plan_only)
        return status;
    soften(stage->weights, stage->weight_count, settings->cocktail.temperature);
    lcal__changes changes = {0};
    lcal__changes_adapters(&changes, settings, 0, stage->weight_count, stage->weights);
    lcal__changes_merge(&changes, LCAL__MERGE_CONCAT);
    return lcal__stage_open(job, stage, &changes, err);
}
