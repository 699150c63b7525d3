#include "base/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [LCAL__F32] = {"F32", 4}, [LCAL__F16] = {"F16", 2}, [LCAL__BF16] = {"BF16", 2},
    [LCAL__F64] = {"F64", 8}, [LCAL__I64] = {"I64", 8}, [LCAL__I32] = {"I32", 4},
};

size_t lcal__dtype_size(lcal__dtype dtype)
{
    return types[dtype].size;
}

const char *lcal__dtype_name(lcal__dtype dtype)
{
    return types[dtype].name;
}

bool lcal__dtype_from_name(const char *name, lcal__dtype *out)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(name, types[i].name) == 0) {
            *out = (lcal__dtype)i;
            return true;
        }
    return false;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

uint16_t lcal__bf16_from_f32(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40u); /* a quiet NaN: rounding could make it infinite */
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

float lcal__f32_from_bf16(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t lcal__f16_from_f32(float value)
{
    uint32_t bits = bits_of(value);
    uint32_t sign = bits >> 16 & 0x8000u;
    bits &= 0x7FFFFFFFu;
    if (bits > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00u);
    if (bits >= 0x477FF000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7C00u);
    if (bits < 0x38800000u) {
        /* Subnormal: adding 0.5 lets the FPU round to a multiple of 2^-24, to nearest even. */
        float shifted = float_of(bits) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - 0x3F000000u));
    }
    bits += 0xFFFu + (bits >> 13 & 1u);
    return (uint16_t)(sign | ((bits - 0x38000000u) >> 13));
}

float lcal__f32_from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t rest = bits & 0x7FFFu;
    if (rest >= 0x7C00u)
        return float_of(sign | 0x7F800000u | (rest & 0x3FFu) << 13);
    if (rest < 0x400u) {
        float magnitude = (float)rest * 0x1p-24f;
        return float_of(sign | bits_of(magnitude));
    }
    return float_of(sign | ((rest << 13) + 0x38000000u));
}

void lcal__convert_to_f32(lcal__dtype from, const void *src, float *dst, size_t count)
{
    const unsigned char *bytes = src;
    if (from == LCAL__F32) {
        memcpy(dst, src, count * sizeof(float));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (from == LCAL__F64) {
            double value;
            memcpy(&value, bytes + i * sizeof(value), sizeof(value));
            dst[i] = (float)value;
        } else {
            uint16_t half;
            memcpy(&half, bytes + i * sizeof(half), sizeof(half));
            dst[i] = from == LCAL__F16 ? lcal__f32_from_f16(half) : lcal__f32_from_bf16(half);
        }
    }
}

void lcal__convert_from_f32(lcal__dtype to, const float *src, void *dst, size_t count)
{
    unsigned char *bytes = dst;
    if (to == LCAL__F32) {
        memcpy(dst, src, count * sizeof(float));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (to == LCAL__F64) {
            double value = src[i];
            memcpy(bytes + i * sizeof(value), &value, sizeof(value));
        } else {
            uint16_t half =
                to == LCAL__F16 ? lcal__f16_from_f32(src[i]) : lcal__bf16_from_f32(src[i]);
            memcpy(bytes + i * sizeof(half), &half, sizeof(half));
        }
    }
}
