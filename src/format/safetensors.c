#include "format/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/json.h"

#define LCAL_HEADER_MAX 100000000u /* the reference reader's limit */
#define LCAL_METADATA "__metadata__"

/* Where a tensor's bytes lie, relative to the start of the data. */
typedef struct extent {
    size_t begin, end;
    const char *name;
} extent;

/* An element of a list of extents or offsets; both are unsigned integers. */
static bool size_at(const json_t *list, size_t index, size_t *out)
{
    const json_t *value = json_array_get(list, index);
    if (!json_is_integer(value) || json_integer_value(value) < 0
        || (uint64_t)json_integer_value(value) > SIZE_MAX)
        return false;
    *out = (size_t)json_integer_value(value);
    return true;
}

static lcal_status read_shape(const json_t *shape, const char *source, lcal__tensor *tensor,
                              lcal_error *err)
{
    if (!json_is_array(shape))
        return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: shape: expected a list, found %s",
                          source, tensor->name, lcal__json_type(shape));
    tensor->rank = json_array_size(shape);
    if (tensor->rank > LCAL__TENSOR_RANK_MAX)
        return lcal__fail(err, LCAL_UNSUPPORTED, "%s: tensor %s: %zu dimensions, more than %d",
                          source, tensor->name, tensor->rank, LCAL__TENSOR_RANK_MAX);
    tensor->elements = 1;
    for (size_t i = 0; i < tensor->rank; i++) {
        if (!size_at(shape, i, &tensor->shape[i]))
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: tensor %s: shape: expected unsigned integers, found %s at "
                              "dimension %zu",
                              source, tensor->name, lcal__json_type(json_array_get(shape, i)), i);
        if (!lcal__size_mul(tensor->elements, tensor->shape[i], &tensor->elements))
            return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: shape: the product overflows",
                              source, tensor->name);
    }
    return LCAL_OK;
}

static lcal_status read_dtype(const json_t *dtype, const char *source, lcal__tensor *tensor,
                              lcal_error *err)
{
    if (!json_is_string(dtype))
        return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: dtype: expected a string, found %s",
                          source, tensor->name, lcal__json_type(dtype));
    if (!lcal__dtype_from_name(json_string_value(dtype), &tensor->dtype))
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tensor %s: dtype %s is not read; expected F32, F16, BF16, F64, I64 "
                          "or I32",
                          source, tensor->name, json_string_value(dtype));
    return LCAL_OK;
}

static lcal_status read_entry(const json_t *entry, const char *source, size_t data_size,
                              lcal__tensor *tensor, extent *place, lcal_error *err)
{
    if (!json_is_object(entry))
        return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: expected an object, found %s", source,
                          tensor->name, lcal__json_type(entry));
    LCAL_TRY(read_dtype(json_object_get(entry, "dtype"), source, tensor, err));
    LCAL_TRY(read_shape(json_object_get(entry, "shape"), source, tensor, err));

    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (json_array_size(offsets) != 2 || !size_at(offsets, 0, &place->begin)
        || !size_at(offsets, 1, &place->end) || place->begin > place->end)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: tensor %s: data_offsets: expected [begin, end] with begin <= end",
                          source, tensor->name);
    place->name = tensor->name;
    if (place->end > data_size)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: tensor %s: ends at byte %zu of the data, but the file holds %zu "
                          "(truncated?)",
                          source, tensor->name, place->end, data_size);
    size_t bytes;
    if (!lcal__size_mul(tensor->elements, lcal__dtype_size(tensor->dtype), &bytes)
        || bytes != place->end - place->begin)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: tensor %s: %zu bytes of data do not fit %zu elements of %s", source,
                          tensor->name, place->end - place->begin, tensor->elements,
                          lcal__dtype_name(tensor->dtype));
    return LCAL_OK;
}

static int by_place(const void *left, const void *right)
{
    const extent *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

/* No holes, no overlap, nothing behind the last tensor. */
static lcal_status check_tiling(extent *places, size_t count, size_t data_size, const char *source,
                                lcal_error *err)
{
    size_t reached = 0;
    qsort(places, count, sizeof(*places), by_place);
    for (size_t i = 0; i < count; i++) {
        if (places[i].begin != reached)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: tensor %s: begins at byte %zu of the data, but the one before "
                              "it ends at %zu (%s)",
                              source, places[i].name, places[i].begin, reached,
                              places[i].begin < reached ? "overlap" : "hole");
        reached = places[i].end;
    }
    if (reached != data_size)
        return lcal__fail(err, LCAL_FORMAT, "%s: %zu bytes behind the last tensor", source,
                          data_size - reached);
    return LCAL_OK;
}

