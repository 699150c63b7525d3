/* The tensors of a GGUF file; used by gguf.c only. */
#ifndef LCAL_FORMAT_GGUF_TENSORS_H
#define LCAL_FORMAT_GGUF_TENSORS_H

#include "format/gguf_bytes.h"

/* Reads `count` entries and checks them against the file's size. */
lcal_status lcal__gguf_read_tensors(lcal__gguf_reader *r, size_t count, lcal__gguf *out,
                                    lcal_error *err);

#endif
