#define _DEFAULT_SOURCE /* madvise */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

bool lcal__size_mul(size_t a, size_t b, size_t *out)
{
    if (a != 0 && b > SIZE_MAX / a)
        return false;
    *out = a * b;
    return true;
}

bool lcal__size_add(size_t a, size_t b, size_t *out)
{
    if (b > SIZE_MAX - a)
        return false;
    *out = a + b;
    return true;
}

void *lcal__calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!lcal__size_mul(count, size, &bytes))
        return NULL;
    return calloc(bytes ? bytes : 1, 1);
}

void *lcal__alloc_aligned(size_t count, size_t size)
{
    size_t bytes;
    if (!lcal__size_mul(count, size, &bytes) || bytes > SIZE_MAX - 2 * HUGE_PAGE)
        return NULL;
    bytes = (bytes / LCAL_ALIGN + 1) * LCAL_ALIGN;
    if (bytes < HUGE_PAGE)
        return aligned_alloc(LCAL_ALIGN, bytes);
    void *buffer = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
#ifdef MADV_HUGEPAGE
    /* Fewer faults when it is first written and fewer misses when rows are far apart. Only whole
     * pages, so that resident memory is what was asked for; a refusal costs nothing but speed. */
    if (buffer)
        madvise(buffer, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return buffer;
}

bool lcal__grow(void **array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return true;
    size_t wanted = *capacity < 8 ? 8 : *capacity;
    while (wanted < need) {
        if (wanted > SIZE_MAX / 2)
            return false;
        wanted *= 2;
    }
    size_t bytes;
    if (!lcal__size_mul(wanted, size, &bytes))
        return false;
    void *grown = realloc(*array, bytes);
    if (!grown)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

char *lcal__strdup(const char *text)
{
    return lcal__strndup(text, strlen(text));
}

char *lcal__strndup(const char *text, size_t length)
{
    char *copy = lcal__calloc(length + 1, 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

void lcal__free(void *pointer)
{
    free(pointer);
}
