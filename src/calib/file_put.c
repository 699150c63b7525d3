/* Writing the facts of a calibration, in one order for every kind of file. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "calib/file_fields.h"
#include "config/config.h"
#include "config/number.h"
#include "lcal/version.h"

static lcal_status put_targets(lcal__targets targets, const lcal__facts_sink *sink, lcal_error *err)
{
    lcal__strbuf text = {0};
    for (int proj = 0; proj < LCAL__PROJ_COUNT; proj++)
        if (targets >> proj & 1u)
            lcal__strbuf_printf(&text, "%s%s", text.length ? "," : "",
                                lcal__proj_name((lcal__proj)proj));
    char *value;
    LCAL_TRY(lcal__strbuf_take(&text, &value, err));
    lcal_status status = sink->text(sink->file, "targets", value, err);
    lcal__free(value);
    return status;
}

static lcal_status put_adapters(const lcal__calib_facts *facts, const lcal__facts_sink *sink,
                                lcal_error *err)
{
    lcal__strbuf text = {0};
    lcal__strbuf_add(&text, "[");
    for (size_t i = 0; i < facts->adapter_count; i++) {
        char weight[LCAL__NUMBER_TEXT_MAX];
        lcal__number_print(facts->adapters[i].weight, weight);
        lcal__strbuf_add(&text, i ? ",{\"name\":" : "{\"name\":");
        lcal__strbuf_add_json(&text, facts->adapters[i].name);
        lcal__strbuf_printf(&text, ",\"sha256\":\"%s\",\"weight\":%s}", facts->adapters[i].sha256,
                            weight);
    }
    lcal__strbuf_add(&text, "]");
    char *value;
    LCAL_TRY(lcal__strbuf_take(&text, &value, err));
    lcal_status status = sink->text(sink->file, "adapters", value, err);
    lcal__free(value);
    return status;
}

static lcal_status put_spec(const lcal__calib_spec *spec, const lcal__facts_sink *sink,
                            lcal_error *err)
{
    LCAL_TRY(sink->text(sink->file, "method", lcal__method_name(spec->method), err));
    if (lcal__calib_has_form(spec->method))
        LCAL_TRY(sink->text(sink->file, "form", lcal__form_name(spec->form), err));
    LCAL_TRY(sink->real(sink->file, "scale", spec->scale, err));
    if (lcal__calib_has_rank(spec->method))
        LCAL_TRY(sink->integer(sink->file, "rank", (int64_t)spec->rank, err));
    if (lcal__calib_has_share(spec->method))
        LCAL_TRY(sink->text(sink->file, "share", lcal__share_name(spec->share), err));
    return lcal__calib_has_targets(spec->method) ? put_targets(spec->targets, sink, err) : LCAL_OK;
}

lcal_status lcal__calib_facts_put(const lcal__calib_facts *facts, const char *kind,
                                  lcal__store dtype, const lcal__facts_sink *sink, lcal_error *err)
{
    const char *config = (const char *)&facts->config;
    void *file = sink->file;
    LCAL_TRY(sink->text(file, "format", LCAL__CALIB_FORMAT, err));
    LCAL_TRY(sink->integer(file, "format_version", LCAL__CALIB_FORMAT_VERSION, err));
    LCAL_TRY(sink->text(file, "writer", "lcal " LCAL_VERSION, err));
    LCAL_TRY(sink->text(file, "kind", kind, err));
    LCAL_TRY(put_spec(&facts->spec, sink, err));
    LCAL_TRY(sink->text(file, "arch", lcal__arch_name(facts->config.arch), err));
    for (size_t i = 0; i < LCAL__CALIB_EXTENTS; i++) {
        size_t value;
        memcpy(&value, config + lcal__calib_extents[i].offset, sizeof(value));
        LCAL_TRY(sink->integer(file, lcal__calib_extents[i].key, (int64_t)value, err));
    }
    LCAL_TRY(sink->text(file, "base_sha256", facts->base_sha256, err));
    LCAL_TRY(put_adapters(facts, sink, err));
    LCAL_TRY(lcal__calib_merge_put(&facts->merge, sink, err));
    LCAL_TRY(sink->integer(file, "seed", (int64_t)facts->seed, err));
    LCAL_TRY(sink->integer(file, "step", (int64_t)facts->step, err));
    LCAL_TRY(sink->integer(file, "tokens", (int64_t)facts->tokens, err));
    if (!isnan(facts->valid_loss))
        LCAL_TRY(sink->real(file, "valid_loss", facts->valid_loss, err));
    return sink->text(file, "dtype", lcal__store_name(dtype), err);
}
