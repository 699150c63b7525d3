#include "train/session.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "num/gemm.h"
#include "train/run_data.h"

/* --- model and adapters ----------------------------------------------------------------- */

static bool has_file(const char *directory, const char *name)
{
    char *path = lcal__path_join(directory, name);
    bool found = path && lcal__path_is_file(path);
    lcal__free(path);
    return found;
}

static lcal_status open_model(lcal__session *s, const lcal_log *log, lcal_error *err)
{
    const char *directory = s->settings->model;
    /* A base may be trained from nothing but its description. */
    bool scratch = s->settings->method == LCAL__METHOD_BASE
                   && !has_file(directory, "model.safetensors")
                   && !has_file(directory, "model.safetensors.index.json");
    if (!scratch)
        return lcal__model_open(directory, log, &s->model, err);
    lcal__model_config config;
    LCAL_TRY(lcal__model_open_config(directory, &config, err));
    lcal__log(log, LCAL_LOG_INFO, "%s: no weights: starting from random ones of seed %llu",
              directory, (unsigned long long)s->settings->train.seed);
    return lcal__model_random(&config, s->settings->train.seed, &s->model, err);
}

/* --- data ------------------------------------------------------------------------------- */

static lcal_status open_data(lcal__session *s, const lcal_log *log, lcal_error *err)
{
    const lcal__settings *settings = s->settings;
    lcal__run_data data;
    LCAL_TRY(lcal__run_data_open(settings, s->model.config.vocab, log, &data, err));
    lcal__text_close(&data.text); /* all is tokenised */
    s->train = data.train;
    s->valid = data.valid;
    memcpy(s->data_sha256, data.sha256, sizeof(s->data_sha256));
    const size_t examples = (size_t)settings->train.batch_size;
    const size_t tokens = examples ? 0 : (size_t)settings->train.batch_tokens;
    return lcal__batcher_init(&s->batcher, &s->train, settings->data.shuffle, settings->train.seed,
                              tokens, examples, err);
}

/* --- what is trained -------------------------------------------------------------------- */

static lcal_status check_start(const lcal__calib_spec *spec, const lcal__calib_spec *start,
                               const char *source, lcal_error *err)
{
    if (start->method != spec->method)
        return lcal__fail(err, LCAL_CONFIG,
                          "calibration.init: %s: holds another method than the one to be trained; "
                          "set method as it was",
                          source);
    if (start->form != spec->form && spec->method == LCAL__METHOD_LC)
        return lcal__fail(err, LCAL_CONFIG,
                          "calibration.init: %s: holds the other calibration.form", source);
    if (start->scale != spec->scale)
        return lcal__fail(err, LCAL_CONFIG,
                          "calibration.init: %s: expected calibration.scale %g, found %g", source,
                          spec->scale, start->scale);
    return LCAL_OK;
}

static lcal_status load_start(lcal__session *s, lcal_error *err)
{
    const char *path = s->settings->calibration.init;
    lcal__calib_file file;
    LCAL_TRY(lcal__calib_load(path, &file, err));
    lcal_status status = check_start(&s->spec, &file.facts.spec, path, err);
    if (status == LCAL_OK)
        status = lcal__calib_facts_check(&file.facts, path, &s->model, s->adapters.uses,
                                         s->adapters.count, &s->settings->merge, err);
    if (status == LCAL_OK)
        status = lcal__calib_apply(&file, path, &s->assembly.params, err);
    lcal__calib_file_free(&file);
    return status;
}

static lcal_status init_values(lcal__session *s, lcal_error *err)
{
    const bool given = strcmp(s->settings->calibration.init, "default") != 0;
    const lcal__method method = s->settings->method;
    if (given && (method == LCAL__METHOD_LORA || method == LCAL__METHOD_BASE))
        return lcal__fail(err, LCAL_CONFIG,
                          "calibration.init: methods lc, lcpp and columns start from a "
                          "calibration, but a LoRA or a base is to be trained");
    if (method != LCAL__METHOD_BASE)
        lcal__calib_init(&s->spec, s->settings->train.seed, &s->assembly.params);
    return given ? load_start(s, err) : LCAL_OK;
}

