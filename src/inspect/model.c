/* A base model's directory: opening it checks every tensor's presence, shape and type. */
#include "inspect/subject.h"
#include "inspect/tensors.h"

static void add_notice(void *user, lcal_log_level level, const char *message)
{
    lcal__report *notices = user;
    (void)level;
    json_t *list = json_object_get(notices->object, "notices");
    if (json_array_append_new(list, json_string_nocheck(message)) != 0)
        notices->failed = true;
}

static const char *rope_name(lcal__rope_kind kind)
{
    switch (kind) {
    case LCAL__ROPE_DEFAULT:
        return "default";
    case LCAL__ROPE_LINEAR:
        return "linear";
    case LCAL__ROPE_LLAMA3:
        return "llama3";
    case LCAL__ROPE_FACTORS:
        return "factors";
    }
    return "unknown";
}

void lcal__inspect_config(const lcal__model_config *config, lcal__report *facts)
{
    lcal__report_text(facts, "arch", lcal__arch_name(config->arch));
    lcal__report_count(facts, "layers", config->layers);
    lcal__report_count(facts, "hidden", config->hidden);
    lcal__report_count(facts, "heads", config->heads);
    lcal__report_count(facts, "kv_heads", config->kv_heads);
    lcal__report_count(facts, "head_dim", config->head_dim);
    lcal__report_count(facts, "ffn", config->ffn);
    lcal__report_count(facts, "vocab", config->vocab);
    lcal__report_count(facts, "max_positions", config->max_positions);
    lcal__report_text(facts, "norm", config->norm == LCAL__NORM_RMS ? "RMSNorm" : "LayerNorm");
    lcal__report_real(facts, "norm_eps", (double)config->norm_eps);
    lcal__report_text(facts, "rope", rope_name(config->rope.kind));
    lcal__report_real(facts, "rope_theta", config->rope.theta);
    lcal__report_count(facts, "rope_dims", config->rope.dims);
    lcal__report_bool(facts, "parallel_residual", config->parallel_residual);
    lcal__report_bool(facts, "tied_head", config->tied);
}

static lcal_status add_tensor(void *context, const char *name, size_t rows, size_t cols,
                              lcal__dtype dtype, const void *data, lcal_error *err)
{
    (void)err;
    const size_t shape[2] = {rows, cols};
    lcal__tensor_table_add(context, name, dtype, cols == 1 ? 1 : 2, shape, dtype, data);
    return LCAL_OK;
}

lcal_status lcal__inspect_model(const lcal__subject *subject, lcal__report *facts, lcal_error *err)
{
    lcal__report_text(facts, "kind", "base model (Hugging Face)");
    lcal__model model = {0};
    lcal__report notices = lcal__report_new();
    lcal__report_list(&notices, "notices");
    const lcal_log log = {add_notice, &notices};
    lcal_status status = lcal__model_open(subject->path, &log, &model, err);
    if (status == LCAL_OK) {
        lcal__inspect_config(&model.config, facts);
        lcal__report_text(facts, "sha256", model.sha256);
        lcal__report_count(facts, "bytes", model.mapped_bytes);
        lcal__report_value(facts, "notices",
                           json_incref(json_object_get(notices.object, "notices")));
        lcal__tensor_table table = lcal__tensor_table_new();
        status = lcal__model_visit(&model, add_tensor, &table, err);
        lcal__tensor_table_finish(&table, model.mapped_bytes, facts);
    }
    facts->failed = facts->failed || notices.failed;
    lcal__report_free(&notices);
    lcal__model_close(&model);
    return status;
}
