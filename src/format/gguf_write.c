#include "format/gguf_write.h"

#include <string.h>

#include "base/mem.h"
#include "format/gguf_bytes.h"

#define LCAL_GGUF_VERSION 3
#define LCAL_GGUF_ALIGNMENT 32
/* Bytes converted at a time, at least a row's block. */
#define LCAL_BLOCK_BYTES ((size_t)1 << 18)

static void put(lcal__strbuf *out, uint64_t value, size_t size)
{
    char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(unsigned char)(value >> 8 * i & 0xFF);
    lcal__strbuf_add_bytes(out, bytes, size);
}

static void put_string(lcal__strbuf *out, const char *text, size_t length)
{
    put(out, length, 8);
    lcal__strbuf_add_bytes(out, text, length);
}

void lcal__gguf_writer_init(lcal__gguf_writer *writer, const char *path)
{
    *writer = (lcal__gguf_writer){.path = path};
}

/* --- keys -------------------------------------------------------------------------------- */

static void put_key(lcal__gguf_writer *writer, const char *name, lcal__gguf_type type)
{
    put_string(&writer->keys, name, strlen(name));
    put(&writer->keys, type, 4);
    writer->key_count++;
}

void lcal__gguf_put_u32(lcal__gguf_writer *writer, const char *name, uint32_t value)
{
    put_key(writer, name, LCAL__GGUF_U32);
    put(&writer->keys, value, 4);
}

void lcal__gguf_put_f32(lcal__gguf_writer *writer, const char *name, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    put_key(writer, name, LCAL__GGUF_F32);
    put(&writer->keys, bits, 4);
}

void lcal__gguf_put_bool(lcal__gguf_writer *writer, const char *name, bool value)
{
    put_key(writer, name, LCAL__GGUF_BOOL);
    put(&writer->keys, value, 1);
}

void lcal__gguf_put_string(lcal__gguf_writer *writer, const char *name, const char *text,
                           size_t length)
{
    put_key(writer, name, LCAL__GGUF_STRING);
    put_string(&writer->keys, text, length);
}

void lcal__gguf_put_text(lcal__gguf_writer *writer, const char *name, const char *text)
{
    lcal__gguf_put_string(writer, name, text, strlen(text));
}

void lcal__gguf_put_array(lcal__gguf_writer *writer, const char *name, lcal__gguf_type type,
                          size_t count)
{
    put_key(writer, name, LCAL__GGUF_ARRAY);
    put(&writer->keys, type, 4);
    put(&writer->keys, count, 8);
}

void lcal__gguf_add_string(lcal__gguf_writer *writer, const char *text, size_t length)
{
    put_string(&writer->keys, text, length);
}

void lcal__gguf_add_bits(lcal__gguf_writer *writer, uint32_t bits)
{
    put(&writer->keys, bits, 4);
}

/* --- tensors ----------------------------------------------------------------------------- */

/* Bytes from the end of `bytes` to the next tensor. */
static size_t padding(size_t bytes)
{
    return (0 - bytes) & (LCAL_GGUF_ALIGNMENT - 1);
}

static lcal_status add_entry(lcal__gguf_writer *writer, const char *name, lcal__gguf_entry entry,
                             lcal_error *err)
{
    size_t bytes, end;
    const size_t length = strlen(name);
    if (length == 0 || length > LCAL__GGUF_NAME_MAX)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tensor %s: a name of %zu bytes: GGUF holds 1 to %d", writer->path,
                          name, length, LCAL__GGUF_NAME_MAX);
    if (entry.type == LCAL__GGML_Q8_0 && entry.cols % LCAL__Q8_BLOCK != 0)
        return lcal__fail(err, LCAL_INTERNAL, "%s: tensor %s: rows of %zu in blocks of %d",
                          writer->path, name, entry.cols, LCAL__Q8_BLOCK);
    if (entry.cols > SIZE_MAX / 8
        || !lcal__size_mul(entry.rows, lcal__ggml_bytes(entry.type, entry.cols), &bytes)
        || !lcal__size_add(bytes, padding(bytes), &bytes)
        || !lcal__size_add(writer->bytes, bytes, &end))
        return lcal__fail_nomem(err, name);
    if (!lcal__grow((void **)&writer->entries, &writer->capacity, writer->count + 1,
                    sizeof(*writer->entries)))
        return lcal__fail_nomem(err, writer->path);
    memcpy(entry.name, name, length + 1);
    entry.offset = writer->bytes;
    writer->entries[writer->count++] = entry;
    writer->bytes = end;
    return LCAL_OK;
}

lcal_status lcal__gguf_add_matrix(lcal__gguf_writer *writer, const char *name, size_t rows,
                                  size_t cols, lcal__ggml_type type, lcal_error *err)
{
    return add_entry(writer, name,
                     (lcal__gguf_entry){.dims = 2, .rows = rows, .cols = cols, .type = type}, err);
}

lcal_status lcal__gguf_add_vector(lcal__gguf_writer *writer, const char *name, size_t length,
                                  lcal_error *err)
{
    return add_entry(
        writer, name,
        (lcal__gguf_entry){.dims = 1, .rows = 1, .cols = length, .type = LCAL__GGML_F32}, err);
}

