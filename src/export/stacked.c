#include "export/stacked.h"

#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "config/merge_rule.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Ranks of all pairs, and whether there are biases. */
static void plan(lcal__stacked *w)
{
    const lcal__model_config *config = &w->job->model->base.config;
    const size_t wanted = w->job->options->rank;
    for (size_t layer = 0; layer < config->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__update_shape shape = lcal__update_shape_of(w->job->update, layer, p);
            size_t *rank = &w->ranks[layer * LCAL__PROJ_COUNT + p];
            *rank = shape.rank;
            if (shape.dense || (wanted && shape.rank > wanted))
                *rank =
                    smaller(wanted, smaller(lcal__proj_out(config, p), lcal__proj_in(config, p)));
            /* A bias alone still needs a pair to belong to: zeros. */
            if (*rank == 0 && shape.bias)
                *rank = 1;
            w->bias = w->bias || shape.bias;
        }
}

static void let_go(lcal__stacked *w)
{
    lcal__module_update_free(&w->module);
    lcal__cut_free(&w->cut);
    lcal__free(w->values);
    lcal__free(w->zeros);
    w->values = w->zeros = NULL;
}

/* --- one pair -------------------------------------------------------------------------------- */

static lcal_status store_rows(void *context, size_t first, size_t count, const float *rows,
                              const float *calibration, lcal_error *err)
{
    (void)calibration;
    (void)err;
    const lcal__stacked *w = context;
    memcpy(w->values + first * w->module.cols, rows, count * w->module.cols * sizeof(float));
    return LCAL_OK;
}

static lcal_status cut(lcal__stacked *w, size_t rank, lcal__lora_pair *out, lcal_error *err)
{
    const lcal__module_update *m = &w->module;
    const lcal__exec *exec = &w->job->model->exec;
    if (!m->dense) {
        LCAL_TRY(lcal__cut_pairs(exec, m->pairs, m->count, m->rows, m->cols, rank, &w->cut, err));
    } else {
        w->values = lcal__alloc_aligned(m->rows * m->cols, sizeof(float));
        if (!w->values)
            return lcal__fail_nomem(err, "a dense update");
        LCAL_TRY(lcal__module_update_rows(m, store_rows, w, err));
        LCAL_TRY(lcal__cut_dense(exec, w->values, m->rows, m->cols, rank, &w->cut, err));
    }
    *out = w->cut.pair;
    return LCAL_OK;
}

/* A [rank, cols] and B [rows, rank] of all pairs together. */
static lcal_status stack(lcal__stacked *w, size_t rank, lcal__lora_pair *out, lcal_error *err)
{
    const lcal__module_update *m = &w->module;
    w->values = lcal__calloc(rank, (m->rows + m->cols) * sizeof(float));
    if (!w->values)
        return lcal__fail_nomem(err, "an adapter's pair");
    float *a = w->values, *b = a + rank * m->cols;
    size_t at = 0;
    for (size_t i = 0; i < m->count; i++) {
        const lcal__lora_pair *pair = &m->pairs[i];
        for (size_t e = 0; e < pair->rank * m->cols; e++)
            a[at * m->cols + e] = pair->scale * pair->a[e];
        for (size_t r = 0; r < m->rows; r++)
            memcpy(b + r * rank + at, pair->b + r * pair->rank, pair->rank * sizeof(float));
        at += pair->rank;
    }
    *out = (lcal__lora_pair){.a = a, .b = b, .rank = rank, .scale = 1.0f};
    return LCAL_OK;
}

static lcal_status give_bias(lcal__stacked *w, lcal__lora_pair *out, lcal_error *err)
{
    out->bias = w->module.bias;
    if (out->bias || !w->bias)
        return LCAL_OK;
    w->zeros = lcal__calloc(w->module.rows, sizeof(float));
    out->bias = w->zeros;
    return w->zeros ? LCAL_OK : lcal__fail_nomem(err, "an adapter's bias");
}

lcal_status lcal__stacked_pair(lcal__stacked *w, size_t layer, lcal__proj proj,
                               lcal__lora_pair *out, lcal_error *err)
{
    const size_t rank = w->ranks[layer * LCAL__PROJ_COUNT + proj];
    const lcal__update_shape shape = lcal__update_shape_of(w->job->update, layer, proj);
    lcal_export_module *note;
    let_go(w);
    *out = (lcal__lora_pair){0};
    if (rank == 0)
        return LCAL_OK;
    LCAL_TRY(lcal__update_module(w->job->update, layer, proj, &w->module, err));
    LCAL_TRY(shape.dense || rank < shape.rank ? cut(w, rank, out, err) : stack(w, rank, out, err));
    LCAL_TRY(give_bias(w, out, err));
    LCAL_TRY(lcal__export_note(w->job, layer, proj, &note, err));
    note->rank = rank;
    note->truncation = w->cut.values ? w->cut.truncation : w->module.merged.truncation;
    return LCAL_OK;
}

/* --- all pairs -------------------------------------------------------------------------------- */

lcal_status lcal__stacked_check(const lcal__exporting *job, const char *merged, lcal_error *err)
{
    const lcal__composition *model = job->model;
    if (lcal__update_is_empty(job->update))
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "nothing is added to the base: an adapter would be empty; the base alone "
                          "fits %s",
                          merged);
    if (job->options->rank || model->merged == 0 || lcal__merge_is_factored(model->merge.method))
        return LCAL_OK;
    return lcal__fail(err, LCAL_UNSUPPORTED,
                      "merge %s gives updates of full rank, but an adapter holds pairs: cut them "
                      "with a rank, or choose a merged model (%s), which holds them as they are",
                      lcal__merge_rule_name(model->merge.method), merged);
}

lcal_status lcal__stacked_open(const lcal__exporting *job, lcal__stacked *out, lcal_error *err)
{
    const size_t layers = job->model->base.config.layers;
    *out = (lcal__stacked){.job = job,
                           .ranks = lcal__calloc(layers * LCAL__PROJ_COUNT, sizeof(*out->ranks))};
    if (!out->ranks)
        return lcal__fail_nomem(err, "the ranks of an adapter");
    plan(out);
    return LCAL_OK;
}

void lcal__stacked_close(lcal__stacked *stacked)
{
    let_go(stacked);
    lcal__free(stacked->ranks);
    *stacked = (lcal__stacked){0};
}
