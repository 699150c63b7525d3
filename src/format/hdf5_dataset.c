/* Reading datasets; everything is checked before anything is allocated or read. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "format/hdf5_internal.h"

typedef struct stored {
    hid_t id;
    lcal__dtype dtype;
    size_t rank;
    size_t shape[LCAL__H5_RANK_MAX];
    size_t elements;
} stored;

static lcal_status refuse(const lcal__h5 *file, const char *path, const char *what, lcal_error *err)
{
    return lcal__fail(err, LCAL_UNSUPPORTED, "%s: %s: %s", file->source, path, what);
}

static bool has_type(hid_t type, lcal__dtype dtype)
{
    hid_t expected = lcal__h5_type(dtype, true);
    bool same = expected >= 0 && H5Tequal(type, expected) > 0;
    lcal__h5_drop(expected);
    return same;
}

/* u16 is the only type that is not what it says: an attribute does. */
static lcal_status check_bf16(lcal__h5 *file, const char *path, lcal_error *err)
{
    char *mark = NULL;
    bool marked = lcal__h5_get_text(file, path, LCAL__H5_DTYPE_ATTRIBUTE, &mark, NULL) == LCAL_OK
                  && strcmp(mark, LCAL__H5_DTYPE_BF16) == 0;
    lcal__free(mark);
    if (!marked)
        return refuse(file, path, "16-bit integers without the attribute dtype = \"bf16\"", err);
    return LCAL_OK;
}

static lcal_status check_type(lcal__h5 *file, const char *path, stored *data, lcal_error *err)
{
    static const lcal__dtype known[] = {LCAL__F32, LCAL__F16, LCAL__BF16,
                                        LCAL__F64, LCAL__I64, LCAL__I32};
    hid_t type = H5Dget_type(data->id);
    size_t i = 0;
    while (i < sizeof(known) / sizeof(known[0]) && !has_type(type, known[i]))
        i++;
    lcal__h5_drop(type);
    if (i == sizeof(known) / sizeof(known[0]))
        return refuse(file, path,
                      "expected elements of f32, f16, bf16, f64, i64 or i32, little-endian, found "
                      "another type",
                      err);
    data->dtype = known[i];
    return data->dtype == LCAL__BF16 ? check_bf16(file, path, err) : LCAL_OK;
}

static lcal_status check_space(const lcal__h5 *file, const char *path, stored *data,
                               lcal_error *err)
{
    hsize_t extents[H5S_MAX_RANK], limits[H5S_MAX_RANK];
    hid_t space = H5Dget_space(data->id);
    int rank = -1;
    if (H5Sget_simple_extent_type(space) == H5S_SIMPLE)
        rank = H5Sget_simple_extent_dims(space, extents, limits);
    lcal__h5_drop(space);
    if (rank < 1 || rank > LCAL__H5_RANK_MAX)
        return lcal__fail(err, LCAL_SHAPE, "%s: %s: expected a rank of 1 to %d, found another one",
                          file->source, path, LCAL__H5_RANK_MAX);
    data->rank = (size_t)rank;
    size_t bytes = lcal__dtype_size(data->dtype);
    data->elements = 1;
    for (size_t i = 0; i < data->rank; i++) {
        if (extents[i] == 0 || extents[i] > SIZE_MAX || limits[i] != extents[i]
            || !lcal__size_mul(bytes, (size_t)extents[i], &bytes))
            return lcal__fail(err, LCAL_SHAPE,
                              "%s: %s: dimension %zu: expected a fixed extent, not 0, and a total "
                              "that fits the memory, found %llu",
                              file->source, path, i, (unsigned long long)extents[i]);
        data->shape[i] = (size_t)extents[i];
        data->elements *= data->shape[i];
    }
    return LCAL_OK;
}

/* Chunks no larger than the dataset, so that a small one cannot ask for gigabytes, and the filters
 * that we write, each once. */
static bool plain_chunks(hid_t properties, const stored *data)
{
    hsize_t chunk[LCAL__H5_RANK_MAX];
    if (H5Pget_chunk(properties, LCAL__H5_RANK_MAX, chunk) != (int)data->rank)
        return false;
    for (size_t i = 0; i < data->rank; i++)
        if (chunk[i] == 0 || chunk[i] > data->shape[i])
            return false;
    int count = H5Pget_nfilters(properties);
    unsigned seen = 0;
    for (int i = 0; i < count; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter =
            H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE
            && filter != H5Z_FILTER_FLETCHER32)
            return false;
        if (seen & 1u << filter)
            return false;
        seen |= 1u << filter;
    }
    return count >= 0;
}

