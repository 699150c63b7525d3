/*
 * Tokenizers: text to token ids and back, byte for byte.
 *
 * Two families share one engine of merges (a heap, linear in practice):
 *   byte-level BPE   tokenizer.json of Llama-3, Qwen2/2.5/3, GPT-2, StableLM-2; GGUF model "gpt2"
 *   characters       Llama-2 style BPE with byte fallback, ranked merges (tokenizer.json) or scores
 *                    (GGUF model "llama", llama2.c's .bin)
 *
 * Text of users is never taken for a special token unless asked. Invalid UTF-8 becomes U+FFFD
 * before anything else looks at it.
 */
#ifndef LCAL_DATA_TOKENIZER_H
#define LCAL_DATA_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"
#include "lcal/tokenizer.h"

/* One type with the public handle: include/lcal/tokenizer.h is a thin layer over this header. */
typedef struct lcal_tokenizer lcal__tokenizer;

/* Opens a file by content (tokenizer.json, .gguf, llama2.c's tokenizer .bin) or a model directory
 * that holds tokenizer.json, tokenizer.gguf or one tok*.bin. BOS and EOS of a tokenizer.json are
 * those of the tokenizer_config.json beside it. Immutable afterwards: one may serve many threads.
 */
lcal_status lcal__tokenizer_open(const char *path, const lcal_log *log, lcal__tokenizer **out,
                                 lcal_error *err);
/* The same, and a large tokenizer.json is read from, and put into, the cache in directory `cache`
 * (data/tokenizer_cache.h). NULL or "": no cache. A cache that cannot be used is no error. */
lcal_status lcal__tokenizer_open_cached(const char *path, const char *cache, const lcal_log *log,
                                        lcal__tokenizer **out, lcal_error *err);
/* Whether there is one to open: not where a directory or a GGUF model has none. */
lcal_status lcal__tokenizer_find(const char *path, bool *found, lcal_error *err);
/* As open, from memory; `source` is what messages call it. bytes need not outlive the call. */
lcal_status lcal__tokenizer_parse(const void *bytes, size_t size, const char *source,
                                  lcal__tokenizer **out, lcal_error *err);
void lcal__tokenizer_close(lcal__tokenizer **tokenizer);

typedef struct lcal__encode_options {
    bool parse_special; /* text that spells a special token becomes that token */
    bool add_special;   /* what the tokenizer's own template puts around a text (BOS, ...), also
                         * where the text itself spells it */
    bool continues;     /* the text goes on after other text: no space is put before it, as Llama-2
                         * style tokenizers do at the start */
} lcal__encode_options;

/* ids of text[0..length), appended to the growing array *ids (base/mem.h's lcal__grow; free with
 * lcal__free). On failure *count is as it was. */
lcal_status lcal__tokenizer_encode(const lcal__tokenizer *tokenizer, const char *text,
                                   size_t length, const lcal__encode_options *options,
                                   int32_t **ids, size_t *count, size_t *capacity, lcal_error *err);

/* Bytes of `count` ids, zero-terminated, free with lcal__free. skip_special leaves special tokens
 * out. The bytes are those of the tokens: not valid UTF-8 where the ids cut a character. */
lcal_status lcal__tokenizer_decode(const lcal__tokenizer *tokenizer, const int32_t *ids,
                                   size_t count, bool skip_special, char **text, size_t *length,
                                   lcal_error *err);

/* Decoding token by token: bytes of a character not yet complete are held back. Zeroed is valid. */
typedef struct lcal__decode_stream {
    char held[4];
    size_t held_length;
    bool begun; /* something was decoded: a leading space is text now */
} lcal__decode_stream;

/* Appends to `out` what became complete with this id: whole characters, and bytes that can never
 * become one. All that a stream appends, end included, is what lcal__tokenizer_decode gives. */
lcal_status lcal__tokenizer_stream(const lcal__tokenizer *tokenizer, lcal__decode_stream *stream,
                                   int32_t id, bool skip_special, lcal__strbuf *out,
                                   lcal_error *err);
/* Appends what is still held back and leaves the stream as new. */
lcal_status lcal__tokenizer_stream_end(lcal__decode_stream *stream, lcal__strbuf *out,
                                       lcal_error *err);

size_t lcal__tokenizer_size(const lcal__tokenizer *tokenizer); /* ids are below */
/* What add_special puts before a text, such as BOS: [*count]. */
const int32_t *lcal__tokenizer_prefix(const lcal__tokenizer *tokenizer, size_t *count);
int32_t lcal__tokenizer_bos(const lcal__tokenizer *tokenizer); /* -1: none */
int32_t lcal__tokenizer_eos(const lcal__tokenizer *tokenizer); /* -1: none */
/* The id of a token by its exact text as stored (special or not), or -1. */
int32_t lcal__tokenizer_id(const lcal__tokenizer *tokenizer, const char *token);
/* The token's text as stored, and whether it is special (may be NULL). NULL: no such id. */
const char *lcal__tokenizer_token(const lcal__tokenizer *tokenizer, int32_t id, bool *special);

#endif
