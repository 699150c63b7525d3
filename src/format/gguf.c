#include "format/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/gguf_bytes.h"
#include "format/gguf_tensors.h"

#define LCAL_STRING_MAX ((uint64_t)1 << 30)
#define LCAL_DEFAULT_ALIGNMENT 32
/* The least that a key or a tensor takes: bounds what a count can make us allocate. */
#define LCAL_KEY_BYTES 13
#define LCAL_TENSOR_BYTES 33

uint64_t lcal__gguf_load(const unsigned char *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

lcal_status lcal__gguf_cut(const lcal__gguf_reader *r, const char *what, lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT, "%s: byte %zu: %s is cut short or too large", r->source,
                      r->at, what);
}

lcal_status lcal__gguf_read(lcal__gguf_reader *r, size_t size, uint64_t *out, const char *what,
                            lcal_error *err)
{
    if (r->size - r->at < size)
        return lcal__gguf_cut(r, what, err);
    *out = lcal__gguf_load(r->bytes + r->at, size);
    r->at += size;
    return LCAL_OK;
}

lcal_status lcal__gguf_read_string(lcal__gguf_reader *r, lcal__gguf_string *out, const char *what,
                                   lcal_error *err)
{
    uint64_t length = 0;
    LCAL_TRY(lcal__gguf_read(r, 8, &length, what, err));
    if (length >= LCAL_STRING_MAX || length > r->size - r->at)
        return lcal__gguf_cut(r, what, err);
    *out = (lcal__gguf_string){(const char *)r->bytes + r->at, (size_t)length};
    r->at += (size_t)length;
    return LCAL_OK;
}

/* Bytes of a scalar; 0 for what is none. */
static size_t scalar_size(uint64_t type)
{
    static const unsigned char sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof(sizes) ? sizes[type] : 0;
}

static lcal_status skip_elements(lcal__gguf_reader *r, const lcal__gguf_key *key, lcal_error *err)
{
    if (key->type == LCAL__GGUF_STRING) {
        lcal__gguf_string ignored;
        for (size_t i = 0; i < key->count; i++)
            LCAL_TRY(lcal__gguf_read_string(r, &ignored, "a string", err));
        return LCAL_OK;
    }
    size_t bytes;
    if (!lcal__size_mul(key->count, scalar_size(key->type), &bytes) || bytes > r->size - r->at)
        return lcal__gguf_cut(r, "a value", err);
    for (size_t i = 0; key->type == LCAL__GGUF_BOOL && i < bytes; i++)
        if (r->bytes[r->at + i] > 1)
            return lcal__fail(err, LCAL_FORMAT, "%s: key %.*s: expected 0 or 1 for a boolean",
                              r->source, (int)key->name.length, key->name.text);
    r->at += bytes;
    return LCAL_OK;
}

static lcal_status read_key(lcal__gguf_reader *r, lcal__gguf_key *key, lcal_error *err)
{
    uint64_t type = 0, count = 1;
    LCAL_TRY(lcal__gguf_read_string(r, &key->name, "the name of a key", err));
    LCAL_TRY(lcal__gguf_read(r, 4, &type, "a key", err));
    key->is_array = type == LCAL__GGUF_ARRAY;
    if (key->is_array) {
        LCAL_TRY(lcal__gguf_read(r, 4, &type, "an array", err));
        LCAL_TRY(lcal__gguf_read(r, 8, &count, "an array", err));
    }
    if (key->name.length == 0)
        return lcal__fail(err, LCAL_FORMAT, "%s: a key without a name", r->source);
    if (type != LCAL__GGUF_STRING && !scalar_size(type))
        return lcal__fail(err, LCAL_FORMAT, "%s: key %.*s: unknown type %llu", r->source,
                          (int)key->name.length, key->name.text, (unsigned long long)type);
    if (count >= LCAL_STRING_MAX)
        return lcal__gguf_cut(r, "an array", err);
    key->type = (lcal__gguf_type)type;
    key->count = (size_t)count;
    key->data = r->bytes + r->at;
    return skip_elements(r, key, err);
}

static int by_name(const void *a, const void *b)
{
    const lcal__gguf_string *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);
    return order ? order : x->length < y->length ? -1 : x->length > y->length;
}

