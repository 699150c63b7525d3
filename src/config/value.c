#include "config/value.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/number.h"

static bool parse_number(const lcal__option *option, const char *text, double *out)
{
    double value, low = option->number.low, high = option->number.high;
    if (!lcal__number_parse(text, &value))
        return false;
    if (value < low || value > high || (value == low && option->number.left == '(')
        || (value == high && option->number.right == ')'))
        return false;
    *out = value;
    return true;
}

size_t lcal__value_word(const lcal__option *option, const char *text, size_t length)
{
    for (size_t i = 0; option->words[i]; ++i)
        if (strlen(option->words[i]) == length && memcmp(option->words[i], text, length) == 0)
            return i;
    return SIZE_MAX;
}

/* "all" or names with commas between them. */
static bool parse_targets(const lcal__option *option, const char *text, lcal__targets *out)
{
    lcal__targets targets = 0;
    if (strcmp(text, "all") == 0) {
        *out = ((lcal__targets)1 << lcal__option_word_count(option)) - 1;
        return true;
    }
    for (;;) {
        text += strspn(text, " ");
        size_t length = strcspn(text, " ,");
        size_t index = lcal__value_word(option, text, length);
        if (index == SIZE_MAX)
            return false;
        targets |= (lcal__targets)1 << index;
        text += length;
        text += strspn(text, " ");
        if (*text == '\0')
            break;
        if (*text++ != ',')
            return false;
    }
    *out = targets;
    return true;
}

bool lcal__value_parse(const lcal__option *option, const char *text, lcal__settings *settings)
{
    void *field = lcal__option_field(option, settings);
    uint64_t whole;
    double number;
    lcal__targets targets;
    switch (option->kind) {
    case LCAL__OPTION_INTEGER:
        if (!lcal__whole_parse(text, &whole) || whole < option->integer.low
            || whole > option->integer.high)
            return false;
        memcpy(field, &whole, sizeof(whole));
        return true;
    case LCAL__OPTION_NUMBER:
        if (!parse_number(option, text, &number))
            return false;
        memcpy(field, &number, sizeof(number));
        return true;
    case LCAL__OPTION_BOOLEAN:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return false;
        *(bool *)field = text[0] == 't';
        return true;
    case LCAL__OPTION_CHOICE: {
        size_t index = lcal__value_word(option, text, strlen(text));
        unsigned choice = (unsigned)index;
        if (index == SIZE_MAX)
            return false;
        memcpy(field, &choice, sizeof(choice));
        return true;
    }
    case LCAL__OPTION_TARGETS:
        if (!parse_targets(option, text, &targets))
            return false;
        memcpy(field, &targets, sizeof(targets));
        return true;
    case LCAL__OPTION_PATH:
    case LCAL__OPTION_TEXT:
    case LCAL__OPTION_ADAPTERS:
        break;
    }
    return false;
}

static bool owns_text(const lcal__option *option)
{
    return option->kind == LCAL__OPTION_PATH || option->kind == LCAL__OPTION_TEXT;
}

bool lcal__value_set_text(const lcal__option *option, const char *text, lcal__settings *settings)
{
    char **field = lcal__option_field(option, settings);
    char *copy = lcal__strdup(text);
    if (!copy)
        return false;
    lcal__free(*field);
    *field = copy;
    return true;
}

static void free_adapters(lcal__settings *settings)
{
    for (size_t i = 0; i < settings->adapter_count; ++i)
        lcal__free(settings->adapters[i].path);
    lcal__free(settings->adapters);
    settings->adapters = NULL;
    settings->adapter_count = 0;
}

bool lcal__value_reset(const lcal__option *option, lcal__settings *settings)
{
    if (option->kind == LCAL__OPTION_ADAPTERS) {
        free_adapters(settings);
        return true;
    }
    if (owns_text(option))
        return lcal__value_set_text(option, option->shown.fallback, settings);
    return lcal__value_parse(option, option->shown.fallback, settings);
}

const char *lcal__value_expected(const lcal__option *option, char out[LCAL__VALUE_EXPECTED_MAX])
{
    const char *range = option->shown.range;
    switch (option->kind) {
    case LCAL__OPTION_INTEGER:
        snprintf(out, LCAL__VALUE_EXPECTED_MAX, "an integer in %s", range);
        return out;
    case LCAL__OPTION_NUMBER:
        snprintf(out, LCAL__VALUE_EXPECTED_MAX, "a number in %s", range);
        return out;
    case LCAL__OPTION_BOOLEAN:
        return "true or false";
    case LCAL__OPTION_CHOICE:
        snprintf(out, LCAL__VALUE_EXPECTED_MAX, "%s%s", option->words[1] ? "one of " : "", range);
        return out;
    case LCAL__OPTION_TARGETS:
        return range;
    case LCAL__OPTION_PATH:
        return "a path";
    case LCAL__OPTION_TEXT:
        return "a text";
    case LCAL__OPTION_ADAPTERS:
        break;
    }
    return "a list of adapters";
}

static bool adapters_equal(const lcal__settings *a, const lcal__settings *b)
{
    if (a->adapter_count != b->adapter_count)
        return false;
    for (size_t i = 0; i < a->adapter_count; ++i)
        if (strcmp(a->adapters[i].path, b->adapters[i].path) != 0
            || a->adapters[i].weight != b->adapters[i].weight)
            return false;
    return true;
}

bool lcal__value_equal(const lcal__option *option, const lcal__settings *a, const lcal__settings *b)
{
    const void *x = lcal__option_value(option, a), *y = lcal__option_value(option, b);
    switch (option->kind) {
    case LCAL__OPTION_INTEGER:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case LCAL__OPTION_NUMBER:
        return *(const double *)x == *(const double *)y;
    case LCAL__OPTION_BOOLEAN:
        return *(const bool *)x == *(const bool *)y;
    case LCAL__OPTION_CHOICE:
        return memcmp(x, y, sizeof(unsigned)) == 0;
    case LCAL__OPTION_TARGETS:
        return *(const lcal__targets *)x == *(const lcal__targets *)y;
    case LCAL__OPTION_PATH:
    case LCAL__OPTION_TEXT:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case LCAL__OPTION_ADAPTERS:
        return adapters_equal(a, b);
    }
    return false;
}

void lcal__settings_free(lcal__settings *settings)
{
    const lcal__option *rows = lcal__option_rows();
    free_adapters(settings);
    for (size_t i = 0; i < LCAL__OPTION_COUNT; ++i)
        if (owns_text(&rows[i]))
            lcal__free(*(char **)lcal__option_field(&rows[i], settings));
    *settings = (lcal__settings){0};
}
