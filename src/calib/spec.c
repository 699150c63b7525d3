#include "calib/spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"

lcal__calib_spec lcal__calib_spec_from(const lcal__settings *settings)
{
    lcal__calib_spec spec = {
        .method = settings->method,
        .form = settings->calibration.form,
        .share = settings->calibration.share,
        .scale = 1.0,
        .targets = settings->calibration.targets,
    };
    if (spec.method == LCAL__METHOD_LORA) {
        spec.rank = (size_t)settings->lora.rank;
        spec.scale = settings->lora.alpha / (double)settings->lora.rank;
        spec.targets = settings->lora.targets;
    } else if (spec.method == LCAL__METHOD_LC || spec.method == LCAL__METHOD_LCPP) {
        spec.scale = settings->calibration.scale;
    }
    if (spec.method == LCAL__METHOD_LCPP)
        spec.rank = (size_t)settings->calibration.rank;
    return spec;
}

bool lcal__calib_targets(const lcal__calib_spec *spec, lcal__proj proj)
{
    return spec->targets >> proj & 1u;
}

/* "PREFIXNAME.LEAF" */
static lcal_status add(lcal__params *params, const char *prefix, lcal__proj proj, const char *leaf,
                       size_t rows, size_t cols, lcal_error *err)
{
    char name[128];
    snprintf(name, sizeof(name), "%s%s.%s", prefix, lcal__proj_name(proj), leaf);
    return lcal__params_add(params, name, rows, cols, NULL, err);
}

static lcal_status add_site(const lcal__calib_spec *spec, const lcal__model_config *config,
                            const char *prefix, lcal__proj proj, lcal__params *params,
                            lcal_error *err)
{
    const size_t d_in = lcal__proj_in(config, proj), d_out = lcal__proj_out(config, proj);
    if (spec->method == LCAL__METHOD_LC)
        return add(params, prefix, proj, "p", 0, d_out, err);
    bool lora = spec->method == LCAL__METHOD_LORA;
    LCAL_TRY(add(params, prefix, proj, lora ? "A" : "P1", spec->rank, d_in, err));
    return add(params, prefix, proj, lora ? "B" : "P2", d_out, spec->rank, err);
}

static lcal_status add_columns(const lcal__calib_spec *spec, const lcal__model_config *config,
                               const lcal__adapter_use *uses, size_t count, lcal__params *params,
                               lcal_error *err)
{
    for (size_t a = 0; a < count; a++)
        for (size_t layer = 0; layer < config->layers; layer++)
            for (int proj = 0; proj < LCAL__PROJ_COUNT; proj++) {
                char prefix[64];
                if (!lcal__calib_targets(spec, proj)
                    || !lcal__adapter_pair(uses[a].adapter, layer, proj)->a)
                    continue;
                snprintf(prefix, sizeof(prefix), "adapters.%zu.layers.%zu.", a, layer);
                LCAL_TRY(add(params, prefix, proj, "m", 0, lcal__proj_in(config, proj), err));
            }
    return LCAL_OK;
}

lcal_status lcal__calib_layout(const lcal__calib_spec *spec, const lcal__model_config *config,
                               const lcal__adapter_use *uses, size_t count, lcal__params *params,
                               lcal_error *err)
{
    if (spec->method == LCAL__METHOD_COLUMNS)
        return add_columns(spec, config, uses, count, params, err);
    bool shared = spec->method != LCAL__METHOD_LORA && spec->share == LCAL__SHARE_LAYERS;
    for (size_t layer = 0; layer < (shared ? 1 : config->layers); layer++)
        for (int proj = 0; proj < LCAL__PROJ_COUNT; proj++) {
            char prefix[64] = "";
            if (!lcal__calib_targets(spec, proj))
                continue;
            if (!shared)
                snprintf(prefix, sizeof(prefix), "layers.%zu.", layer);
            LCAL_TRY(add_site(spec, config, prefix, proj, params, err));
        }
    return LCAL_OK;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

void lcal__calib_init(const lcal__calib_spec *spec, uint64_t seed, lcal__params *params)
{
    for (size_t i = 0; i < params->count; i++) {
        const lcal__param *param = &params->items[i];
        float *values = params->values + param->offset;
        size_t count = param->rows * param->cols;
        if (spec->method == LCAL__METHOD_COLUMNS) {
            for (size_t j = 0; j < count; j++)
                values[j] = 1.0f;
        } else if (ends_in(param->name, ".P1") || ends_in(param->name, ".A")) {
            lcal__rng rng = {seed, lcal__rng_stream(param->name), 0};
            double bound = 1.0 / sqrt((double)param->cols);
            for (size_t j = 0; j < count; j++)
                values[j] = (float)((2.0 * lcal__rng_uniform(&rng) - 1.0) * bound);
        } else {
            memset(values, 0, count * sizeof(float));
        }
    }
}