lcal_status lcal__gguf_refuse_doubles(const char *source, lcal__gguf_string *names, size_t count,
                                      const char *what, lcal_error *err)
{
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 1; i < count; i++)
        if (by_name(&names[i - 1], &names[i]) == 0)
            return lcal__fail(err, LCAL_FORMAT, "%s: %s %.*s is there twice", source, what,
                              (int)names[i].length, names[i].text);
    return LCAL_OK;
}

static lcal_status read_keys(lcal__gguf_reader *r, uint64_t count, lcal__gguf *out, lcal_error *err)
{
    if (count > (r->size - r->at) / LCAL_KEY_BYTES)
        return lcal__gguf_cut(r, "the list of keys", err);
    lcal__gguf_string *names = lcal__calloc((size_t)count, sizeof(*names));
    out->keys = lcal__calloc((size_t)count, sizeof(*out->keys));
    lcal_status status = names && out->keys ? LCAL_OK : lcal__fail_nomem(err, r->source);
    for (size_t i = 0; i < count && status == LCAL_OK; i++) {
        status = read_key(r, &out->keys[i], err);
        names[i] = out->keys[i].name;
    }
    if (status == LCAL_OK) {
        out->key_count = (size_t)count;
        status = lcal__gguf_refuse_doubles(r->source, names, (size_t)count, "key", err);
    }
    lcal__free(names);
    return status;
}

static lcal_status read_header(lcal__gguf_reader *r, uint64_t *tensors, uint64_t *keys,
                               lcal_error *err)
{
    uint64_t version = 0;
    if (r->size < 4 || memcmp(r->bytes, "GGUF", 4) != 0)
        return lcal__fail(err, LCAL_FORMAT, "%s: not a GGUF file: it does not begin with \"GGUF\"",
                          r->source);
    r->at = 4;
    LCAL_TRY(lcal__gguf_read(r, 4, &version, "the header", err));
    if (version != 3 && (version & 0xFFFF) == 0)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: a GGUF file of a big-endian machine is not supported", r->source);
    if (version != 3)
        return lcal__fail(err, LCAL_UNSUPPORTED, "%s: expected GGUF version 3, found %llu",
                          r->source, (unsigned long long)version);
    LCAL_TRY(lcal__gguf_read(r, 8, tensors, "the header", err));
    return lcal__gguf_read(r, 8, keys, "the header", err);
}

/* The alignment must be a u32 and a power of two. */
static lcal_status read_alignment(const lcal__gguf_reader *r, lcal__gguf *out, lcal_error *err)
{
    const lcal__gguf_key *key = lcal__gguf_find(out, "general.alignment");
    out->alignment = LCAL_DEFAULT_ALIGNMENT;
    if (!key)
        return LCAL_OK;
    if (!key->is_array && key->type == LCAL__GGUF_U32)
        out->alignment = (size_t)lcal__gguf_load(key->data, 4);
    else
        out->alignment = 0;
    if (out->alignment == 0 || (out->alignment & (out->alignment - 1)) != 0)
        return lcal__fail(err, LCAL_FORMAT, "%s: general.alignment: expected a 32-bit power of two",
                          r->source);
    return LCAL_OK;
}

static lcal_status read_all(lcal__gguf_reader *r, lcal__gguf *out, lcal_error *err)
{
    uint64_t tensors = 0, keys = 0;
    LCAL_TRY(read_header(r, &tensors, &keys, err));
    LCAL_TRY(read_keys(r, keys, out, err));
    LCAL_TRY(read_alignment(r, out, err));
    if (tensors > (r->size - r->at) / LCAL_TENSOR_BYTES)
        return lcal__gguf_cut(r, "the list of tensors", err);
    return lcal__gguf_read_tensors(r, (size_t)tensors, out, err);
}

lcal_status lcal__gguf_parse(const void *bytes, size_t size, const char *source, lcal__gguf *out,
                             lcal_error *err)
{
    lcal__gguf_reader r = {.bytes = bytes, .size = size, .source = source};
    *out = (lcal__gguf){.source = source};
    lcal_status status = read_all(&r, out, err);
    if (status != LCAL_OK)
        lcal__gguf_free(out);
    return status;
}

void lcal__gguf_free(lcal__gguf *gguf)
{
    lcal__free(gguf->keys);
    lcal__free(gguf->tensors);
    *gguf = (lcal__gguf){0};
}
