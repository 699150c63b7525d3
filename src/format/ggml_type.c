#include "format/ggml_type.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/dtype.h"

#define LCAL_Q8_BYTES (2 + LCAL__Q8_BLOCK)

bool lcal__ggml_known(uint32_t number)
{
    return number == LCAL__GGML_F32 || number == LCAL__GGML_F16 || number == LCAL__GGML_BF16
           || number == LCAL__GGML_Q8_0;
}

const char *lcal__ggml_name(lcal__ggml_type type)
{
    switch (type) {
    case LCAL__GGML_F32:
        return "F32";
    case LCAL__GGML_F16:
        return "F16";
    case LCAL__GGML_BF16:
        return "BF16";
    case LCAL__GGML_Q8_0:
        return "Q8_0";
    }
    return "unknown";
}

/* Of the types that are no blocks. */
static lcal__dtype plain_type(lcal__ggml_type type)
{
    return type == LCAL__GGML_F32 ? LCAL__F32 : type == LCAL__GGML_F16 ? LCAL__F16 : LCAL__BF16;
}

size_t lcal__ggml_bytes(lcal__ggml_type type, size_t count)
{
    if (type == LCAL__GGML_Q8_0)
        return count / LCAL__Q8_BLOCK * LCAL_Q8_BYTES;
    return count * lcal__dtype_size(plain_type(type));
}

/* The largest finite f32 that rounds to a finite value of the type. */
static float largest(lcal__ggml_type type)
{
    switch (type) {
    case LCAL__GGML_F16:
        return 0x1.ffdffep15f; /* 65520 becomes infinite */
    case LCAL__GGML_BF16:
        return 0x1.fefffep127f;
    case LCAL__GGML_Q8_0:
        return 0x1.ffdffep15f * 127.0f;
    case LCAL__GGML_F32:
        break;
    }
    return FLT_MAX;
}

static void encode_q8(const float *values, unsigned char *out)
{
    float most = 0.0f;
    for (size_t i = 0; i < LCAL__Q8_BLOCK; i++)
        most = fmaxf(most, fabsf(values[i]));
    const float d = most / 127.0f, inverse = d != 0.0f ? 1.0f / d : 0.0f;
    const uint16_t scale = lcal__f16_from_f32(d);
    memcpy(out, &scale, sizeof(scale));
    for (size_t i = 0; i < LCAL__Q8_BLOCK; i++)
        out[2 + i] = (unsigned char)(signed char)roundf(values[i] * inverse);
}

static void decode_q8(const unsigned char *data, float *out)
{
    uint16_t scale;
    memcpy(&scale, data, sizeof(scale));
    const float d = lcal__f32_from_f16(scale);
    for (size_t i = 0; i < LCAL__Q8_BLOCK; i++)
        out[i] = d * (float)(signed char)data[2 + i];
}

bool lcal__ggml_encode(lcal__ggml_type type, const float *values, void *out, size_t count,
                       size_t *bad)
{
    const float most = largest(type);
    unsigned char *bytes = out;
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(values[i]) <= most)) {
            *bad = i;
            return false;
        }
    if (type != LCAL__GGML_Q8_0) {
        lcal__convert_from_f32(plain_type(type), values, out, count);
        return true;
    }
    for (size_t block = 0; block < count / LCAL__Q8_BLOCK; block++)
        encode_q8(values + block * LCAL__Q8_BLOCK, bytes + block * LCAL_Q8_BYTES);
    return true;
}

void lcal__ggml_decode(lcal__ggml_type type, const void *data, float *out, size_t count)
{
    const unsigned char *bytes = data;
    if (type != LCAL__GGML_Q8_0) {
        lcal__convert_to_f32(plain_type(type), data, out, count);
        return;
    }
    for (size_t block = 0; block < count / LCAL__Q8_BLOCK; block++)
        decode_q8(bytes + block * LCAL_Q8_BYTES, out + block * LCAL__Q8_BLOCK);
}
