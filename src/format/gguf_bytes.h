/* Reading a GGUF file's bytes; shared by the files gguf*.c only. */
#ifndef LCAL_FORMAT_GGUF_BYTES_H
#define LCAL_FORMAT_GGUF_BYTES_H

#include "format/gguf.h"

/* at <= size, always. */
typedef struct lcal__gguf_reader {
    const unsigned char *bytes;
    size_t size, at;
    const char *source;
} lcal__gguf_reader;

/* Little-endian unsigned of `size` <= 8 bytes. */
uint64_t lcal__gguf_load(const unsigned char *at, size_t size);

/* The next value; fails where the file ends before it. `what` names it in messages. */
lcal_status lcal__gguf_read(lcal__gguf_reader *r, size_t size, uint64_t *out, const char *what,
                            lcal_error *err);
lcal_status lcal__gguf_read_string(lcal__gguf_reader *r, lcal__gguf_string *out, const char *what,
                                   lcal_error *err);

/* LCAL_FORMAT: "`what` is cut short or too large", at the reader's place. */
lcal_status lcal__gguf_cut(const lcal__gguf_reader *r, const char *what, lcal_error *err);

/* Sorts names and fails where two are equal. */
lcal_status lcal__gguf_refuse_doubles(const char *source, lcal__gguf_string *names, size_t count,
                                      const char *what, lcal_error *err);

#endif
