/* Element types of stored tensors, and conversion to and from f32. */
#ifndef LCAL_BASE_DTYPE_H
#define LCAL_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum lcal__dtype {
    LCAL__F32,
    LCAL__F16,
    LCAL__BF16,
    LCAL__F64,
    LCAL__I64,
    LCAL__I32,
} lcal__dtype;

/* Bytes of one element. */
size_t lcal__dtype_size(lcal__dtype dtype);

/* "F32", "F16", "BF16", "F64", "I64", "I32": the spelling of safetensors. */
const char *lcal__dtype_name(lcal__dtype dtype);

/* False for names we do not read. */
bool lcal__dtype_from_name(const char *name, lcal__dtype *out);

/* Round to nearest even; overflow gives infinity, NaN stays NaN. */
uint16_t lcal__f16_from_f32(float value);
uint16_t lcal__bf16_from_f32(float value);
float lcal__f32_from_f16(uint16_t bits);
float lcal__f32_from_bf16(uint16_t bits);

/* count elements of a floating type (F32, F16, BF16, F64) to f32, and back. src need not be
 * aligned. */
void lcal__convert_to_f32(lcal__dtype from, const void *src, float *dst, size_t count);
void lcal__convert_from_f32(lcal__dtype to, const float *src, void *dst, size_t count);

#endif
