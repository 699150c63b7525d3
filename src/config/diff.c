#include <string.h>

#include "config/config.h"
#include "config/options.h"

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

static bool values_equal(const lcal__option *option, const lcal__settings *a,
                         const lcal__settings *b)
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
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case LCAL__OPTION_ADAPTERS:
        return adapters_equal(a, b);
    }
    return false;
}

size_t lcal__config_diff(const lcal_config *a, const lcal_config *b, const char **keys,
                         size_t capacity)
{
    const lcal__settings *x = lcal__config_settings(a), *y = lcal__config_settings(b);
    const lcal__option *rows = lcal__option_rows();
    size_t count = 0;
    for (size_t i = 0; i < LCAL__OPTION_COUNT; ++i)
        if (!values_equal(&rows[i], x, y)) {
            if (count < capacity)
                keys[count] = rows[i].shown.key;
            ++count;
        }
    return count;
}
