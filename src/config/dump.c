#include <string.h>

#include "base/strbuf.h"
#include "config/config.h"
#include "config/number.h"
#include "config/options.h"
#include "config/quote.h"

static void print_targets(const lcal__option *option, lcal__targets targets, lcal__strbuf *out)
{
    const char *before = " [";
    if (targets == ((lcal__targets)1 << lcal__option_word_count(option)) - 1) {
        lcal__strbuf_add(out, " all");
        return;
    }
    for (size_t i = 0; option->words[i]; ++i)
        if (targets >> i & 1) {
            lcal__strbuf_printf(out, "%s%s", before, option->words[i]);
            before = ", ";
        }
    lcal__strbuf_add(out, "]");
}

static void print_path(const char *path, lcal__strbuf *out)
{
    lcal__strbuf_add(out, " ");
    if (*path)
        lcal__quote(path, out);
    else
        lcal__strbuf_add(out, "null");
}

static void print_adapters(const lcal__settings *settings, lcal__strbuf *out)
{
    char number[LCAL__NUMBER_TEXT_MAX];
    if (settings->adapter_count == 0)
        lcal__strbuf_add(out, " []");
    for (size_t i = 0; i < settings->adapter_count; ++i) {
        lcal__number_print(settings->adapters[i].weight, number);
        lcal__strbuf_add(out, "\n  - {path: ");
        lcal__quote(settings->adapters[i].path, out);
        lcal__strbuf_printf(out, ", weight: %s}", number);
    }
}

/* What stands after "key:": a space and the value, or a line for each adapter. */
static void print_value(const lcal__option *option, const lcal__settings *settings,
                        lcal__strbuf *out)
{
    const void *field = lcal__option_value(option, settings);
    char number[LCAL__NUMBER_TEXT_MAX];
    switch (option->kind) {
    case LCAL__OPTION_INTEGER:
        lcal__strbuf_printf(out, " %llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case LCAL__OPTION_NUMBER:
        lcal__number_print(*(const double *)field, number);
        lcal__strbuf_printf(out, " %s", number);
        break;
    case LCAL__OPTION_BOOLEAN:
        lcal__strbuf_add(out, *(const bool *)field ? " true" : " false");
        break;
    case LCAL__OPTION_CHOICE: {
        unsigned choice;
        memcpy(&choice, field, sizeof(choice));
        lcal__strbuf_printf(out, " %s", option->words[choice]);
        break;
    }
    case LCAL__OPTION_TARGETS:
        print_targets(option, *(const lcal__targets *)field, out);
        break;
    case LCAL__OPTION_PATH:
        print_path(*(char *const *)field, out);
        break;
    case LCAL__OPTION_TEXT:
        lcal__strbuf_add(out, " ");
        lcal__quote(*(char *const *)field, out);
        break;
    case LCAL__OPTION_ADAPTERS:
        print_adapters(settings, out);
        break;
    }
}

/* Length of the section of a dotted key, 0 where it has none. */
static size_t section_length(const char *key)
{
    const char *dot = strchr(key, '.');
    return dot ? (size_t)(dot - key) : 0;
}

lcal_status lcal_config_dump(const lcal_config *config, char **text, lcal_error *err)
{
    const lcal__settings *settings = lcal__config_settings(config);
    const lcal__option *rows = lcal__option_rows();
    lcal__strbuf out = {0};
    const char *open = "";
    size_t open_length = 0;
    for (size_t i = 0; i < LCAL__OPTION_COUNT; ++i) {
        const char *key = rows[i].shown.key;
        size_t length = section_length(key);
        if (length && (length != open_length || strncmp(key, open, length) != 0))
            lcal__strbuf_printf(&out, "%.*s:\n", (int)length, key);
        open = key;
        open_length = length;
        lcal__strbuf_printf(&out, "%s%s:", length ? "  " : "", length ? key + length + 1 : key);
        print_value(&rows[i], settings, &out);
        lcal__strbuf_add(&out, "\n");
    }
    return lcal__strbuf_take(&out, text, err);
}
