#include <string.h>

#include "format/gguf_bytes.h"

static bool is_named(lcal__gguf_string name, const char *text)
{
    return name.length == strlen(text) && memcmp(name.text, text, name.length) == 0;
}

const lcal__gguf_key *lcal__gguf_find(const lcal__gguf *gguf, const char *name)
{
    for (size_t i = 0; i < gguf->key_count; i++)
        if (is_named(gguf->keys[i].name, name))
            return &gguf->keys[i];
    return NULL;
}

const lcal__gguf_tensor *lcal__gguf_find_tensor(const lcal__gguf *gguf, const char *name)
{
    for (size_t i = 0; i < gguf->tensor_count; i++)
        if (is_named(gguf->tensors[i].name, name))
            return &gguf->tensors[i];
    return NULL;
}

static lcal_status wrong(const lcal__gguf *gguf, const char *name, const char *expected,
                         lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT, "%s: key %s: expected %s", gguf->source, name, expected);
}

/* The bits of an integer, signed ones as 64 bits of two's complement; false for other types. */
static bool integer(const lcal__gguf_key *key, uint64_t *bits, bool *negative)
{
    size_t size;
    switch (key->type) {
    case LCAL__GGUF_U8:
    case LCAL__GGUF_I8:
        size = 1;
        break;
    case LCAL__GGUF_U16:
    case LCAL__GGUF_I16:
        size = 2;
        break;
    case LCAL__GGUF_U32:
    case LCAL__GGUF_I32:
        size = 4;
        break;
    case LCAL__GGUF_U64:
    case LCAL__GGUF_I64:
        size = 8;
        break;
    default:
        return false;
    }
    const bool is_signed = key->type == LCAL__GGUF_I8 || key->type == LCAL__GGUF_I16
                           || key->type == LCAL__GGUF_I32 || key->type == LCAL__GGUF_I64;
    *bits = lcal__gguf_load(key->data, size);
    *negative = is_signed && *bits >> (8 * size - 1);
    return !key->is_array;
}

lcal_status lcal__gguf_get_u32(const lcal__gguf *gguf, const char *name, uint32_t *out,
                               lcal_error *err)
{
    const lcal__gguf_key *key = lcal__gguf_find(gguf, name);
    uint64_t bits;
    bool negative;
    if (!key)
        return LCAL_OK;
    if (key->is_array || !integer(key, &bits, &negative) || negative || bits > UINT32_MAX)
        return wrong(gguf, name, "an integer from 0 to 4294967295", err);
    *out = (uint32_t)bits;
    return LCAL_OK;
}

lcal_status lcal__gguf_get_real(const lcal__gguf *gguf, const char *name, double *out,
                                lcal_error *err)
{
    const lcal__gguf_key *key = lcal__gguf_find(gguf, name);
    if (!key)
        return LCAL_OK;
    const bool single = key->type == LCAL__GGUF_F32;
    if (key->is_array || (!single && key->type != LCAL__GGUF_F64))
        return wrong(gguf, name, "a floating-point number", err);
    float value;
    memcpy(single ? (void *)&value : (void *)out, key->data, single ? sizeof(value) : sizeof(*out));
    if (single)
        *out = (double)value;
    return LCAL_OK;
}

lcal_status lcal__gguf_get_bool(const lcal__gguf *gguf, const char *name, bool *out,
                                lcal_error *err)
{
    const lcal__gguf_key *key = lcal__gguf_find(gguf, name);
    if (!key)
        return LCAL_OK;
    if (key->is_array || key->type != LCAL__GGUF_BOOL)
        return wrong(gguf, name, "a boolean", err);
    *out = *key->data == 1;
    return LCAL_OK;
}

lcal_status lcal__gguf_get_string(const lcal__gguf *gguf, const char *name, lcal__gguf_string *out,
                                  lcal_error *err)
{
    const lcal__gguf_key *key = lcal__gguf_find(gguf, name);
    if (!key)
        return LCAL_OK;
    if (key->is_array || key->type != LCAL__GGUF_STRING)
        return wrong(gguf, name, "a string", err);
    const unsigned char *cursor = key->data;
    *out = lcal__gguf_next_string(&cursor);
    return LCAL_OK;
}

lcal_status lcal__gguf_get_array(const lcal__gguf *gguf, const char *name, lcal__gguf_type type,
                                 const lcal__gguf_key **out, lcal_error *err)
{
    const lcal__gguf_key *key = lcal__gguf_find(gguf, name);
    *out = key;
    if (key && (!key->is_array || key->type != type))
        return wrong(gguf, name, "an array of another type", err);
    return LCAL_OK;
}

uint32_t lcal__gguf_bits32(const lcal__gguf_key *array, size_t index)
{
    return (uint32_t)lcal__gguf_load(array->data + 4 * index, 4);
}

lcal__gguf_string lcal__gguf_next_string(const unsigned char **cursor)
{
    const uint64_t length = lcal__gguf_load(*cursor, 8);
    const lcal__gguf_string string = {(const char *)*cursor + 8, (size_t)length};
    *cursor += 8 + (size_t)length;
    return string;
}
