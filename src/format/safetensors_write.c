#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "format/safetensors.h"

static const lcal__tensor *tensor_at(const void *item)
{
    return *(const lcal__tensor *const *)item;
}

/* Larger elements first: then every tensor is aligned for its type without holes. */
static int by_alignment(const void *left, const void *right)
{
    const lcal__tensor *a = tensor_at(left), *b = tensor_at(right);
    size_t size_a = lcal__dtype_size(a->dtype), size_b = lcal__dtype_size(b->dtype);
    if (size_a != size_b)
        return size_a > size_b ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(tensor_at(left)->name, tensor_at(right)->name);
}

static lcal_status check_names(const lcal__tensor **order, size_t count, const char *path,
                               lcal_error *err)
{
    qsort(order, count, sizeof(*order), by_name);
    for (size_t i = 0; i < count; i++) {
        const char *name = order[i]->name;
        bool reserved = strcmp(name, "__metadata__") == 0;
        if (reserved || (i > 0 && strcmp(name, order[i - 1]->name) == 0))
            return lcal__fail(err, LCAL_INVALID, "%s: tensor %s: the name is %s", path, name,
                              reserved ? "reserved" : "given twice");
    }
    return LCAL_OK;
}

static lcal_status add_entry(lcal__strbuf *header, const lcal__tensor *tensor, const char *path,
                             size_t *offset, lcal_error *err)
{
    size_t elements = 1, bytes, end;
    bool fits = tensor->rank <= LCAL__TENSOR_RANK_MAX;
    for (size_t i = 0; fits && i < tensor->rank; i++)
        fits = lcal__size_mul(elements, tensor->shape[i], &elements);
    if (!fits || elements != tensor->elements
        || !lcal__size_mul(elements, lcal__dtype_size(tensor->dtype), &bytes)
        || !lcal__size_add(*offset, bytes, &end))
        return lcal__fail(err, LCAL_INVALID, "%s: tensor %s: its shape does not give %zu elements",
                          path, tensor->name, tensor->elements);
    lcal__strbuf_add(header, ",");
    lcal__strbuf_add_json(header, tensor->name);
    lcal__strbuf_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", lcal__dtype_name(tensor->dtype));
    for (size_t i = 0; i < tensor->rank; i++)
        lcal__strbuf_printf(header, "%s%zu", i ? "," : "", tensor->shape[i]);
    lcal__strbuf_printf(header, "],\"data_offsets\":[%zu,%zu]}", *offset, end);
    *offset = end;
    return LCAL_OK;
}

/* The 8 bytes of length and the header, padded so that the data begins at a multiple of 8. */
static lcal_status build_header(lcal__strbuf *header, const lcal__tensor *const *order,
                                size_t count, const char *const *metadata, size_t pairs,
                                const char *path, lcal_error *err)
{
    lcal__strbuf_add(header, "{\"__metadata__\":{\"format\":\"pt\"");
    for (size_t i = 0; i < pairs; i++) {
        if (strcmp(metadata[2 * i], "format") == 0)
            return lcal__fail(err, LCAL_INVALID, "%s: metadata key format is always \"pt\"", path);
        lcal__strbuf_add(header, ",");
        lcal__strbuf_add_json(header, metadata[2 * i]);
        lcal__strbuf_add(header, ":");
        lcal__strbuf_add_json(header, metadata[2 * i + 1]);
    }
    lcal__strbuf_add(header, "}");
    size_t offset = 0;
    for (size_t i = 0; i < count; i++)
        LCAL_TRY(add_entry(header, order[i], path, &offset, err));
    lcal__strbuf_add(header, "}");
    while (!header->failed && header->length % 8 != 0)
        lcal__strbuf_add(header, " ");
    return header->failed ? lcal__fail_nomem(err, path) : LCAL_OK;
}

/* --- elements -------------------------------------------------------------------------------- */

/* Bytes that one call of the operating system takes, where tensors come in smaller pieces. */
#define BUFFER_SIZE ((size_t)1 << 20)

struct lcal__tensor_sink {
    lcal__replace *file;
    const char *path;
    const lcal__tensor *tensor;
    size_t left;           /* bytes still to come */
    unsigned char *buffer; /* [BUFFER_SIZE] */
    size_t used;           /* of it, not written yet */
};

static lcal_status flush(lcal__tensor_sink *sink, lcal_error *err)
{
    const size_t used = sink->used;
    sink->used = 0;
    return lcal__replace_write(sink->file, sink->buffer, used, err);
}

lcal_status lcal__tensor_put(lcal__tensor_sink *sink, const void *bytes, size_t size,
                             lcal_error *err)
{
    if (size > sink->left)
        return lcal__fail(err, LCAL_INTERNAL, "%s: tensor %s: %zu bytes too many", sink->path,
                          sink->tensor->name, size - sink->left);
    sink->left -= size;
    if (size > BUFFER_SIZE - sink->used)
        LCAL_TRY(flush(sink, err));
    if (size >= BUFFER_SIZE)
        return lcal__replace_write(sink->file, bytes, size, err);
    memcpy(sink->buffer + sink->used, bytes, size);
    sink->used += size;
    return LCAL_OK;
}