static lcal_status check_metadata(json_t *metadata, const char *source, lcal_error *err)
{
    if (!json_is_object(metadata))
        return lcal__fail(err, LCAL_FORMAT, "%s: " LCAL_METADATA ": expected an object, found %s",
                          source, lcal__json_type(metadata));
    void *i = json_object_iter(metadata);
    for (; i; i = json_object_iter_next(metadata, i))
        if (!json_is_string(json_object_iter_value(i)))
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: " LCAL_METADATA ": key %s: expected a string, found %s", source,
                              json_object_iter_key(i), lcal__json_type(json_object_iter_value(i)));
    return LCAL_OK;
}

static int by_name(const void *left, const void *right)
{
    const lcal__tensor *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* Fills file->tensors from the parsed header; data_size bytes of data begin at `data`. */
static lcal_status read_tensors(json_t *header, const unsigned char *data, size_t data_size,
                                const char *source, lcal__safetensors *file, lcal_error *err)
{
    size_t entries = json_object_size(header);
    file->tensors = lcal__calloc(entries, sizeof(*file->tensors));
    extent *places = lcal__calloc(entries, sizeof(*places));
    lcal_status status = LCAL_OK;
    if (!file->tensors || !places)
        status = lcal__fail_nomem(err, source);
    for (void *i = json_object_iter(header); i && status == LCAL_OK;
         i = json_object_iter_next(header, i)) {
        const char *name = json_object_iter_key(i);
        json_t *entry = json_object_iter_value(i);
        if (strcmp(name, LCAL_METADATA) == 0) {
            status = check_metadata(entry, source, err);
            continue;
        }
        lcal__tensor *tensor = &file->tensors[file->count];
        tensor->name = name;
        status = read_entry(entry, source, data_size, tensor, &places[file->count], err);
        if (status == LCAL_OK)
            tensor->data = data + places[file->count++].begin;
    }
    if (status == LCAL_OK)
        status = check_tiling(places, file->count, data_size, source, err);
    if (status == LCAL_OK)
        qsort(file->tensors, file->count, sizeof(*file->tensors), by_name);
    lcal__free(places);
    return status;
}

lcal_status lcal__safetensors_parse(const void *bytes, size_t size, const char *source,
                                    lcal__safetensors *out, lcal_error *err)
{
    const unsigned char *file = bytes;
    if (size < 8)
        return lcal__fail(err, LCAL_FORMAT, "%s: %zu bytes, too short for a safetensors file",
                          source, size);
    uint64_t length = 0;
    for (size_t i = 8; i-- > 0;)
        length = length << 8 | file[i];
    if (length > LCAL_HEADER_MAX)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: header of %llu bytes, more than %u: not a safetensors file?", source,
                          (unsigned long long)length, LCAL_HEADER_MAX);
    if (length > size - 8)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: header of %llu bytes, but only %zu follow (truncated?)", source,
                          (unsigned long long)length, size - 8);
    const char *text = (const char *)file + 8;
    if (length == 0 || text[0] != '{')
        return lcal__fail(err, LCAL_FORMAT, "%s: the header does not begin with '{'", source);

    json_t *header = NULL;
    lcal_status status = lcal__json_parse(text, (size_t)length, "header", &header, err);
    if (status != LCAL_OK)
        return lcal__fail_in(err, status, "%s", source);
    *out = (lcal__safetensors){.owned = header};
    status = read_tensors(header, file + 8 + length, size - 8 - (size_t)length, source, out, err);
    if (status != LCAL_OK)
        lcal__safetensors_free(out);
    return status;
}

void lcal__safetensors_free(lcal__safetensors *file)
{
    lcal__free(file->tensors);
    json_decref(file->owned);
    *file = (lcal__safetensors){0};
}

const lcal__tensor *lcal__safetensors_find(const lcal__safetensors *file, const char *name)
{
    const lcal__tensor key = {.name = name};
    if (file->count == 0)
        return NULL;
    return bsearch(&key, file->tensors, file->count, sizeof(*file->tensors), by_name);
}

const char *lcal__safetensors_metadata(const lcal__safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->owned, LCAL_METADATA), key));
}
