/*
 * Format gguf-lora: everything that is added to the base as one adapter for llama.cpp, loaded with
 * --lora beside the base's own GGUF file. A pair is stacked as for PEFT, scales folded in; arch
 * llama has the rows of B of queries and keys interleaved (model/interleave.h).
 */
#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "export/gguf_parts.h"
#include "export/provenance.h"
#include "export/stacked.h"
#include "format/gguf_write.h"
#include "model/gguf_names.h"
#include "model/interleave.h"

/* llama.cpp: scale = alpha / rank of the pair, but 1 where alpha is 0. */
static float alpha_of(const lcal__stacked *stacked, size_t count)
{
    size_t rank = 0;
    for (size_t i = 0; i < count; i++) {
        if (rank && stacked->ranks[i] && stacked->ranks[i] != rank)
            return 0.0f;
        rank = stacked->ranks[i] ? stacked->ranks[i] : rank;
    }
    return (float)rank;
}

static lcal_status put_keys(const lcal__stacked *stacked, const lcal__model_config *config,
                            lcal__gguf_writer *out, lcal_error *err)
{
    lcal__gguf_put_text(out, "general.architecture", lcal__arch_name(config->arch));
    lcal__gguf_put_text(out, "general.type", "adapter");
    lcal__gguf_put_text(out, "adapter.type", "lora");
    lcal__gguf_put_f32(out, "adapter.lora.alpha",
                       alpha_of(stacked, config->layers * LCAL__PROJ_COUNT));
    return lcal__gguf_put_provenance(stacked->job, stacked->job->options->rank, out, err);
}

static lcal_status add_pairs(const lcal__stacked *stacked, const lcal__model_config *config,
                             lcal__gguf_writer *out, lcal_error *err)
{
    const lcal__ggml_type type = lcal__export_ggml_type(stacked->job->type);
    char name[LCAL__GGUF_NAME_MAX + 1];
    for (size_t layer = 0; layer < config->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const size_t rank = stacked->ranks[layer * LCAL__PROJ_COUNT + p];
            if (rank == 0)
                continue;
            lcal__gguf_module_name(layer, p, "weight.lora_a", name);
            LCAL_TRY(lcal__gguf_add_matrix(out, name, rank, lcal__proj_in(config, p), type, err));
            lcal__gguf_module_name(layer, p, "weight.lora_b", name);
            LCAL_TRY(lcal__gguf_add_matrix(out, name, lcal__proj_out(config, p), rank, type, err));
        }
    return LCAL_OK;
}

static lcal_status write_pair(lcal__stacked *stacked, const lcal__model_config *config,
                              size_t layer, lcal__proj proj, lcal__gguf_writer *out,
                              lcal_error *err)
{
    char name[LCAL__GGUF_NAME_MAX + 1];
    lcal__lora_pair pair;
    const size_t rows = lcal__proj_out(config, proj);
    LCAL_TRY(lcal__stacked_pair(stacked, layer, proj, &pair, err));
    if (!pair.a)
        return LCAL_OK;
    lcal__gguf_module_name(layer, proj, "weight.lora_a", name);
    LCAL_TRY(lcal__gguf_write_rows(out, name, pair.a, pair.rank, err));
    lcal__gguf_module_name(layer, proj, "weight.lora_b", name);
    if (!lcal__gguf_interleaves(config->arch, proj))
        return lcal__gguf_write_rows(out, name, pair.b, rows, err);
    for (size_t row = 0; row < rows; row++) {
        const size_t from = lcal__halved_row(row, config->head_dim);
        LCAL_TRY(lcal__gguf_write_rows(out, name, pair.b + from * pair.rank, 1, err));
    }
    return LCAL_OK;
}

static lcal_status write_all(lcal__stacked *stacked, const lcal__model_config *config,
                             lcal__gguf_writer *out, lcal_error *err)
{
    LCAL_TRY(put_keys(stacked, config, out, err));
    LCAL_TRY(add_pairs(stacked, config, out, err));
    LCAL_TRY(lcal__gguf_writer_begin(out, err));
    for (size_t layer = 0; layer < config->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
            LCAL_TRY(write_pair(stacked, config, layer, p, out, err));
    return lcal__gguf_writer_commit(out, err);
}

/* --- the format ------------------------------------------------------------------------------ */

static lcal_status check(const lcal__exporting *job, lcal_error *err)
{
    const lcal__model_config *base = &job->model->base.config;
    LCAL_TRY(lcal__stacked_check(job, "gguf", err));
    for (size_t layer = 0; layer < base->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
            if (lcal__update_shape_of(job->update, layer, p).bias)
                return lcal__fail(err, LCAL_UNSUPPORTED,
                                  "the update adds a vector to %s, but an adapter of llama.cpp "
                                  "holds pairs of matrices only; %speft (lora_bias) and "
                                  "calibration can hold it",
                                  lcal__proj_name(p),
                                  base->arch == LCAL__ARCH_LLAMA   ? "gguf, "
                                  : base->arch == LCAL__ARCH_QWEN2 ? "gguf as llama, "
                                                                   : "");
    lcal__model_config config;
    return lcal__hf_target_config(job, &config, err);
}

static lcal_status write(const lcal__exporting *job, const char *path, lcal_error *err)
{
    lcal__stacked stacked = {0};
    lcal__gguf_writer out;
    lcal__model_config config;
    LCAL_TRY(lcal__hf_target_config(job, &config, err));
    lcal__gguf_writer_init(&out, path);
    lcal_status status = lcal__stacked_open(job, &stacked, err);
    if (status == LCAL_OK)
        status = write_all(&stacked, &config, &out, err);
    lcal__stacked_close(&stacked);
    lcal__gguf_writer_free(&out);
    return status;
}

const lcal__export_format lcal__export_gguf_lora = {
    .types = LCAL__EXPORT_BIT(LCAL_EXPORT_F32) | LCAL__EXPORT_BIT(LCAL_EXPORT_F16)
             | LCAL__EXPORT_BIT(LCAL_EXPORT_BF16),
    .has = LCAL__EXPORT_HAS_RANK | LCAL__EXPORT_HAS_CLASS,
    .standard = LCAL_EXPORT_F32,
    .check = check,
    .write = write,
};
