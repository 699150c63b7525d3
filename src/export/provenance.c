#include "export/provenance.h"

#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "config/config.h"
#include "config/merge_rule.h"

/* The last part of a path. */
static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void put_adapters(lcal__strbuf *out, const char *key, const lcal__adapter_use *uses,
                         size_t count)
{
    if (!count)
        return;
    lcal__strbuf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        const lcal__adapter *adapter = uses[i].adapter;
        lcal__strbuf_add(out, i ? ",{\"name\":" : "{\"name\":");
        lcal__strbuf_add_json(out, last_part(adapter->directory ? adapter->directory : ""));
        lcal__strbuf_printf(out, ",\"sha256\":\"%s\",\"weight\":%.9g}", adapter->sha256,
                            (double)uses[i].weight);
    }
    lcal__strbuf_add(out, "]");
}

static void put_calibration(lcal__strbuf *out, const lcal__calib_facts *facts)
{
    const lcal__calib_spec *spec = &facts->spec;
    lcal__strbuf_printf(out, ",\"calibration\":{\"method\":\"%s\"", lcal__method_name(spec->method));
    if (spec->method == LCAL__METHOD_LC)
        lcal__strbuf_printf(out, ",\"form\":\"%s\"",
                            spec->form == LCAL__FORM_OUTPUT ? "output" : "broadcast");
    if (spec->method == LCAL__METHOD_LCPP)
        lcal__strbuf_printf(out, ",\"rank\":%zu", spec->rank);
    if (spec->method == LCAL__METHOD_LC || spec->method == LCAL__METHOD_LCPP)
        lcal__strbuf_printf(out, ",\"scale\":%.17g", spec->scale);
    lcal__strbuf_printf(out, ",\"seed\":%llu,\"step\":%llu}", (unsigned long long)facts->seed,
                        (unsigned long long)facts->step);
}

lcal_status lcal__provenance(const lcal__composition *model, size_t rank, char **text,
                             lcal_error *err)
{
    const lcal__adapter_list *adapters = &model->adapters;
    lcal__strbuf out = {0};
    lcal__strbuf_printf(&out, "{\"base_sha256\":\"%s\"", model->base.sha256);
    if (model->merged) {
        lcal__strbuf_add(&out, ",\"merge\":");
        lcal__merge_print_json(&model->merge, &out);
    }
    put_adapters(&out, "adapters", adapters->uses, model->merged);
    put_adapters(&out, "on_top", adapters->uses + model->merged, adapters->count - model->merged);
    if (model->calibration_path)
        put_calibration(&out, &model->calibration.facts);
    if (rank)
        lcal__strbuf_printf(&out, ",\"cut_to_rank\":%zu", rank);
    lcal__strbuf_add(&out, "}");
    return lcal__strbuf_take(&out, text, err);
}
