/*
 * GGUF, version 3 (ggml's docs/gguf.md): read strictly, without copying.
 *
 *   "GGUF"  u32 version  u64 tensors  u64 keys                       all little endian
 *   keys:     string name, u32 type, value                            string = u64 length, bytes
 *             (an array value: u32 element type, u64 count, elements)
 *   tensors:  string name, u32 dimensions (1..4), u64 extents (the fastest first), u32 type,
 *             u64 offset into the data
 *   padding to general.alignment (default 32), then the data of all tensors in order, each padded
 *
 * Refused: other versions, byte-swapped files, empty or double names, nested arrays, anything that
 * does not fit the file, offsets with gaps.
 */
#ifndef LCAL_FORMAT_GGUF_H
#define LCAL_FORMAT_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum lcal__gguf_type {
    LCAL__GGUF_U8,
    LCAL__GGUF_I8,
    LCAL__GGUF_U16,
    LCAL__GGUF_I16,
    LCAL__GGUF_U32,
    LCAL__GGUF_I32,
    LCAL__GGUF_F32,
    LCAL__GGUF_BOOL,
    LCAL__GGUF_STRING,
    LCAL__GGUF_ARRAY,
    LCAL__GGUF_U64,
    LCAL__GGUF_I64,
    LCAL__GGUF_F64,
} lcal__gguf_type;

/* A string of the file: not zero-terminated. */
typedef struct lcal__gguf_string {
    const char *text;
    size_t length;
} lcal__gguf_string;

typedef struct lcal__gguf_key {
    lcal__gguf_string name;
    bool is_array;
    lcal__gguf_type type;      /* of the value, or of an array's elements: never ARRAY */
    size_t count;              /* elements; 1 where it is no array */
    const unsigned char *data; /* the elements as stored, not aligned */
} lcal__gguf_key;

#define LCAL__GGUF_DIMS 4

typedef struct lcal__gguf_tensor {
    lcal__gguf_string name;
    size_t dims;                    /* 1..4 */
    size_t extent[LCAL__GGUF_DIMS]; /* the fastest first; 1 beyond dims */
    uint32_t type;                  /* ggml's number */
    const char *type_name;          /* ggml's name: "F32", "BF16", "Q8_0" */
    const unsigned char *data;      /* [size], in the file's bytes */
    size_t size;
} lcal__gguf_tensor;

/* A parsed file; points into the bytes it was parsed from. Zeroed is valid and empty. */
typedef struct lcal__gguf {
    const char *source; /* borrowed */
    lcal__gguf_key *keys;
    size_t key_count;
    lcal__gguf_tensor *tensors;
    size_t tensor_count;
    size_t alignment;
} lcal__gguf;

/* Parses and checks bytes[0..size), which must outlive *out; so must `source`, what messages call
 * it. */
lcal_status lcal__gguf_parse(const void *bytes, size_t size, const char *source, lcal__gguf *out,
                             lcal_error *err);
void lcal__gguf_free(lcal__gguf *gguf);

/* NULL: not there. */
const lcal__gguf_key *lcal__gguf_find(const lcal__gguf *gguf, const char *name);
const lcal__gguf_tensor *lcal__gguf_find_tensor(const lcal__gguf *gguf, const char *name);

/* Values by name. An absent key leaves *out untouched and is no error; another type is. u32 takes
 * any integer type whose value fits. */
lcal_status lcal__gguf_get_u32(const lcal__gguf *gguf, const char *name, uint32_t *out,
                               lcal_error *err);
/* F32 or F64. */
lcal_status lcal__gguf_get_real(const lcal__gguf *gguf, const char *name, double *out,
                                lcal_error *err);
lcal_status lcal__gguf_get_bool(const lcal__gguf *gguf, const char *name, bool *out,
                                lcal_error *err);
lcal_status lcal__gguf_get_string(const lcal__gguf *gguf, const char *name, lcal__gguf_string *out,
                                  lcal_error *err);

/* An array of the given element type, or NULL in *out where it is absent. */
lcal_status lcal__gguf_get_array(const lcal__gguf *gguf, const char *name, lcal__gguf_type type,
                                 const lcal__gguf_key **out, lcal_error *err);

/* Element `index` of an array of U32, I32 or F32, its 32 bits. */
uint32_t lcal__gguf_bits32(const lcal__gguf_key *array, size_t index);

/* Walks an array of strings: begin with *cursor = array->data; call at most array->count times. */
lcal__gguf_string lcal__gguf_next_string(const unsigned char **cursor);

#endif
