/* One handle for base, adapters and calibration: changing it, and its network. */
#include "calib/composition.h"

#include <stdio.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "config/merge_rule.h"

void lcal_model_close(lcal_model **model)
{
    if (!model || !*model)
        return;
    lcal_model *m = *model;
    lcal__tokenizer_close(&m->tokenizer);
    lcal__free(m->tokenizer_path);
    lcal__free(m->system);
    lcal__assembly_free(&m->assembly);
    lcal__calib_file_free(&m->calibration);
    lcal__free(m->calibration_path);
    lcal__adapter_list_free(&m->adapters);
    lcal__model_close(&m->base);
    lcal__free(m);
    *model = NULL;
}

size_t lcal_model_vocab(const lcal_model *model)
{
    return model->base.config.vocab;
}

/* --- changes ---------------------------------------------------------------------------- */

static void disassemble(lcal_model *m)
{
    lcal__assembly_free(&m->assembly);
    m->assembled = false;
}

static void take_calibration_off(lcal_model *m)
{
    disassemble(m);
    lcal__calib_file_free(&m->calibration);
    lcal__free(m->calibration_path);
    m->calibration_path = NULL;
}

lcal_status lcal_model_add_adapter(lcal_model *model, const char *directory, double weight,
                                   lcal_error *err)
{
    if (!model || !directory)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_model_add_adapter: model and directory must be given");
    const bool all_merged = model->merged == model->adapters.count;
    LCAL_TRY(lcal__adapter_list_open(&model->adapters, directory, weight, &model->base.config,
                                     model->log, err));
    if (all_merged)
        model->merged = model->adapters.count;
    take_calibration_off(model);
    return LCAL_OK;
}

lcal_status lcal_model_merge(lcal_model *model, const char *rule, lcal_error *err)
{
    if (!model || !rule)
        return lcal__fail(err, LCAL_INVALID, "lcal_model_merge: model and rule must be given");
    LCAL_TRY(lcal__merge_parse(rule, "merge", &model->merge, err));
    model->merged = model->adapters.count;
    take_calibration_off(model);
    return LCAL_OK;
}

/* Every tensor has its place in this network: what assembling would find out too late. */
static lcal_status check_fit(const lcal_model *m, const lcal__calib_file *file, const char *path,
                             lcal_error *err)
{
    lcal__params params = {0};
    lcal_status status = lcal__calib_layout(&file->facts.spec, &m->base.config, m->adapters.uses,
                                            m->adapters.count, &params, err);
    if (status == LCAL_OK)
        status = lcal__params_allocate(&params, err);
    if (status == LCAL_OK)
        status = lcal__calib_apply(file, path, &params, err);
    lcal__params_free(&params);
    return status;
}

static lcal_status check_calibration(const lcal_model *m, const lcal__calib_file *file,
                                     const char *path, lcal_error *err)
{
    const lcal__merge_settings sum = lcal__merge_defaults(LCAL__MERGE_CONCAT);
    if (m->merged < m->adapters.count && !lcal__merge_equal(&m->merge, &sum))
        return lcal__fail(err, LCAL_INVALID,
                          "%s: made for adapters that are all merged, but %zu of the %zu here are "
                          "on top of the merge",
                          path, m->adapters.count - m->merged, m->adapters.count);
    LCAL_TRY(lcal__calib_facts_check(&file->facts, path, &m->base, m->adapters.uses,
                                     m->adapters.count, &m->merge, err));
    return check_fit(m, file, path, err);
}

lcal_status lcal_model_calibrate(lcal_model *model, const char *path, lcal_error *err)
{
    if (!model)
        return lcal__fail(err, LCAL_INVALID, "lcal_model_calibrate: model must be given");
    if (!path) {
        take_calibration_off(model);
        return LCAL_OK;
    }
    lcal__calib_file file;
    LCAL_TRY(lcal__calib_load(path, &file, err));
    char *copy = lcal__strdup(path);
    lcal_status status =
        copy ? check_calibration(model, &file, path, err) : lcal__fail_nomem(err, path);
    if (status != LCAL_OK) {
        lcal__calib_file_free(&file);
        lcal__free(copy);
        return status;
    }
    take_calibration_off(model);
    model->calibration = file;
    model->calibration_path = copy;
    return LCAL_OK;
}

