#include "config/suggest.h"

#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t lcal__edit_distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    if (n > LCAL__SUGGEST_LENGTH_MAX || m > LCAL__SUGGEST_LENGTH_MAX)
        return SIZE_MAX;
    /* Rows i - 2, i - 1 and i of the table of distances between prefixes. */
    size_t row[3][LCAL__SUGGEST_LENGTH_MAX + 1];
    for (size_t j = 0; j <= m; ++j)
        row[0][j] = j;
    for (size_t i = 1; i <= n; ++i) {
        size_t *now = row[i % 3];
        const size_t *above = row[(i + 2) % 3], *two_above = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; ++j) {
            now[j] = least(above[j] + 1, now[j - 1] + 1);
            now[j] = least(now[j], above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], two_above[j - 2] + 1);
        }
    }
    return row[n % 3][m];
}

bool lcal__is_near_miss(const char *word, const char *candidate, size_t *best)
{
    size_t distance = lcal__edit_distance(word, candidate);
    if (distance >= *best || distance == SIZE_MAX || 3 * distance > strlen(candidate))
        return false;
    *best = distance;
    return true;
}