lcal_status lcal__tensor_put_f32(lcal__tensor_sink *sink, const float *values, size_t count,
                                 lcal_error *err)
{
    const lcal__dtype dtype = sink->tensor->dtype;
    const size_t size = lcal__dtype_size(dtype);
    uint64_t chunk[1024];
    float back[1024];
    const size_t step = sizeof(back) / sizeof(back[0]);
    for (size_t first = 0; first < count; first += step) {
        const size_t n = count - first < step ? count - first : step;
        lcal__convert_from_f32(dtype, values + first, chunk, n);
        lcal__convert_to_f32(dtype, chunk, back, n);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(back[i]))
                return lcal__fail(err, LCAL_NUMERIC, "%s: tensor %s: %g does not fit %s",
                                  sink->path, sink->tensor->name, (double)values[first + i],
                                  lcal__dtype_name(dtype));
        LCAL_TRY(lcal__tensor_put(sink, chunk, n * size, err));
    }
    return LCAL_OK;
}

static lcal_status put_held(void *context, size_t index, lcal__tensor_sink *sink, lcal_error *err)
{
    const lcal__tensor *tensor = (const lcal__tensor *)context + index;
    return lcal__tensor_put(sink, tensor->data, tensor->elements * lcal__dtype_size(tensor->dtype),
                            err);
}

/* --- the file -------------------------------------------------------------------------------- */

static lcal_status write_tensor(lcal__tensor_sink *sink, const lcal__tensor *tensors,
                                const lcal__tensor *tensor, lcal__tensor_fn *fn, void *context,
                                lcal_error *err)
{
    sink->tensor = tensor;
    sink->left = tensor->elements * lcal__dtype_size(tensor->dtype);
    LCAL_TRY(fn(context, (size_t)(tensor - tensors), sink, err));
    return sink->left == 0 ? LCAL_OK
                           : lcal__fail(err, LCAL_INTERNAL, "%s: tensor %s: %zu bytes too few",
                                        sink->path, tensor->name, sink->left);
}

static lcal_status write_tensors(lcal__replace *file, const char *path,
                                 const lcal__tensor *const *order, const lcal__tensor *tensors,
                                 size_t count, lcal__tensor_fn *fn, void *context, lcal_error *err)
{
    lcal__tensor_sink sink = {
        .file = file, .path = path, .buffer = lcal__alloc_aligned(BUFFER_SIZE, 1)};
    lcal_status status = sink.buffer ? LCAL_OK : lcal__fail_nomem(err, path);
    for (size_t i = 0; i < count && status == LCAL_OK; i++)
        status = write_tensor(&sink, tensors, order[i], fn, context, err);
    if (status == LCAL_OK)
        status = flush(&sink, err);
    lcal__free(sink.buffer);
    return status;
}

static lcal_status write_file(const char *path, const lcal__strbuf *header,
                              const lcal__tensor *const *order, const lcal__tensor *tensors,
                              size_t count, lcal__tensor_fn *fn, void *context, lcal_error *err)
{
    lcal__replace file;
    LCAL_TRY(lcal__replace_begin(path, &file, err));
    unsigned char length[8];
    for (size_t i = 0; i < sizeof(length); i++)
        length[i] = (unsigned char)((uint64_t)header->length >> 8 * i);
    lcal_status status = lcal__replace_write(&file, length, sizeof(length), err);
    if (status == LCAL_OK)
        status = lcal__replace_write(&file, header->text, header->length, err);
    if (status == LCAL_OK)
        status = write_tensors(&file, path, order, tensors, count, fn, context, err);
    if (status != LCAL_OK) {
        lcal__replace_abort(&file);
        return status;
    }
    return lcal__replace_commit(&file, err);
}

lcal_status lcal__safetensors_write_from(const char *path, const lcal__tensor *tensors,
                                         size_t count, const char *const *metadata, size_t pairs,
                                         lcal__tensor_fn *fn, void *context, lcal_error *err)
{
    const lcal__tensor **order = lcal__calloc(count, sizeof(*order));
    if (!order)
        return lcal__fail_nomem(err, path);
    for (size_t i = 0; i < count; i++)
        order[i] = &tensors[i];
    lcal__strbuf header = {0};
    lcal_status status = check_names(order, count, path, err);
    if (status == LCAL_OK) {
        qsort(order, count, sizeof(*order), by_alignment);
        status = build_header(&header, order, count, metadata, pairs, path, err);
    }
    if (status == LCAL_OK)
        status = write_file(path, &header, order, tensors, count, fn, context, err);
    lcal__strbuf_free(&header);
    lcal__free(order);
    return status;
}

lcal_status lcal__safetensors_write(const char *path, const lcal__tensor *tensors, size_t count,
                                    const char *const *metadata, size_t pairs, lcal_error *err)
{
    return lcal__safetensors_write_from(path, tensors, count, metadata, pairs, put_held,
                                        (void *)tensors, err);
}
