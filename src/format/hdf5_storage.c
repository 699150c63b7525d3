/*
 * What is stored for a dataset must be as long as the dataset needs. Versions of the library in use
 * take that for granted: a chunk that inflates to less is read beyond its end, and one that
 * inflates to more takes as much memory as it likes. So every chunk is inflated once before they
 * read it, and its bytes only counted.
 */
#include <limits.h>
#include <zlib.h>

#include "base/mem.h"
#include "format/hdf5_internal.h"

typedef struct chunked {
    hid_t dataset;
    size_t bytes; /* of a whole chunk */
    int filters;
    H5Z_filter_t filter[3];
    void *raw; /* [image's size]: no read of the library can be longer */
} chunked;

/* How many bytes a zlib stream holds; more than `most` for one that is broken or longer. */
static size_t inflated_size(const unsigned char *bytes, size_t size, size_t most)
{
    unsigned char window[4096];
    z_stream stream = {.next_in = (unsigned char *)bytes};
    size_t total = 0, left = size;
    int result = inflateInit(&stream);
    if (result != Z_OK)
        return most + 1;
    while (result == Z_OK && total <= most) {
        if (stream.avail_in == 0) {
            stream.avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
            left -= stream.avail_in;
        }
        stream.next_out = window;
        stream.avail_out = sizeof(window);
        result = inflate(&stream, Z_NO_FLUSH);
        total += sizeof(window) - stream.avail_out;
    }
    inflateEnd(&stream);
    return result == Z_STREAM_END ? total : most + 1;
}

/* The filters in reverse, as lengths: mask has a bit for each that this chunk left out. */
static bool fits(const chunked *c, size_t size, uint32_t mask)
{
    size_t most = c->bytes + 4; /* a checksum within */
    for (int i = c->filters; i-- > 0;) {
        if (mask & 1u << i)
            continue;
        if (c->filter[i] == H5Z_FILTER_FLETCHER32) {
            if (size < 4)
                return false;
            size -= 4;
        } else if (c->filter[i] == H5Z_FILTER_DEFLATE)
            size = inflated_size(c->raw, size, most);
    }
    return size == c->bytes;
}

static lcal_status check_chunk(const lcal__h5 *file, const char *path, chunked *c,
                               const hsize_t *offset, lcal_error *err)
{
    hsize_t size = 0;
    uint32_t mask = 0;
    if (H5Dget_chunk_storage_size(c->dataset, offset, &size) < 0)
        return lcal__h5_fail(file, LCAL_FORMAT, path, "look up its chunks", err);
    /* A chunk that was never written has a size of 0 and is no more use than a damaged one. */
    if (size != 0 && size <= file->image_size) {
        if (H5Dread_chunk(c->dataset, H5P_DEFAULT, offset, &mask, c->raw) < 0)
            return lcal__h5_fail(file, LCAL_FORMAT, path, "read a chunk", err);
        if (fits(c, (size_t)size, mask))
            return LCAL_OK;
    }
    return lcal__fail(err, LCAL_FORMAT,
                      "%s: %s: damaged: expected a chunk of %zu bytes, found another length",
                      file->source, path, c->bytes);
}

/* Moves on to the next chunk, the last dimension first; false after the last. */
static bool next_chunk(size_t rank, const size_t *shape, const hsize_t *chunk, hsize_t *offset)
{
    for (size_t i = rank; i-- > 0;) {
        offset[i] += chunk[i];
        if (offset[i] < shape[i])
            return true;
        offset[i] = 0;
    }
    return false;
}

static lcal_status check_chunks(const lcal__h5 *file, const char *path, hid_t properties,
                                chunked *c, size_t rank, const size_t *shape, lcal_error *err)
{
    hsize_t chunk[LCAL__H5_RANK_MAX], offset[LCAL__H5_RANK_MAX] = {0};
    if (H5Pget_chunk(properties, LCAL__H5_RANK_MAX, chunk) != (int)rank)
        return lcal__h5_fail(file, LCAL_FORMAT, path, "examine its chunks", err);
    for (size_t i = 0; i < rank; i++)
        c->bytes *= (size_t)chunk[i]; /* no more than the dataset's: checked where it was opened */
    c->filters = H5Pget_nfilters(properties);
    for (int i = 0; i < c->filters; i++) {
        unsigned flags, config;
        size_t values = 0;
        c->filter[i] =
            H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
    }
    /* Without filters the driver's check is enough: the chunks are not cached (hdf5_driver.c), but
     * read in place at the length that the dataset needs. */
    if (c->filters <= 0)
        return LCAL_OK;
    c->raw = lcal__calloc(file->image_size, 1);
    if (!c->raw)
        return lcal__fail_nomem(err, path);
    lcal_status status;
    do
        status = check_chunk(file, path, c, offset, err);
    while (status == LCAL_OK && next_chunk(rank, shape, chunk, offset));
    lcal__free(c->raw);
    return status;
}

lcal_status lcal__h5_check_storage(const lcal__h5 *file, const char *path, hid_t dataset,
                                   lcal__dtype dtype, size_t rank, const size_t *shape,
                                   lcal_error *err)
{
    chunked c = {.dataset = dataset, .bytes = lcal__dtype_size(dtype)};
    hid_t properties = H5Dget_create_plist(dataset);
    if (properties < 0)
        return lcal__h5_fail(file, LCAL_FORMAT, path, "examine its layout", err);
    lcal_status status = LCAL_OK;
    H5D_layout_t layout = H5Pget_layout(properties);
    if (layout == H5D_CHUNKED)
        status = check_chunks(file, path, properties, &c, rank, shape, err);
    else {
        hsize_t size = H5Dget_storage_size(dataset);
        for (size_t i = 0; i < rank; i++)
            c.bytes *= shape[i];
        bool absent = layout == H5D_CONTIGUOUS && size == 0; /* the fill value */
        if (!absent && size != c.bytes)
            status = lcal__fail(err, LCAL_FORMAT,
                                "%s: %s: damaged: expected %zu bytes of data, found %llu",
                                file->source, path, c.bytes, (unsigned long long)size);
    }
    lcal__h5_drop(properties);
    return status;
}
