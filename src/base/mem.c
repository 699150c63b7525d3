#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
    if (!lcal__size_mul(count, size, &bytes) || bytes > SIZE_MAX - LCAL_ALIGN)
        return NULL;
    bytes = (bytes / LCAL_ALIGN + 1) * LCAL_ALIGN;
    return aligned_alloc(LCAL_ALIGN, bytes);
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
