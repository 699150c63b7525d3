#include "inspect/report.h"

#include <math.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"

lcal__report lcal__report_new(void)
{
    json_t *object = json_object();
    return (lcal__report){object, !object};
}

void lcal__report_free(lcal__report *facts)
{
    json_decref(facts->object);
    *facts = (lcal__report){0};
}

void lcal__report_value(lcal__report *facts, const char *key, json_t *value)
{
    if (json_object_set_new(facts->object, key, value) != 0)
        facts->failed = true;
}

static json_t *text_value(const char *text)
{
    lcal__strbuf clean = {0};
    for (size_t left = strlen(text), length; left; text += length, left -= length) {
        length = lcal__utf8_valid(text, left);
        if (length)
            lcal__strbuf_add_bytes(&clean, text, length);
        else
            lcal__strbuf_add(&clean, "\xEF\xBF\xBD");
        length = length ? length : 1;
    }
    json_t *value = clean.failed ? NULL : json_string(clean.text ? clean.text : "");
    lcal__strbuf_free(&clean);
    return value;
}

void lcal__report_text(lcal__report *facts, const char *key, const char *value)
{
    lcal__report_value(facts, key, text_value(value));
}

void lcal__report_count(lcal__report *facts, const char *key, uint64_t value)
{
    lcal__report_value(facts, key, json_integer((json_int_t)value));
}

void lcal__report_real(lcal__report *facts, const char *key, double value)
{
    lcal__report_value(facts, key, isfinite(value) ? json_real(value) : json_null());
}

void lcal__report_bool(lcal__report *facts, const char *key, bool value)
{
    lcal__report_value(facts, key, json_boolean(value));
}

void lcal__report_nest(lcal__report *facts, const char *key, lcal__report *below)
{
    facts->failed = facts->failed || below->failed;
    lcal__report_value(facts, key, below->object);
    *below = (lcal__report){0};
}

json_t *lcal__report_list(lcal__report *facts, const char *key)
{
    lcal__report_value(facts, key, json_array());
    return json_object_get(facts->object, key);
}

void lcal__report_append(lcal__report *facts, json_t *list, lcal__report *item)
{
    facts->failed = facts->failed || item->failed;
    if (json_array_append_new(list, item->object) != 0)
        facts->failed = true;
    *item = (lcal__report){0};
}

lcal_status lcal__report_check(const lcal__report *facts, lcal_error *err)
{
    return facts->failed ? lcal__fail_nomem(err, "the description") : LCAL_OK;
}
