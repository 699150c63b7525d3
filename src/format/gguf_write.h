/*
 * Writing GGUF, version 3, as a stream: keys and tensors are declared, then the numbers of every
 * tensor follow in the order of declaration, in blocks of rows of any size. No more than a block
 * is held; the file gets its name when it is complete.
 *
 *     init -> put_... -> add_tensor ... -> begin -> write_rows ... -> commit -> free
 *
 * Rules of ggml's reader that hold for what is written: names of tensors below 64 bytes, nothing
 * twice, no empty names, data at multiples of 32 (docs/gguf.md of ggml).
 */
#ifndef LCAL_FORMAT_GGUF_WRITE_H
#define LCAL_FORMAT_GGUF_WRITE_H

#include "base/file.h"
#include "base/strbuf.h"
#include "format/ggml_type.h"
#include "format/gguf.h"

typedef struct lcal__gguf_entry {
    char name[LCAL__GGUF_NAME_MAX + 1];
    size_t dims, rows, cols; /* dims 1: one row */
    lcal__ggml_type type;
    size_t offset; /* in the data */
} lcal__gguf_entry;

/* Free with lcal__gguf_writer_free; zeroed is valid and empty. */
typedef struct lcal__gguf_writer {
    const char *path;  /* borrowed */
    lcal__strbuf keys; /* as stored */
    uint64_t key_count;
    lcal__gguf_entry *entries;
    size_t count, capacity;
    size_t bytes; /* of the data so far declared, padded */
    lcal__replace file;
    bool open;
    size_t current, written; /* tensor whose rows come next, and how many it has */
    void *block;             /* rows being converted */
} lcal__gguf_writer;

void lcal__gguf_writer_init(lcal__gguf_writer *writer, const char *path);

/* Keys. Failed allocations are remembered and reported by begin. */
void lcal__gguf_put_u32(lcal__gguf_writer *writer, const char *name, uint32_t value);
void lcal__gguf_put_f32(lcal__gguf_writer *writer, const char *name, float value);
void lcal__gguf_put_bool(lcal__gguf_writer *writer, const char *name, bool value);
void lcal__gguf_put_string(lcal__gguf_writer *writer, const char *name, const char *text,
                           size_t length);
void lcal__gguf_put_text(lcal__gguf_writer *writer, const char *name, const char *text);

/* An array of `count` elements, which must follow at once by add_string (STRING) or add_bits (32
 * bits each: U32, I32, F32). */
void lcal__gguf_put_array(lcal__gguf_writer *writer, const char *name, lcal__gguf_type type,
                          size_t count);
void lcal__gguf_add_string(lcal__gguf_writer *writer, const char *text, size_t length);
void lcal__gguf_add_bits(lcal__gguf_writer *writer, uint32_t bits);

/* A matrix [rows, cols]. Q8_0 asks for cols that are a multiple of 32. LCAL_UNSUPPORTED: a name
 * that is too long; LCAL_NOMEM. */
lcal_status lcal__gguf_add_matrix(lcal__gguf_writer *writer, const char *name, size_t rows,
                                  size_t cols, lcal__ggml_type type, lcal_error *err);
/* A vector [length], always F32: written as one row. */
lcal_status lcal__gguf_add_vector(lcal__gguf_writer *writer, const char *name, size_t length,
                                  lcal_error *err);

/* Opens the temporary file and writes everything before the data. LCAL_FORMAT: a name twice. */
lcal_status lcal__gguf_writer_begin(lcal__gguf_writer *writer, lcal_error *err);

/*
 * The next `rows` rows of tensor `name`, which must be the one whose turn it is: f32 values that
 * are rounded once to its type. LCAL_NUMERIC: a value that is not finite, or too large for the
 * type; LCAL_INTERNAL: another tensor's turn, or too many rows.
 */
lcal_status lcal__gguf_write_rows(lcal__gguf_writer *writer, const char *name, const float *values,
                                  size_t rows, lcal_error *err);

/* The file gets its name. LCAL_INTERNAL: rows are missing. */
lcal_status lcal__gguf_writer_commit(lcal__gguf_writer *writer, lcal_error *err);

/* Removes what is not committed. */
void lcal__gguf_writer_free(lcal__gguf_writer *writer);

#endif