static lcal_status check_layout(const lcal__h5 *file, const char *path, const stored *data,
                                lcal_error *err)
{
    hid_t properties = H5Dget_create_plist(data->id);
    if (properties < 0)
        return lcal__h5_fail(file, LCAL_FORMAT, path, "examine its layout", err);
    H5D_layout_t layout = H5Pget_layout(properties);
    lcal_status status = LCAL_OK;
    if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
        status = refuse(file, path, "a virtual dataset takes its data from elsewhere", err);
    else if (H5Pget_external_count(properties) != 0)
        status = refuse(file, path, "its data is stored in another file", err);
    else if (layout == H5D_CHUNKED && !plain_chunks(properties, data))
        status = refuse(file, path,
                        "expected chunks within the dataset, filtered by shuffle, deflate and "
                        "fletcher32 only, found others",
                        err);
    lcal__h5_drop(properties);
    return status;
}

/* On success the caller closes data->id. */
static lcal_status open_dataset(lcal__h5 *file, const char *path, stored *data, lcal_error *err)
{
    LCAL_TRY(lcal__h5_object(file, path, H5I_DATASET, &data->id, err));
    lcal_status status = check_type(file, path, data, err);
    if (status == LCAL_OK)
        status = check_space(file, path, data, err);
    if (status == LCAL_OK)
        status = check_layout(file, path, data, err);
    if (status != LCAL_OK)
        lcal__h5_drop(data->id);
    return status;
}

lcal_status lcal__h5_shape(lcal__h5 *file, const char *path, lcal__dtype *dtype, size_t *rank,
                           size_t shape[8], lcal_error *err)
{
    stored data;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = open_dataset(file, path, &data, err);
    if (status == LCAL_OK) {
        lcal__h5_drop(data.id);
        *dtype = data.dtype;
        *rank = data.rank;
        memcpy(shape, data.shape, data.rank * sizeof(*shape));
    }
    lcal__h5_restore(quiet);
    return status;
}

/* "[4, 2048]" */
static void print_shape(char text[192], size_t rank, const size_t *shape)
{
    size_t used = (size_t)snprintf(text, 192, "[");
    for (size_t i = 0; i < rank; i++)
        used += (size_t)snprintf(text + used, 192 - used, "%s%zu", i ? ", " : "", shape[i]);
    snprintf(text + used, 192 - used, "]");
}

static lcal_status check_shape(const lcal__h5 *file, const char *path, const stored *data,
                               size_t rank, const size_t *shape, lcal_error *err)
{
    if (data->rank == rank && memcmp(data->shape, shape, rank * sizeof(*shape)) == 0)
        return LCAL_OK;
    char found[192], expected[192];
    print_shape(found, data->rank, data->shape);
    print_shape(expected, rank < LCAL__H5_RANK_MAX ? rank : LCAL__H5_RANK_MAX, shape);
    return lcal__fail(err, LCAL_SHAPE, "%s: %s: expected shape %s, found %s", file->source, path,
                      expected, found);
}

static lcal_status read_data(const lcal__h5 *file, const char *path, const stored *data, void *out,
                             lcal_error *err)
{
    hid_t held = lcal__h5_type(data->dtype, false);
    lcal_status status = LCAL_OK;
    if (held < 0 || H5Dread(data->id, held, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        status = lcal__h5_fail(file, LCAL_FORMAT, path, "read its data", err);
    lcal__h5_drop(held);
    return status;
}

static lcal_status get_f32(lcal__h5 *file, const char *path, const stored *data, float *out,
                           lcal_error *err)
{
    if (data->dtype == LCAL__F32)
        return read_data(file, path, data, out, err);
    if (data->dtype == LCAL__I64 || data->dtype == LCAL__I32)
        return lcal__fail(err, LCAL_FORMAT, "%s: %s: expected a floating type, found %s",
                          file->source, path, lcal__dtype_name(data->dtype));
    void *raw = lcal__alloc_aligned(data->elements, lcal__dtype_size(data->dtype));
    if (!raw)
        return lcal__fail_nomem(err, path);
    lcal_status status = read_data(file, path, data, raw, err);
    if (status == LCAL_OK)
        lcal__convert_to_f32(data->dtype, raw, out, data->elements);
    lcal__free(raw);
    return status;
}

lcal_status lcal__h5_get_f32(lcal__h5 *file, const char *path, size_t rank, const size_t *shape,
                             float *out, lcal_error *err)
{
    stored data;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = open_dataset(file, path, &data, err);
    if (status == LCAL_OK) {
        status = check_shape(file, path, &data, rank, shape, err);
        if (status == LCAL_OK)
            status =
                lcal__h5_check_storage(file, path, data.id, data.dtype, data.rank, data.shape, err);
        if (status == LCAL_OK)
            status = get_f32(file, path, &data, out, err);
        lcal__h5_drop(data.id);
    }
    lcal__h5_restore(quiet);
    return status;
}
