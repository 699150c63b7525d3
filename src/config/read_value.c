#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/path.h"
#include "config/quote.h"
#include "config/reader.h"
#include "config/suggest.h"
#include "config/value.h"

lcal__place lcal__read_place(const lcal__reader *reader, const lcal__yaml *value)
{
    return (lcal__place){reader->override, value->line, value->column};
}

void lcal__read_refuse(lcal__reader *reader, const char *key, const lcal__yaml *value,
                       const char *expected, const char *hint)
{
    lcal__place place = lcal__read_place(reader, value);
    char excerpt[LCAL__EXCERPT_MAX];
    if (value->kind == LCAL__YAML_SCALAR && value->null)
        lcal__problems_add(&reader->problems, place, "key %s: expected %s, found nothing%s", key,
                           expected, hint);
    else if (value->kind == LCAL__YAML_SCALAR)
        lcal__problems_add(&reader->problems, place, "key %s: expected %s, found \"%s\"%s", key,
                           expected, lcal__excerpt(value->text, excerpt), hint);
    else
        lcal__problems_add(&reader->problems, place, "key %s: expected %s, found a %s%s", key,
                           expected, value->kind == LCAL__YAML_LIST ? "list" : "map", hint);
}

/* "; did you mean WORD?" or, for a boolean of other languages, "; write true". */
static void find_hint(const lcal__option *option, const char *text, char out[64])
{
    static const char *const yes[] = {"yes", "on", "y", "True", "TRUE", "Yes", "On", "1"};
    static const char *const no[] = {"no", "off", "n", "False", "FALSE", "No", "Off", "0"};
    size_t best = SIZE_MAX;
    out[0] = '\0';
    if (option->kind == LCAL__OPTION_BOOLEAN)
        for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); ++i) {
            if (strcmp(text, yes[i]) == 0)
                snprintf(out, 64, "; write true");
            if (strcmp(text, no[i]) == 0)
                snprintf(out, 64, "; write false");
        }
    for (size_t i = 0; option->words[i]; ++i)
        if (lcal__is_near_miss(text, option->words[i], &best))
            snprintf(out, 64, "; did you mean %s?", option->words[i]);
}

static void refuse_value(lcal__reader *reader, const lcal__option *option, const lcal__yaml *value)
{
    char expected[LCAL__VALUE_EXPECTED_MAX], hint[64] = "";
    if (value->kind == LCAL__YAML_SCALAR)
        find_hint(option, value->text, hint);
    lcal__read_refuse(reader, option->shown.key, value, lcal__value_expected(option, expected),
                      hint);
}

static void read_target_list(lcal__reader *reader, const lcal__option *option,
                             const lcal__yaml *list)
{
    lcal__targets targets = 0;
    bool good = true;
    if (!list->first)
        lcal__problems_add(&reader->problems, lcal__read_place(reader, list),
                           "key %s: expected at least one projection, found an empty list",
                           option->shown.key);
    for (const lcal__yaml *item = list->first; item; item = item->next) {
        size_t index = item->kind == LCAL__YAML_SCALAR
                           ? lcal__value_word(option, item->text, strlen(item->text))
                           : SIZE_MAX;
        if (index == SIZE_MAX)
            refuse_value(reader, option, item);
        good = good && index != SIZE_MAX;
        if (good)
            targets |= (lcal__targets)1 << index;
    }
    if (good && targets)
        memcpy(lcal__option_field(option, reader->settings), &targets, sizeof(targets));
}

char *lcal__read_path(lcal__reader *reader, const char *key, lcal__place place, const char *text)
{
    if (*text == '\0') {
        lcal__problems_add(&reader->problems, place, "key %s: expected a path, found \"\"", key);
        return NULL;
    }
    char *path = NULL;
    if (strlen(text) < LCAL__CONFIG_PATH_MAX) {
        path = lcal__path_resolve(reader->directory, text);
        if (!path) {
            reader->problems.failed = true;
            return NULL;
        }
    }
    if (!path || strlen(path) >= LCAL__CONFIG_PATH_MAX)
        lcal__problems_add(&reader->problems, place, "key %s: a path longer than %zu bytes", key,
                           LCAL__CONFIG_PATH_MAX - 1);
    else if (!lcal__is_utf8(path)) /* from the working directory: YAML itself is UTF-8 */
        lcal__problems_add(&reader->problems, place, "key %s: a path that is not UTF-8", key);
    else
        return path;
    lcal__free(path);
    return NULL;
}

static void read_path_option(lcal__reader *reader, const lcal__option *option,
                             const lcal__yaml *value)
{
    if (value->kind != LCAL__YAML_SCALAR
        || (value->null && lcal__path_is_required(reader->purpose, option))) {
        refuse_value(reader, option, value);
        return;
    }
    if (!option->path.required && strcmp(value->text, option->shown.fallback) == 0) {
        if (!lcal__value_reset(option, reader->settings))
            reader->problems.failed = true;
        return;
    }
    char *path =
        lcal__read_path(reader, option->shown.key, lcal__read_place(reader, value), value->text);
    if (path) {
        char **field = lcal__option_field(option, reader->settings);
        lcal__free(*field);
        *field = path;
    }
}

void lcal__read_value(lcal__reader *reader, size_t index, const lcal__yaml *value)
{
    const lcal__option *option = &lcal__option_rows()[index];
    reader->given[index] = true;
    reader->places[index] = lcal__read_place(reader, value);
    bool scalar = value->kind == LCAL__YAML_SCALAR;
    if (scalar && value->null && !lcal__path_is_required(reader->purpose, option)) {
        if (!lcal__value_reset(option, reader->settings))
            reader->problems.failed = true;
    } else if (option->kind == LCAL__OPTION_PATH) {
        read_path_option(reader, option, value);
    } else if (option->kind == LCAL__OPTION_TEXT && scalar) {
        if (!lcal__value_set_text(option, value->text, reader->settings))
            reader->problems.failed = true;
    } else if (option->kind == LCAL__OPTION_ADAPTERS) {
        lcal__read_adapters(reader, value);
    } else if (option->kind == LCAL__OPTION_TARGETS && value->kind == LCAL__YAML_LIST) {
        read_target_list(reader, option, value);
    } else if (!scalar || !lcal__value_parse(option, value->text, reader->settings)) {
        refuse_value(reader, option, value);
    }
}
