/* How numbers are stored in a GGUF file: the four types that lcal reads and writes. */
#ifndef LCAL_FORMAT_GGML_TYPE_H
#define LCAL_FORMAT_GGML_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest name of a tensor that ggml reads. */
#define LCAL__GGUF_NAME_MAX 63

/* ggml's numbers. */
typedef enum lcal__ggml_type {
    LCAL__GGML_F32 = 0,
    LCAL__GGML_F16 = 1,
    LCAL__GGML_Q8_0 = 8,
    LCAL__GGML_BF16 = 30,
} lcal__ggml_type;

/* Elements of a block of Q8_0: an f16 scale d, then 32 signed bytes q; a value is d * q. */
#define LCAL__Q8_BLOCK 32

/* False: a type of ggml that is none of the four. */
bool lcal__ggml_known(uint32_t number);

/* "F32", "F16", "BF16", "Q8_0". Static. */
const char *lcal__ggml_name(lcal__ggml_type type);

/* Bytes of `count` elements; count is a multiple of LCAL__Q8_BLOCK for Q8_0. */
size_t lcal__ggml_bytes(lcal__ggml_type type, size_t count);

/*
 * To and from f32. Q8_0 as ggml's reference: d = max |x| / 127, q = x / d rounded to nearest, ties
 * away from zero, with d in f32; then d is rounded to f16. Buffers need not be aligned. encode is
 * false, with *bad the first element at fault, where a value is not finite or too large for the
 * type.
 */
bool lcal__ggml_encode(lcal__ggml_type type, const float *values, void *out, size_t count,
                       size_t *bad);
void lcal__ggml_decode(lcal__ggml_type type, const void *data, float *out, size_t count);

#endif
