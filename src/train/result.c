#include "train/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "train/model_view.h"

/* --- lc, lcpp, columns ------------------------------------------------------------------ */

typedef lcal_status save_fn(const char *path, const lcal__calib_facts *facts,
                            const lcal__params *params, const float *values, lcal__store dtype,
                            lcal_error *err);

static bool ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcmp(path + length - tail, ending) == 0;
}

static lcal_status write_calibration(const lcal__session *s, const lcal__result *result,
                                     const char *path, lcal_error *err)
{
    save_fn *save = ends_in(path, ".h5")            ? lcal__calib_save_h5
                    : ends_in(path, ".safetensors") ? lcal__calib_save_safetensors
                                                    : NULL;
    if (!save)
        return lcal__fail(err, LCAL_INVALID,
                          "%s: a calibration is written to a file that ends in .h5 or "
                          ".safetensors",
                          path);
    lcal__calib_facts facts;
    LCAL_TRY(lcal__session_facts(s, &facts, err));
    facts.step = result->step;
    facts.tokens = result->tokens;
    facts.valid_loss = result->valid_loss;
    lcal_status status = save(path, &facts, &s->assembly.params, result->values,
                              s->settings->calibration.dtype, err);
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

/* --- any -------------------------------------------------------------------------------- */

lcal__result lcal__result_best(const lcal__session *session, const lcal__train_state *state)
{
    const bool kept = session->best && !isnan(state->best_loss);
    return (lcal__result){kept ? session->best : NULL, state->best_step, state->best_tokens,
                          state->best_loss};
}

lcal__result lcal__result_last(const lcal__session *session, const lcal__train_state *state)
{
    return (lcal__result){session->assembly.params.values, state->step, state->tokens,
                          state->valid_loss};
}

lcal_status lcal__result_save(const lcal__session *session, const lcal__result *result,
                              const char *path, lcal_error *err)
{
    switch (session->spec.method) {
    case LCAL__METHOD_LORA:
        return write_lora(session, result->values, path, err);
    case LCAL__METHOD_BASE:
        return write_model(session, result->values, path, err);
    case LCAL__METHOD_LC:
    case LCAL__METHOD_LCPP:
    case LCAL__METHOD_COLUMNS:
        break;
    }
    return write_calibration(session, result, path, err);
}

lcal_status lcal__result_write(const lcal__session *session, const lcal__result *result,
                               const lcal__run_dir *dir, lcal_error *err)
{
    if (session->spec.method == LCAL__METHOD_LORA)
        return lcal__result_save(session, result, dir->adapter, err);
    if (session->spec.method == LCAL__METHOD_BASE)
        return lcal__result_save(session, result, dir->model, err);
    LCAL_TRY(lcal__result_save(session, result, dir->calibration_h5, err));
    return lcal__result_save(session, result, dir->calibration_safetensors, err);
}