/* --- the file ---------------------------------------------------------------------------- */

/* Everything before the data, padded. */
static lcal_status build_head(const lcal__gguf_writer *writer, lcal__strbuf *head, lcal_error *err)
{
    lcal__strbuf_add(head, "GGUF");
    put(head, LCAL_GGUF_VERSION, 4);
    put(head, writer->count, 8);
    put(head, writer->key_count, 8);
    lcal__strbuf_add_bytes(head, writer->keys.text, writer->keys.length);
    for (size_t i = 0; i < writer->count; i++) {
        const lcal__gguf_entry *entry = &writer->entries[i];
        put_string(head, entry->name, strlen(entry->name));
        put(head, entry->dims, 4);
        put(head, entry->cols, 8);
        if (entry->dims == 2)
            put(head, entry->rows, 8);
        put(head, entry->type, 4);
        put(head, entry->offset, 8);
    }
    while (!head->failed && padding(head->length))
        put(head, 0, 1);
    return head->failed || writer->keys.failed ? lcal__fail_nomem(err, writer->path) : LCAL_OK;
}

static lcal_status check_names(const lcal__gguf_writer *writer, lcal_error *err)
{
    lcal__gguf_string *names = lcal__calloc(writer->count, sizeof(*names));
    if (!names)
        return lcal__fail_nomem(err, writer->path);
    for (size_t i = 0; i < writer->count; i++)
        names[i] = (lcal__gguf_string){writer->entries[i].name, strlen(writer->entries[i].name)};
    lcal_status status =
        lcal__gguf_refuse_doubles(writer->path, names, writer->count, "tensor", err);
    lcal__free(names);
    return status;
}

lcal_status lcal__gguf_writer_begin(lcal__gguf_writer *writer, lcal_error *err)
{
    lcal__strbuf head = {0};
    LCAL_TRY(check_names(writer, err));
    writer->block = lcal__alloc_aligned(LCAL_BLOCK_BYTES, 1);
    if (!writer->block)
        return lcal__fail_nomem(err, writer->path);
    lcal_status status = build_head(writer, &head, err);
    if (status == LCAL_OK)
        status = lcal__replace_begin(writer->path, &writer->file, err);
    if (status == LCAL_OK) {
        writer->open = true;
        status = lcal__replace_write(&writer->file, head.text, head.length, err);
    }
    lcal__strbuf_free(&head);
    return status;
}

/* `count` elements of a tensor's rows, whole blocks. */
static lcal_status write_block(lcal__gguf_writer *writer, const lcal__gguf_entry *entry,
                               const float *values, size_t count, lcal_error *err)
{
    size_t bad;
    if (!lcal__ggml_encode(entry->type, values, writer->block, count, &bad))
        return lcal__fail(err, LCAL_NUMERIC, "%s: tensor %s: %g does not fit %s", writer->path,
                          entry->name, (double)values[bad], lcal__ggml_name(entry->type));
    return lcal__replace_write(&writer->file, writer->block, lcal__ggml_bytes(entry->type, count),
                               err);
}

static lcal_status end_tensor(lcal__gguf_writer *writer, const lcal__gguf_entry *entry,
                              lcal_error *err)
{
    static const unsigned char zeros[LCAL_GGUF_ALIGNMENT];
    const size_t bytes = entry->rows * lcal__ggml_bytes(entry->type, entry->cols);
    writer->current++;
    writer->written = 0;
    return lcal__replace_write(&writer->file, zeros, padding(bytes), err);
}

lcal_status lcal__gguf_write_rows(lcal__gguf_writer *writer, const char *name, const float *values,
                                  size_t rows, lcal_error *err)
{
    const lcal__gguf_entry *entry = &writer->entries[writer->current];
    if (writer->current >= writer->count || strcmp(entry->name, name) != 0
        || rows > entry->rows - writer->written)
        return lcal__fail(err, LCAL_INTERNAL, "%s: %zu rows of %s out of turn", writer->path, rows,
                          name);
    const size_t count = rows * entry->cols;
    /* No type takes more than 4 bytes an element; a multiple of Q8_0's blocks. */
    const size_t step = LCAL_BLOCK_BYTES / sizeof(float);
    for (size_t at = 0; at < count; at += step)
        LCAL_TRY(
            write_block(writer, entry, values + at, count - at < step ? count - at : step, err));
    writer->written += rows;
    return writer->written == entry->rows ? end_tensor(writer, entry, err) : LCAL_OK;
}

lcal_status lcal__gguf_writer_commit(lcal__gguf_writer *writer, lcal_error *err)
{
    if (writer->current != writer->count)
        return lcal__fail(err, LCAL_INTERNAL, "%s: tensor %s is not complete", writer->path,
                          writer->entries[writer->current].name);
    writer->open = false;
    return lcal__replace_commit(&writer->file, err);
}

void lcal__gguf_writer_free(lcal__gguf_writer *writer)
{
    if (writer->open)
        lcal__replace_abort(&writer->file);
    lcal__strbuf_free(&writer->keys);
    lcal__free(writer->entries);
    lcal__free(writer->block);
    *writer = (lcal__gguf_writer){0};
}
