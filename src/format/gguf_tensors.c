#include "format/gguf_tensors.h"

#include <string.h>

#include "base/mem.h"

#define LCAL_NAME_MAX 63

/* ggml's element types by number: `block` elements take `bytes`. */
static const struct type {
    const char *name;
    uint16_t number, block, bytes;
} types[] = {
    {"F32", 0, 1, 4},       {"F16", 1, 1, 2},       {"Q4_0", 2, 32, 18},    {"Q4_1", 3, 32, 20},
    {"Q5_0", 6, 32, 22},    {"Q5_1", 7, 32, 24},    {"Q8_0", 8, 32, 34},    {"Q8_1", 9, 32, 36},
    {"Q2_K", 10, 256, 84},  {"Q3_K", 11, 256, 110}, {"Q4_K", 12, 256, 144}, {"Q5_K", 13, 256, 176},
    {"Q6_K", 14, 256, 210}, {"Q8_K", 15, 256, 292}, {"I8", 24, 1, 1},       {"I16", 25, 1, 2},
    {"I32", 26, 1, 4},      {"I64", 27, 1, 8},      {"F64", 28, 1, 8},      {"BF16", 30, 1, 2},
};

static const struct type *find_type(uint64_t number)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].number == number)
            return &types[i];
    return NULL;
}

static lcal_status fail_tensor(const lcal__gguf_reader *r, const lcal__gguf_tensor *tensor,
                               lcal_status status, const char *why, lcal_error *err)
{
    return lcal__fail(err, status, "%s: tensor %.*s: %s", r->source, (int)tensor->name.length,
                      tensor->name.text, why);
}

static lcal_status read_shape(lcal__gguf_reader *r, lcal__gguf_tensor *tensor, lcal_error *err)
{
    uint64_t dims = 0, extent = 0;
    LCAL_TRY(lcal__gguf_read(r, 4, &dims, "a tensor", err));
    if (dims < 1 || dims > LCAL__GGUF_DIMS)
        return fail_tensor(r, tensor, LCAL_FORMAT, "expected 1 to 4 dimensions", err);
    tensor->dims = (size_t)dims;
    for (size_t i = 0; i < LCAL__GGUF_DIMS; i++) {
        tensor->extent[i] = 1;
        if (i >= dims)
            continue;
        LCAL_TRY(lcal__gguf_read(r, 8, &extent, "a tensor", err));
        if (extent == 0 || extent > SIZE_MAX)
            return fail_tensor(r, tensor, LCAL_FORMAT, "an extent is zero or too large", err);
        tensor->extent[i] = (size_t)extent;
    }
    return LCAL_OK;
}

/* Type and size; *offset as stored. */
static lcal_status read_tensor(lcal__gguf_reader *r, lcal__gguf_tensor *tensor, uint64_t *offset,
                               lcal_error *err)
{
    uint64_t number = 0;
    LCAL_TRY(lcal__gguf_read_string(r, &tensor->name, "the name of a tensor", err));
    if (tensor->name.length == 0 || tensor->name.length > LCAL_NAME_MAX)
        return lcal__fail(err, LCAL_FORMAT, "%s: a tensor's name has %zu bytes: expected 1 to %d",
                          r->source, tensor->name.length, LCAL_NAME_MAX);
    LCAL_TRY(read_shape(r, tensor, err));
    LCAL_TRY(lcal__gguf_read(r, 4, &number, "a tensor", err));
    LCAL_TRY(lcal__gguf_read(r, 8, offset, "a tensor", err));
    const struct type *type = find_type(number);
    if (!type)
        return fail_tensor(r, tensor, LCAL_UNSUPPORTED, "its element type is not supported", err);
    if (tensor->extent[0] % type->block != 0)
        return fail_tensor(r, tensor, LCAL_FORMAT, "a row is no multiple of its type's block", err);
    tensor->type = (uint32_t)number;
    tensor->type_name = type->name;
    tensor->size = tensor->extent[0] / type->block;
    bool fits = lcal__size_mul(tensor->size, type->bytes, &tensor->size);
    for (size_t i = 1; i < LCAL__GGUF_DIMS; i++)
        fits = fits && lcal__size_mul(tensor->size, tensor->extent[i], &tensor->size);
    return fits ? LCAL_OK : fail_tensor(r, tensor, LCAL_FORMAT, "its size overflows", err);
}

/* Bytes from `at` to the next multiple of a power of two. */
static size_t padding(size_t at, size_t alignment)
{
    return (0 - at) & (alignment - 1);
}

/* The data of tensor number i begins where that of the one before ends, padded. */
static lcal_status place(const lcal__gguf_reader *r, lcal__gguf *out, const uint64_t *offsets,
                         lcal_error *err)
{
    size_t start = 0, used = 0;
    if (out->tensor_count && !lcal__size_add(r->at, padding(r->at, out->alignment), &start))
        return lcal__gguf_cut(r, "the list of tensors", err);
    for (size_t i = 0; i < out->tensor_count; i++) {
        lcal__gguf_tensor *tensor = &out->tensors[i];
        if (offsets[i] != used)
            return fail_tensor(r, tensor, LCAL_FORMAT, "its offset leaves a gap or overlaps", err);
        if (start > r->size || used > r->size - start || tensor->size > r->size - start - used)
            return fail_tensor(r, tensor, LCAL_FORMAT, "its data reach beyond the file", err);
        tensor->data = r->bytes + start + used;
        used += tensor->size;
        /* The padding of the last one may be missing. */
        if (!lcal__size_add(used, padding(used, out->alignment), &used))
            return fail_tensor(r, tensor, LCAL_FORMAT, "its size overflows", err);
    }
    return LCAL_OK;
}

static lcal_status read_list(lcal__gguf_reader *r, size_t count, lcal__gguf *out,
                             lcal__gguf_string *names, uint64_t *offsets, lcal_error *err)
{
    for (size_t i = 0; i < count; i++) {
        LCAL_TRY(read_tensor(r, &out->tensors[i], &offsets[i], err));
        names[i] = out->tensors[i].name;
    }
    out->tensor_count = count;
    LCAL_TRY(lcal__gguf_refuse_doubles(r->source, names, count, "tensor", err));
    return place(r, out, offsets, err);
}

lcal_status lcal__gguf_read_tensors(lcal__gguf_reader *r, size_t count, lcal__gguf *out,
                                    lcal_error *err)
{
    lcal__gguf_string *names = lcal__calloc(count, sizeof(*names));
    uint64_t *offsets = lcal__calloc(count, sizeof(*offsets));
    out->tensors = lcal__calloc(count, sizeof(*out->tensors));
    lcal_status status;
    if (!names || !offsets || !out->tensors)
        status = lcal__fail_nomem(err, r->source);
    else
        status = read_list(r, count, out, names, offsets, err);
    lcal__free(names);
    lcal__free(offsets);
    return status;
}
