/* Compositions from a directory, a configuration, or a run. */
#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"
#include "config/config.h"
#include "config/run_files.h"
#include "num/gemm.h"

/* options may be NULL; tokenizer_path: where the tokenizer is looked for. */
static lcal_status open_base(const char *directory, const char *tokenizer_path,
                             const lcal_model_options *options, lcal_model **out, lcal_error *err)
{
    const lcal_model_options standard = {0};
    if (!options)
        options = &standard;
    const char *complaint = lcal__blas_complaint();
    if (complaint)
        lcal__log(options->log, LCAL_LOG_NOTICE, "%s", complaint);
    lcal_model *m = lcal__calloc(1, sizeof(*m));
    if (!m)
        return lcal__fail_nomem(err, directory);
    m->exec = lcal__exec_init(options->threads);
    m->log = options->log;
    m->cache = options->cache;
    m->memory = options->low_memory ? LCAL__MEMORY_LOW : LCAL__MEMORY_FAST;
    m->tokenizer_path = lcal__strdup(tokenizer_path);
    lcal_status status = m->tokenizer_path ? lcal__model_open(directory, m->log, &m->base, err)
                                           : lcal__fail_nomem(err, directory);
    if (status == LCAL_OK)
        *out = m;
    else
        lcal_model_close(&m);
    return status;
}

lcal_status lcal_model_open(const char *directory, const lcal_model_options *options,
                            lcal_model **out, lcal_error *err)
{
    if (!directory || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_model_open: directory and out must be given");
    return open_base(directory, directory, options, out, err);
}

/* --- from a configuration --------------------------------------------------------------- */

static lcal_status keep_words(lcal_model *m, const lcal__settings *settings, lcal_error *err)
{
    m->template_ = lcal__template_name(settings->data.template_);
    m->loss_on = lcal__loss_on_name(settings->data.loss_on);
    if (!settings->data.system[0])
        return LCAL_OK;
    m->system = lcal__strdup(settings->data.system);
    return m->system ? LCAL_OK : lcal__fail_nomem(err, "data.system");
}

/* The base of the settings, or the one at `directory` in its place, with adapters and merge. */
static lcal_status open_settings(const lcal__settings *settings, const char *directory,
                                 const lcal_model_options *options, lcal_model **out,
                                 lcal_error *err)
{
    LCAL_TRY(open_base(directory ? directory : settings->model,
                       settings->data.tokenizer[0] ? settings->data.tokenizer : settings->model,
                       options, out, err));
    lcal_model *m = *out;
    m->merge = settings->merge;
    lcal_status status = keep_words(m, settings, err);
    if (status == LCAL_OK)
        status = lcal__adapter_list_open_all(&m->adapters, settings, &m->base.config, m->log, err);
    m->merged = m->adapters.count;
    if (status != LCAL_OK)
        lcal_model_close(out);
    return status;
}

lcal_status lcal_model_open_config(const lcal_config *config, const lcal_model_options *options,
                                   lcal_model **out, lcal_error *err)
{
    if (!config || !out)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_model_open_config: config and out must be given");
    return open_settings(lcal__config_settings(config), NULL, options, out, err);
}

/* --- from a run ------------------------------------------------------------------------- */

static lcal_status read_config(const char *run, lcal_config **out, lcal_error *err)
{
    char *path = lcal__path_join(run, LCAL__RUN_CONFIG);
    if (!path)
        return lcal__fail_nomem(err, run);
    lcal_status status;
    if (lcal__path_is_file(path))
        status = lcal_config_open_for(LCAL_FOR_MODEL, path, NULL, 0, out, err);
    else
        status = lcal__fail(err, LCAL_CONFIG, "%s: no run of lcal (no " LCAL__RUN_CONFIG ")", run);
    lcal__free(path);
    return status;
}

static const char *result_name(lcal__method method)
{
    switch (method) {
    case LCAL__METHOD_LORA:
        return LCAL__RUN_ADAPTER;
    case LCAL__METHOD_BASE:
        return LCAL__RUN_MODEL;
    case LCAL__METHOD_LC:
    case LCAL__METHOD_LCPP:
    case LCAL__METHOD_COLUMNS:
        break;
    }
    return LCAL__RUN_CALIBRATION;
}

/* Puts what was trained on top of the settings' model. */
static lcal_status open_result(const lcal__settings *settings, const char *result,
                               const lcal_model_options *options, lcal_model **out, lcal_error *err)
{
    const bool base = settings->method == LCAL__METHOD_BASE;
    LCAL_TRY(open_settings(settings, base ? result : NULL, options, out, err));
    lcal_model *m = *out;
    lcal_status status = LCAL_OK;
    if (settings->method == LCAL__METHOD_LORA)
        /* On top of the merged ones, as it was trained. */
        status = lcal__adapter_list_open(&m->adapters, result, 1.0, &m->base.config, m->log, err);
    else if (!base)
        status = lcal_model_calibrate(m, result, err);
    if (status != LCAL_OK)
        lcal_model_close(out);
    return status;
}

lcal_status lcal_model_open_run(const char *run, const lcal_model_options *options,
                                lcal_model **out, lcal_error *err)
{
    lcal_config *config = NULL;
    if (!run || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_model_open_run: run and out must be given");
    LCAL_TRY(read_config(run, &config, err));
    const lcal__settings *settings = lcal__config_settings(config);
    const char *name = result_name(settings->method);
    char *result = lcal__path_join(run, name);
    lcal_status status;
    if (!result)
        status = lcal__fail_nomem(err, run);
    else if (!lcal__path_is_file(result) && !lcal__path_is_dir(result))
        status = lcal__fail(err, LCAL_CONFIG,
                            "%s: the run has no result yet (no %s); finish it with `lcal train "
                            "--resume`",
                            run, name);
    else
        status = open_result(settings, result, options, out, err);
    lcal__free(result);
    lcal_config_close(&config);
    return status;
}