static lcal_status open_network(lcal__session *s, lcal__session_extent extent, lcal_error *err)
{
    s->spec = lcal__calib_spec_from(s->settings);
    const lcal__assembly_options options = {
        .spec = &s->spec,
        .memory = s->settings->train.memory,
        .merge = &s->settings->merge,
        .training = true,
        .shapes_only = extent == LCAL__SESSION_PLANNED,
    };
    LCAL_TRY(lcal__assemble(&s->model, s->adapters.uses, s->adapters.count, &options, &s->exec,
                            &s->assembly, err));
    if (s->assembly.params.total == 0)
        return lcal__fail(err, LCAL_CONFIG,
                          "method columns: no adapter changes any of the projections in "
                          "calibration.targets, so there is nothing to train");
    return init_values(s, err);
}

static lcal_status open_state(lcal__session *s, lcal_error *err)
{
    const size_t total = s->assembly.params.total;
    LCAL_TRY(lcal__passes_allocate(&s->passes, err));
    LCAL_TRY(lcal__adamw_init(&s->adamw, total, err));
    if (!s->valid.count || !s->settings->train.keep_best)
        return LCAL_OK;
    s->best = lcal__alloc_aligned(total, sizeof(float));
    if (!s->best)
        return lcal__fail_nomem(err, "the best parameters");
    memcpy(s->best, s->assembly.params.values, total * sizeof(float));
    return LCAL_OK;
}

static lcal_status open_all(lcal__session *s, lcal__session_extent extent, const lcal_log *log,
                            lcal_error *err)
{
    const uint64_t available = lcal__memory_available();
    const char *complaint = lcal__blas_complaint();
    if (complaint)
        lcal__log(log, LCAL_LOG_NOTICE, "%s", complaint);
    s->exec = lcal__exec_init((size_t)s->settings->train.threads);
    LCAL_TRY(open_model(s, log, err));
    LCAL_TRY(lcal__adapter_list_open_all(&s->adapters, s->settings, &s->model.config, log, err));
    LCAL_TRY(open_data(s, log, err));
    LCAL_TRY(open_network(s, extent, err));
    if (s->assembly.truncation > 0.0)
        lcal__log(log, LCAL_LOG_INFO, LCAL__TRUNCATION_NOTE, 100.0 * s->assembly.truncation);
    LCAL_TRY(lcal__passes_init(&s->passes, s->settings, &s->batcher,
                               s->valid.count ? &s->valid : NULL, err));
    LCAL_TRY(lcal__passes_plan(&s->passes, s->settings, &s->assembly.network, &s->exec,
                               lcal__session_budget(s, available), err));
    return extent == LCAL__SESSION_READY ? open_state(s, err) : LCAL_OK;
}

lcal_status lcal__session_open(const lcal__settings *settings, lcal__session_extent extent,
                               const lcal_log *log, lcal__session *out, lcal_error *err)
{
    *out = (lcal__session){.settings = settings};
    lcal_status status = open_all(out, extent, log, err);
    if (status != LCAL_OK)
        lcal__session_close(out);
    return status;
}

void lcal__session_close(lcal__session *session)
{
    lcal__free(session->best);
    lcal__adamw_free(&session->adamw);
    lcal__passes_free(&session->passes);
    lcal__batcher_free(&session->batcher);
    lcal__dataset_free(&session->valid);
    lcal__dataset_free(&session->train);
    lcal__assembly_free(&session->assembly);
    lcal__adapter_list_free(&session->adapters);
    lcal__model_close(&session->model);
    *session = (lcal__session){0};
}

lcal_status lcal__session_facts(const lcal__session *session, lcal__calib_facts *out,
                                lcal_error *err)
{
    LCAL_TRY(lcal__calib_facts_from(&session->model, session->adapters.uses,
                                    session->adapters.count, &session->settings->merge,
                                    &session->spec, out, err));
    out->seed = session->settings->train.seed;
    return LCAL_OK;
}
