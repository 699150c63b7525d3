/*
 * safetensors: u64 little-endian header length n, n bytes of JSON, data.
 *
 * The reader follows the reference reader's rules: 8 + n <= file size, n <= 100,000,000, the header
 * starts with '{' and may end in spaces; tensors tile the data without holes or overlap and end
 * exactly at the file's end; sizes equal shape times element size, all arithmetic checked; no
 * duplicate names. Types other than lcal__dtype's are refused by name.
 */
#ifndef LCAL_FORMAT_SAFETENSORS_H
#define LCAL_FORMAT_SAFETENSORS_H

#include <stddef.h>

#include "base/dtype.h"
#include "base/status.h"

#define LCAL__TENSOR_RANK_MAX 8

typedef struct lcal__tensor {
    const char *name; /* owned by the parsed header, or by the caller when writing */
    lcal__dtype dtype;
    size_t rank;
    size_t shape[LCAL__TENSOR_RANK_MAX];
    size_t elements;           /* product of shape; 1 for rank 0 */
    const unsigned char *data; /* elements * size of dtype bytes, row-major; may be unaligned */
} lcal__tensor;

/* Zeroed is valid and empty. Tensors are sorted by name. Their data points into the parsed bytes.
 */
typedef struct lcal__safetensors {
    lcal__tensor *tensors;
    size_t count;
    void *owned; /* names and metadata */
} lcal__safetensors;

/* `bytes` must outlive *out. `source` is what messages call it. */
lcal_status lcal__safetensors_parse(const void *bytes, size_t size, const char *source,
                                    lcal__safetensors *out, lcal_error *err);
void lcal__safetensors_free(lcal__safetensors *file);

/* NULL where there is none. */
const lcal__tensor *lcal__safetensors_find(const lcal__safetensors *file, const char *name);

/* A value of __metadata__, or NULL. */
const char *lcal__safetensors_metadata(const lcal__safetensors *file, const char *key);

/*
 * Writes a file atomically, tensors ordered by element size descending, then name; the header is
 * padded to a multiple of 8. metadata: `pairs` times key, value; {"format": "pt"} is always there.
 */
lcal_status lcal__safetensors_write(const char *path, const lcal__tensor *tensors, size_t count,
                                    const char *const *metadata, size_t pairs, lcal_error *err);

/* Where one tensor's elements go, in order. */
typedef struct lcal__tensor_sink lcal__tensor_sink;

/* Bytes as they are stored, and numbers rounded to the tensor's type: LCAL_NUMERIC where one is not
 * finite or does not fit. `count` numbers. */
lcal_status lcal__tensor_put(lcal__tensor_sink *sink, const void *bytes, size_t size,
                             lcal_error *err);
lcal_status lcal__tensor_put_f32(lcal__tensor_sink *sink, const float *values, size_t count,
                                 lcal_error *err);

/*
 * The same without holding the tensors: their `data` is not looked at, fn puts the elements of
 * tensors[index]. In the order of the file, which within one type is that of the names.
 */
typedef lcal_status lcal__tensor_fn(void *context, size_t index, lcal__tensor_sink *sink,
                                    lcal_error *err);
lcal_status lcal__safetensors_write_from(const char *path, const lcal__tensor *tensors,
                                         size_t count, const char *const *metadata, size_t pairs,
                                         lcal__tensor_fn *fn, void *context, lcal_error *err);

#endif
