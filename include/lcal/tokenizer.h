/*
 * Tokenizers: text to token ids and back, byte for byte.
 *
 * Text is never taken for a special token unless asked. Invalid UTF-8 becomes U+FFFD when encoded;
 * decoding gives the bytes of the tokens as they are.
 */
#ifndef LCAL_TOKENIZER_H
#define LCAL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "lcal/log.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lcal_tokenizer lcal_tokenizer;

/* Opens tokenizer.json, a GGUF file or llama2.c's tokenizer .bin (known by content), or a model
 * directory that holds one. Immutable afterwards: one may serve many threads. log may be NULL. */
LCAL_API lcal_status lcal_tokenizer_open(const char *path, const lcal_log *log,
                                         lcal_tokenizer **out, lcal_error *err);

/* The same with a directory, made if need be, where what is slow to read in a large tokenizer.json
 * is kept for the next time: tens of milliseconds instead of hundreds. Keyed by the file's content,
 * checksummed, limited in size, safe to delete; one that cannot be read or written is no error.
 * cache: NULL or "" for none. */
LCAL_API lcal_status lcal_tokenizer_open_cached(const char *path, const char *cache,
                                                const lcal_log *log, lcal_tokenizer **out,
                                                lcal_error *err);
LCAL_API void lcal_tokenizer_close(lcal_tokenizer **tokenizer);

typedef enum lcal_encode_flags {
    LCAL_PARSE_SPECIAL = 1, /* text that spells a special token becomes that token */
    LCAL_ADD_SPECIAL = 2,   /* with what the tokenizer's template puts around a text (BOS, ...) */
} lcal_encode_flags;

/* ids of text[0..length): *ids [*count], never NULL on LCAL_OK, free with lcal_ids_free. flags: a
 * sum of lcal_encode_flags. */
LCAL_API lcal_status lcal_tokenizer_encode(const lcal_tokenizer *tokenizer, const char *text,
                                           size_t length, unsigned flags, int32_t **ids,
                                           size_t *count, lcal_error *err);
LCAL_API void lcal_ids_free(int32_t *ids);

/* Bytes of ids[0..count), zero-terminated, free with lcal_text_free (lcal/config.h); skip_special,
 * where not 0, leaves special tokens out. LCAL_INVALID: an id that is no token. */
LCAL_API lcal_status lcal_tokenizer_decode(const lcal_tokenizer *tokenizer, const int32_t *ids,
                                           size_t count, int skip_special, char **text,
                                           size_t *length, lcal_error *err);

LCAL_API size_t lcal_tokenizer_size(const lcal_tokenizer *tokenizer); /* ids are below */
LCAL_API int32_t lcal_tokenizer_bos(const lcal_tokenizer *tokenizer); /* -1: none */
LCAL_API int32_t lcal_tokenizer_eos(const lcal_tokenizer *tokenizer); /* -1: none */

#ifdef __cplusplus
}
#endif
#endif
