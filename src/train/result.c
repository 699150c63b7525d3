#include "train/result.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "train/model_view.h"

/* --- lc, lcpp, columns ------------------------------------------------------------------ */

static lcal_status write_calibration(const lcal__session *s, const lcal__train_state *state,
                                     bool best, const float *values, const lcal__run_dir *dir,
                                     lcal_error *err)
{
    const lcal__params *params = &s->assembly.params;
    const lcal__store dtype = s->settings->calibration.dtype;
    lcal__calib_facts facts;
    LCAL_TRY(lcal__session_facts(s, &facts, err));
    facts.step = best ? state->best_step : state->step;
    facts.tokens = best ? state->best_tokens : state->tokens;
    facts.valid_loss = best ? state->best_loss : state->valid_loss;
    lcal_status status =
        lcal__calib_save_h5(dir->calibration_h5, &facts, params, values, dtype, err);
    if (status == LCAL_OK)
        status = lcal__calib_save_safetensors(dir->calibration_safetensors, &facts, params, values,
                                              dtype, err);
    lcal__calib_facts_free(&facts);
    return status;
}

/* --- lora ------------------------------------------------------------------------------- */

static const float *tensor_of(const lcal__params *params, const float *values, size_t layer,
                              lcal__proj proj, const char *leaf)
{
    char name[96];
    snprintf(name, sizeof(name), "layers.%zu.%s.%s", layer, lcal__proj_name(proj), leaf);
    const lcal__param *param = lcal__params_find(params, name);
    return param ? values + param->offset : NULL;
}

static lcal_status write_lora(const lcal__session *s, const float *values, const char *directory,
                              lcal_error *err)
{
    const lcal__model_config *config = &s->model.config;
    const lcal__params *params = &s->assembly.params;
    lcal__lora_pair *pairs = lcal__calloc(config->layers, LCAL__PROJ_COUNT * sizeof(*pairs));
    if (!pairs)
        return lcal__fail_nomem(err, directory);
    for (size_t layer = 0; layer < config->layers; layer++)
        for (int proj = 0; proj < LCAL__PROJ_COUNT; proj++)
            if (lcal__calib_targets(&s->spec, (lcal__proj)proj))
                pairs[layer * LCAL__PROJ_COUNT + (size_t)proj] = (lcal__lora_pair){
                    .a = tensor_of(params, values, layer, (lcal__proj)proj, "A"),
                    .b = tensor_of(params, values, layer, (lcal__proj)proj, "B"),
                    .rank = s->spec.rank,
                    .scale = (float)s->spec.scale,
                };
    lcal_status status = lcal__adapter_write(directory, s->settings->model, pairs, config->layers,
                                             config, s->spec.rank, s->settings->lora.alpha, err);
    lcal__free(pairs);
    return status;
}

/* --- base ------------------------------------------------------------------------------- */

static lcal_status write_model(const lcal__session *s, const float *values, const char *directory,
                               lcal_error *err)
{
    lcal__model view;
    LCAL_TRY(lcal__model_view(&s->model, &s->assembly.params, values, &view, err));
    lcal_status status = lcal__model_write(&view, LCAL__F32, directory, err);
    lcal__model_view_free(&view);
    return status;
}

lcal_status lcal__result_write(const lcal__session *session, const lcal__train_state *state,
                               const lcal__run_dir *dir, lcal_error *err)
{
    const bool best = session->best && !isnan(state->best_loss);
    const float *values = best ? session->best : session->assembly.params.values;
    switch (session->spec.method) {
    case LCAL__METHOD_LORA:
        return write_lora(session, values, dir->adapter, err);
    case LCAL__METHOD_BASE:
        return write_model(session, values, dir->model, err);
    case LCAL__METHOD_LC:
    case LCAL__METHOD_LCPP:
    case LCAL__METHOD_COLUMNS:
        break;
    }
    return write_calibration(session, state, best, values, dir, err);
}
