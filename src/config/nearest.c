#include <stdint.h>

#include "config/suggest.h"
#include "lcal/config.h"

const char *lcal_nearest_word(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < count; i++)
        if (lcal__is_near_miss(word, words[i], &best))
            nearest = words[i];
    return nearest;
}