/* --- the network ------------------------------------------------------------------------ */

/* The one place where a composition's merge reaches the network. */
static lcal_status assemble(lcal_model *m, lcal_error *err)
{
    const lcal__assembly_options options = {
        .spec = m->calibration_path ? &m->calibration.facts.spec : NULL,
        .memory = m->memory,
        .merge = &m->merge,
        .apart = m->adapters.count - m->merged,
    };
    LCAL_TRY(lcal__assemble(&m->base, m->adapters.uses, m->adapters.count, &options, &m->exec,
                            &m->assembly, err));
    if (m->assembly.truncation > 0.0)
        lcal__log(m->log, LCAL_LOG_INFO, LCAL__TRUNCATION_NOTE, 100.0 * m->assembly.truncation);
    if (!m->calibration_path)
        return LCAL_OK;
    return lcal__calib_apply(&m->calibration, m->calibration_path, &m->assembly.params, err);
}

lcal_status lcal__composition_assemble(lcal__composition *composition, lcal_error *err)
{
    if (composition->assembled)
        return LCAL_OK;
    lcal_status status = assemble(composition, err);
    if (status == LCAL_OK)
        composition->assembled = true;
    else
        disassemble(composition);
    return status;
}

const lcal__network *lcal__composition_network(const lcal__composition *composition)
{
    return &composition->assembly.network;
}

const lcal__exec *lcal__composition_exec(const lcal__composition *composition)
{
    return &composition->exec;
}

const lcal__model *lcal__composition_base(const lcal__composition *composition)
{
    return &composition->base;
}

const lcal_log *lcal__composition_log(const lcal__composition *composition)
{
    return composition->log;
}

/* --- the tokenizer ---------------------------------------------------------------------- */

lcal__text_words lcal__composition_words(const lcal__composition *composition)
{
    return (lcal__text_words){composition->template_, composition->loss_on, composition->system};
}

const char *lcal__composition_text_directory(const lcal__composition *composition)
{
    return composition->tokenizer_path;
}

static lcal_status open_tokenizer(const lcal_model *m, const char *path, lcal__tokenizer **out,
                                  lcal_error *err)
{
    LCAL_TRY(lcal__tokenizer_open_cached(path, m->cache, m->log, out, err));
    const size_t size = lcal__tokenizer_size(*out), vocab = m->base.config.vocab;
    if (size <= vocab)
        return LCAL_OK;
    lcal__tokenizer_close(out);
    return lcal__fail(err, LCAL_SHAPE,
                      "%s: a tokenizer of %zu ids: expected at most the model's %zu; give the one "
                      "the model was trained with",
                      path, size, vocab);
}

lcal_status lcal_model_set_tokenizer(lcal_model *model, const char *path, lcal_error *err)
{
    lcal__tokenizer *tokenizer = NULL;
    if (!model || !path)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_model_set_tokenizer: model and path must be given");
    char *copy = lcal__strdup(path);
    if (!copy)
        return lcal__fail_nomem(err, path);
    lcal_status status = open_tokenizer(model, path, &tokenizer, err);
    if (status != LCAL_OK) {
        lcal__free(copy);
        return status;
    }
    lcal__tokenizer_close(&model->tokenizer);
    lcal__free(model->tokenizer_path);
    model->tokenizer = tokenizer;
    model->tokenizer_path = copy;
    return LCAL_OK;
}

lcal_status lcal__composition_tokenizer(lcal__composition *composition, const lcal__tokenizer **out,
                                        lcal_error *err)
{
    if (!composition->tokenizer)
        LCAL_TRY(
            open_tokenizer(composition, composition->tokenizer_path, &composition->tokenizer, err));
    *out = composition->tokenizer;
    return LCAL_OK;
}

lcal_status lcal_model_tokenizer(lcal_model *model, const lcal_tokenizer **out, lcal_error *err)
{
    if (!model || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_model_tokenizer: model and out must be given");
    return lcal__composition_tokenizer(model, out, err);
}
