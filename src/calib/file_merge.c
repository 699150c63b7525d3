/* The merge a calibration was made for, as JSON text: {"method":"ties","density":0.2,...}. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "calib/file_fields.h"
#include "config/merge_rule.h"
#include "config/number.h"
#include "format/json.h"

lcal_status lcal__calib_merge_put(const lcal__merge_settings *merge, const lcal__facts_sink *sink,
                                  lcal_error *err)
{
    lcal__strbuf text = {0};
    lcal__merge_print_json(merge, &text);
    char *value;
    LCAL_TRY(lcal__strbuf_take(&text, &value, err));
    lcal_status status = sink->text(sink->file, "merge", value, err);
    lcal__free(value);
    return status;
}

static lcal_status read_merge_option(const char *key, const json_t *item, const char *place,
                                     lcal__merge_settings *out, lcal_error *err)
{
    char number[LCAL__NUMBER_TEXT_MAX];
    if (json_is_string(item))
        return lcal__merge_set(out, key, json_string_value(item), place, err);
    if (json_is_integer(item))
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(item));
    else if (json_is_real(item))
        lcal__number_print(json_real_value(item), number);
    else
        return lcal__fail(err, LCAL_FORMAT, "%s: key %.80s: expected a number or a word, found %s",
                          place, key, lcal__json_type(item));
    return lcal__merge_set(out, key, number, place, err);
}

/* {"method":"ties","density":0.2,...}; every option that the rule has must be there. */
static lcal_status read_merge(json_t *object, const char *place, lcal__merge_settings *out,
                              lcal_error *err)
{
    const char *method = NULL, *key;
    json_t *item;
    size_t options = 0, wanted = 0;
    LCAL_TRY(lcal__json_string(object, place, "method", &method, err));
    if (!method || strchr(method, ':'))
        return lcal__fail(err, LCAL_FORMAT, "%s: expected a method", place);
    LCAL_TRY(lcal__merge_parse(method, place, out, err));
    json_object_foreach(object, key, item)
    {
        if (strcmp(key, "method") == 0)
            continue;
        LCAL_TRY(read_merge_option(key, item, place, out, err));
        options++;
    }
    for (size_t i = 0; i < LCAL__OPTION_COUNT; i++)
        wanted += lcal__merge_rule_has(out->method, &lcal__option_rows()[i]);
    if (options < wanted)
        return lcal__fail(err, LCAL_FORMAT, "%s: expected all %zu options of %s, found %zu", place,
                          wanted, method, options);
    return LCAL_OK;
}

static lcal_status parse_merge(const char *text, const char *place, lcal__merge_settings *out,
                               lcal_error *err)
{
    json_t *object = NULL;
    LCAL_TRY(lcal__json_parse_object(text, strlen(text), place, &object, err));
    lcal_status status = read_merge(object, place, out, err);
    json_decref(object);
    if (status == LCAL_CONFIG) { /* the file is at fault, not a configuration */
        status = LCAL_FORMAT;
        if (err)
            err->status = status;
    }
    return status;
}

lcal_status lcal__calib_merge_get(const lcal__facts_source *source, lcal__merge_settings *out,
                                  lcal_error *err)
{
    char *text;
    lcal__strbuf place = {0};
    *out = lcal__merge_defaults(LCAL__MERGE_CONCAT);
    if (!source->has(source->file, "merge"))
        return LCAL_OK;
    LCAL_TRY(source->text(source->file, "merge", &text, err));
    lcal__strbuf_printf(&place, "%s: attribute merge", source->name);
    lcal_status status = place.failed ? lcal__fail_nomem(err, source->name) : LCAL_OK;
    if (status == LCAL_OK && strcmp(text, "concat") != 0)
        status = parse_merge(text, place.text, out, err);
    lcal__strbuf_free(&place);
    lcal__free(text);
    return status;
}
