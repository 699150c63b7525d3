#include "config/config.h"
#include "config/options.h"
#include "config/value.h"

size_t lcal__config_diff(const lcal_config *a, const lcal_config *b, const char **keys,
                         size_t capacity)
{
    const lcal__settings *x = lcal__config_settings(a), *y = lcal__config_settings(b);
    const lcal__option *rows = lcal__option_rows();
    size_t count = 0;
    for (size_t i = 0; i < LCAL__OPTION_COUNT; ++i)
        if (!lcal__value_equal(&rows[i], x, y)) {
            if (count < capacity)
                keys[count] = rows[i].shown.key;
            ++count;
        }
    return count;
}
