#include "methods/derive.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/merge_rule.h"
#include "config/number.h"
#include "config/options.h"
#include "config/quote.h"

static void add(lcal__changes *changes, lcal__strbuf *text)
{
    char *item = NULL;
    if (changes->count < LCAL__CHANGES_MAX && lcal__strbuf_take(text, &item, NULL) == LCAL_OK)
        changes->items[changes->count++] = item;
    else
        changes->failed = true;
    lcal__strbuf_free(text);
}

void lcal__changes_add(lcal__changes *changes, const char *format, ...)
{
    char line[256];
    lcal__strbuf text = {0};
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof(line))
        changes->failed = true;
    lcal__strbuf_add(&text, line);
    add(changes, &text);
}

void lcal__changes_text(lcal__changes *changes, const char *key, const char *value)
{
    lcal__strbuf text = {0};
    lcal__strbuf_printf(&text, "%s=", key);
    lcal__quote(value, &text);
    add(changes, &text);
}

void lcal__changes_adapters(lcal__changes *changes, const lcal__settings *settings, size_t first,
                            size_t count, const double *weights)
{
    lcal__strbuf text = {0};
    char number[LCAL__NUMBER_TEXT_MAX];
    lcal__strbuf_add(&text, "adapters=[");
    for (size_t i = 0; i < count; i++) {
        lcal__number_print(weights ? weights[i] : 1.0, number);
        lcal__strbuf_add(&text, i ? ", {path: " : "{path: ");
        lcal__quote(settings->adapters[first + i].path, &text);
        lcal__strbuf_printf(&text, ", weight: %s}", number);
    }
    lcal__strbuf_add(&text, "]");
    add(changes, &text);
}

void lcal__changes_adapter(lcal__changes *changes, const char *directory)
{
    lcal__adapter_setting setting = {(char *)directory, 1.0};
    const lcal__settings settings = {.adapters = &setting, .adapter_count = 1};
    lcal__changes_adapters(changes, &settings, 0, 1, NULL);
}

void lcal__changes_merge(lcal__changes *changes, lcal__merge_rule rule)
{
    const lcal__option *rows = lcal__option_rows();
    lcal__changes_add(changes, "merge.method=%s", lcal__merge_rule_name(rule));
    for (size_t i = 0; i < LCAL__OPTION_COUNT; i++)
        if (strncmp(rows[i].shown.key, "merge.", 6) == 0
            && strcmp(rows[i].shown.key, "merge.method") != 0
            && !lcal__merge_rule_has(rule, &rows[i]))
            lcal__changes_add(changes, "%s=%s", rows[i].shown.key, rows[i].shown.fallback);
}

void lcal__changes_free(lcal__changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        lcal__free(changes->items[i]);
    *changes = (lcal__changes){0};
}

lcal_status lcal__derive(const lcal_config *config, lcal_purpose purpose,
                         const lcal__changes *changes, lcal_config **out, lcal_error *err)
{
    char *text = NULL;
    if (changes->failed)
        return lcal__fail_nomem(err, "a row's configuration");
    LCAL_TRY(lcal_config_dump(config, &text, err));
    lcal_status status =
        lcal__config_parse_for(purpose, text, strlen(text), "the row's configuration", "",
                               (const char *const *)changes->items, changes->count, out, err);
    lcal__free(text);
    return status;
}
