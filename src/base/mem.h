/*
 * Allocation with checked sizes. Every allocation of the library goes through here, so that tests
 * can count and fail them (they wrap malloc, calloc, realloc and aligned_alloc at link time).
 */
#ifndef LCAL_BASE_MEM_H
#define LCAL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Alignment of every buffer that kernels read: one cache line, one 512-bit register. */
#define LCAL_ALIGN 64

/* Checked size arithmetic: false, and *out untouched, where the result does not fit. */
bool lcal__size_mul(size_t a, size_t b, size_t *out);
bool lcal__size_add(size_t a, size_t b, size_t *out);

/* count * size zeroed bytes, or NULL; a product of zero gives a valid pointer. Free with
 * lcal__free. */
void *lcal__calloc(size_t count, size_t size);

/* count * size bytes at LCAL_ALIGN, not initialised, or NULL. Free with lcal__free. */
void *lcal__alloc_aligned(size_t count, size_t size);

/* Grows *array of elements of `size` bytes to hold at least `need`; doubles *capacity. False:
 * unchanged. */
bool lcal__grow(void **array, size_t *capacity, size_t need, size_t size);

char *lcal__strdup(const char *text);
char *lcal__strndup(const char *text, size_t length);

/* NULL is allowed. */
void lcal__free(void *pointer);

#endif
