/* Calibrations, HDF5 or safetensors: reading one checks every tensor and every checksum. */
#include "calib/file_parts.h"
#include "config/config.h"
#include "config/merge_rule.h"
#include "inspect/subject.h"
#include "inspect/tensors.h"

static void add_targets(const lcal__calib_spec *spec, lcal__report *facts)
{
    json_t *list = lcal__report_list(facts, "targets");
    for (lcal__proj proj = LCAL__Q; proj < LCAL__PROJ_COUNT; proj++)
        if (lcal__calib_targets(spec, proj)
            && json_array_append_new(list, json_string(lcal__proj_name(proj))) != 0)
            facts->failed = true;
}

static void add_spec(const lcal__calib_spec *spec, lcal__report *facts)
{
    lcal__report_text(facts, "method", lcal__method_name(spec->method));
    if (spec->method == LCAL__METHOD_LC)
        lcal__report_text(facts, "form", lcal__form_name(spec->form));
    if (spec->method == LCAL__METHOD_LCPP || spec->method == LCAL__METHOD_LORA)
        lcal__report_count(facts, "rank", spec->rank);
    if (spec->method == LCAL__METHOD_LC || spec->method == LCAL__METHOD_LCPP)
        lcal__report_text(facts, "share", lcal__share_name(spec->share));
    lcal__report_real(facts, "scale", spec->scale);
    if (spec->method != LCAL__METHOD_BASE)
        add_targets(spec, facts);
}

static void add_base(const lcal__calib_facts *made, lcal__report *facts)
{
    lcal__report base = lcal__report_new();
    lcal__report_text(&base, "arch", lcal__arch_name(made->config.arch));
    lcal__report_count(&base, "layers", made->config.layers);
    lcal__report_count(&base, "hidden", made->config.hidden);
    lcal__report_count(&base, "heads", made->config.heads);
    lcal__report_count(&base, "kv_heads", made->config.kv_heads);
    lcal__report_count(&base, "head_dim", made->config.head_dim);
    lcal__report_count(&base, "ffn", made->config.ffn);
    lcal__report_count(&base, "vocab", made->config.vocab);
    lcal__report_text(&base, "sha256", made->base_sha256);
    lcal__report_nest(facts, "base", &base);
}

static void add_adapters(const lcal__calib_facts *made, lcal__report *facts)
{
    json_t *list = lcal__report_list(facts, "adapters");
    for (size_t i = 0; i < made->adapter_count; i++) {
        lcal__report adapter = lcal__report_new();
        lcal__report_text(&adapter, "name", made->adapters[i].name);
        lcal__report_real(&adapter, "weight", made->adapters[i].weight);
        lcal__report_text(&adapter, "sha256", made->adapters[i].sha256);
        lcal__report_append(facts, list, &adapter);
    }
}

/* The rule with its options as the file has them: what the rule does not have is left out. */
static void add_merge(const lcal__merge_settings *merge, lcal__report *facts)
{
    lcal__strbuf text = {0};
    lcal__merge_print_json(merge, &text);
    lcal__report_value(facts, "merge", text.failed ? NULL : json_loads(text.text, 0, NULL));
    lcal__strbuf_free(&text);
}

void lcal__inspect_calib_facts(const lcal__calib_facts *made, lcal__store dtype,
                               lcal__report *facts)
{
    add_spec(&made->spec, facts);
    lcal__report_text(facts, "dtype", lcal__store_name(dtype));
    lcal__report_count(facts, "seed", made->seed);
    lcal__report_count(facts, "step", made->step);
    lcal__report_count(facts, "tokens", made->tokens);
    lcal__report_real(facts, "valid_loss", made->valid_loss);
    add_base(made, facts);
    add_adapters(made, facts);
    add_merge(&made->merge, facts);
}

lcal_status lcal__inspect_calibration(const lcal__subject *subject, lcal__report *facts,
                                      lcal_error *err)
{
    lcal__calib_file file = {0};
    LCAL_TRY(lcal__calib_parse(subject->bytes, subject->size, subject->path, &file, err));
    lcal__report_text(facts, "kind",
                      file.safetensors ? "calibration (safetensors)" : "calibration (HDF5)");
    lcal__inspect_calib_facts(&file.facts, file.dtype, facts);
    lcal__tensor_table table = lcal__tensor_table_new();
    for (size_t i = 0; i < file.params.count; i++) {
        const lcal__param *param = &file.params.items[i];
        const size_t shape[2] = {param->rows, param->cols};
        lcal__tensor_table_add(&table, param->name, lcal__store_dtype(file.dtype),
                               param->vector ? 1 : 2, param->vector ? shape + 1 : shape, LCAL__F32,
                               file.params.values + param->offset);
    }
    lcal__tensor_table_finish(&table, subject->size, facts);
    if (!file.safetensors)
        lcal__report_text(facts, "checksums", "verified (fletcher32)");
    lcal__calib_file_free(&file);
    return LCAL_OK;
}
