#include "export/gguf_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "data/chat_template.h"
#include "data/tokenizer_gguf_write.h"
#include "export/provenance.h"

#define LCAL_KEY_MAX 96

lcal__ggml_type lcal__export_ggml_type(lcal_export_type type)
{
    switch (type) {
    case LCAL_EXPORT_F16:
        return LCAL__GGML_F16;
    case LCAL_EXPORT_BF16:
        return LCAL__GGML_BF16;
    case LCAL_EXPORT_Q8_0:
        return LCAL__GGML_Q8_0;
    case LCAL_EXPORT_AUTO:
    case LCAL_EXPORT_F32:
        break;
    }
    return LCAL__GGML_F32;
}

lcal_status lcal__gguf_put_provenance(const lcal__exporting *job, size_t rank,
                                      lcal__gguf_writer *out, lcal_error *err)
{
    char *provenance = NULL;
    const char *directory = job->model->base.directory;
    const char *slash = directory ? strrchr(directory, '/') : NULL;
    LCAL_TRY(lcal__provenance(job->model, rank, &provenance, err));
    if (directory)
        lcal__gguf_put_text(out, "general.name", slash && slash[1] ? slash + 1 : directory);
    lcal__gguf_put_text(out, "lcal.provenance", provenance);
    lcal__free(provenance);
    return LCAL_OK;
}

/* --- keys of a model ------------------------------------------------------------------------- */

static const char *key_of(const lcal__model_config *config, const char *name,
                          char text[LCAL_KEY_MAX])
{
    snprintf(text, LCAL_KEY_MAX, "%s.%s", lcal__arch_name(config->arch), name);
    return text;
}

static void put_size(const lcal__model_config *config, const char *name, size_t value,
                     lcal__gguf_writer *out)
{
    char text[LCAL_KEY_MAX];
    lcal__gguf_put_u32(out, key_of(config, name, text), (uint32_t)value);
}

static void put_real(const lcal__model_config *config, const char *name, double value,
                     lcal__gguf_writer *out)
{
    char text[LCAL_KEY_MAX];
    lcal__gguf_put_f32(out, key_of(config, name, text), (float)value);
}

/* llama.cpp's number of a file whose matrices are mostly of this type. */
static uint32_t file_type(lcal__ggml_type type)
{
    return type == LCAL__GGML_F32    ? 0
           : type == LCAL__GGML_F16  ? 1
           : type == LCAL__GGML_Q8_0 ? 7
                                     : 32;
}

static void put_rope(const lcal__model_config *config, lcal__gguf_writer *out)
{
    char text[LCAL_KEY_MAX];
    put_real(config, "rope.freq_base", config->rope.theta, out);
    put_size(config, "rope.dimension_count", config->rope.dims, out);
    if (config->rope.kind != LCAL__ROPE_LINEAR)
        return;
    lcal__gguf_put_text(out, key_of(config, "rope.scaling.type", text), "linear");
    put_real(config, "rope.scaling.factor", config->rope.factor, out);
}

void lcal__gguf_put_config(const lcal__model_config *config, lcal__ggml_type type,
                           lcal__gguf_writer *out)
{
    char text[LCAL_KEY_MAX];
    const bool rms = config->norm == LCAL__NORM_RMS;
    lcal__gguf_put_text(out, "general.architecture", lcal__arch_name(config->arch));
    lcal__gguf_put_text(out, "general.type", "model");
    lcal__gguf_put_u32(out, "general.file_type", file_type(type));
    if (type == LCAL__GGML_Q8_0)
        lcal__gguf_put_u32(out, "general.quantization_version", 2);
    put_size(config, "context_length", config->max_positions, out);
    put_size(config, "embedding_length", config->hidden, out);
    put_size(config, "block_count", config->layers, out);
    put_size(config, "feed_forward_length", config->ffn, out);
    put_size(config, "attention.head_count", config->heads, out);
    put_size(config, "attention.head_count_kv", config->kv_heads, out);
    if (config->heads * config->head_dim != config->hidden) {
        put_size(config, "attention.key_length", config->head_dim, out);
        put_size(config, "attention.value_length", config->head_dim, out);
    }
    put_size(config, "vocab_size", config->vocab, out);
    put_real(config, rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
             (double)config->norm_eps, out);
    if (config->arch == LCAL__ARCH_STABLELM)
        lcal__gguf_put_bool(out, key_of(config, "use_parallel_residual", text),
                            config->parallel_residual);
    put_rope(config, out);
}

/* --- its tokenizer --------------------------------------------------------------------------- */

lcal_status lcal__gguf_put_tokenizer(const lcal__exporting *job, const lcal__model_config *config,
                                     lcal__gguf_writer *out, lcal_error *err)
{
    const char *path = lcal__composition_text_directory(job->model);
    const lcal__tokenizer *tokenizer = NULL;
    char *template = NULL;
    LCAL_TRY(lcal__composition_tokenizer(job->model, &tokenizer, err));
    LCAL_TRY(lcal__chat_template_read(path, &template, err));
    const lcal__tokenizer_gguf facts = {
        .source = path,
        .vocab = config->vocab,
        .stablelm = job->model->base.config.arch == LCAL__ARCH_STABLELM,
        .ends = config->eos,
        .end_count = config->eos_count,
        .chat_template = template,
    };
    lcal_status status = lcal__tokenizer_put_gguf(tokenizer, &facts, out, err);
    lcal__free(template);
    return status;
}

lcal_status lcal__gguf_write_tokenizer(const lcal__exporting *job, const char *path,
                                       lcal_error *err)
{
    lcal__gguf_writer out;
    const lcal__model_config *config = &job->model->base.config;
    lcal__gguf_writer_init(&out, path);
    lcal__gguf_put_text(&out, "general.architecture", lcal__arch_name(config->arch));
    lcal_status status = lcal__gguf_put_tokenizer(job, config, &out, err);
    if (status == LCAL_OK)
        status = lcal__gguf_writer_begin(&out, err);
    if (status == LCAL_OK)
        status = lcal__gguf_writer_commit(&out, err);
    lcal__gguf_writer_free(&out);
    return status;
}
