/*
 * Format gguf: a merged model for llama.cpp and the programs built on it, one file with tokenizer
 * and chat template.
 */
#include "calib/composition_parts.h"
#include "export/gguf_weights.h"
#include "export/rounding.h"

static lcal_status check(const lcal__exporting *job, lcal_error *err)
{
    lcal__model_config config;
    LCAL_TRY(lcal__hf_target_config(job, &config, err));
    if (config.arch != LCAL__ARCH_LLAMA
        && (config.rope.kind == LCAL__ROPE_LLAMA3 || config.rope.kind == LCAL__ROPE_FACTORS))
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "llama.cpp rotates a %s model without factors of its frequencies; %shf "
                          "can hold it",
                          lcal__arch_name(config.arch),
                          config.arch == LCAL__ARCH_QWEN2 ? "as llama, or " : "");
    return LCAL_OK;
}

/* A model without one is of use to programs that bring their own ids. */
static lcal_status put_tokenizer(const lcal__exporting *job, const lcal__model_config *config,
                                 lcal__gguf_writer *out, lcal_error *err)
{
    const char *path = lcal__composition_text_directory(job->model);
    bool found;
    LCAL_TRY(lcal__tokenizer_find(path, &found, err));
    if (found)
        return lcal__gguf_put_tokenizer(job, config, out, err);
    lcal__log(job->log, LCAL_LOG_NOTICE,
              "%s: no tokenizer: the file will not hold one, which most programs ask for; give one "
              "with --tokenizer",
              path);
    lcal__gguf_put_text(out, "tokenizer.ggml.model", "none");
    return LCAL_OK;
}

static lcal_status write_all(const lcal__exporting *job, const lcal__hf_target *target,
                             lcal__gguf_writer *out, lcal_error *err)
{
    lcal__gguf_put_config(&target->config, lcal__export_ggml_type(job->type), out);
    LCAL_TRY(lcal__gguf_put_provenance(job, 0, out, err));
    LCAL_TRY(put_tokenizer(job, &target->config, out, err));
    LCAL_TRY(lcal__gguf_add_weights(job, target, out, err));
    LCAL_TRY(lcal__gguf_writer_begin(out, err));
    LCAL_TRY(lcal__gguf_write_weights(job, target, out, err));
    return lcal__gguf_writer_commit(out, err);
}

static lcal_status write(const lcal__exporting *job, const char *path, lcal_error *err)
{
    lcal__hf_target target;
    lcal__gguf_writer out;
    LCAL_TRY(lcal__hf_target_open(job, &target, err));
    lcal__gguf_writer_init(&out, path);
    lcal_status status = write_all(job, &target, &out, err);
    lcal__gguf_writer_free(&out);
    lcal__hf_target_close(&target);
    if (status == LCAL_OK)
        lcal__rounding_warn(job->report, job->report->type, job->log);
    return status;
}

const lcal__export_format lcal__export_gguf = {
    .types = LCAL__EXPORT_BIT(LCAL_EXPORT_F32) | LCAL__EXPORT_BIT(LCAL_EXPORT_F16)
             | LCAL__EXPORT_BIT(LCAL_EXPORT_BF16) | LCAL__EXPORT_BIT(LCAL_EXPORT_Q8_0),
    .has = LCAL__EXPORT_HAS_CLASS,
    .check = check,
    .write = write,
};
