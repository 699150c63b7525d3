/*
 * Tokenizers: text to token ids and back, byte for byte.
 *
 * Text is never taken for a special token unless asked. Invalid UTF-8 becomes U+FFFD when encoded;
 * decoding gives the bytes of the tokens as they are.
 */
#ifndef LCAL_TOKENIZER_H
#define LCAL_TOKENIZER_H

#include <stdbool.h>
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

/* A token's text as the tokenizer spells it, valid while it is open, and whether it is special
 * (special may be NULL). NULL: no token has this id. */
LCAL_API const char *lcal_tokenizer_token(const lcal_tokenizer *tokenizer, int32_t id,
                                          bool *special);

/* --- training a tokenizer ------------------------------------------------------------------- */

typedef struct lcal_tokenizer_progress {
    uint64_t bytes; /* of text read so far */
    size_t tokens;  /* so far; 0: still reading */
    size_t goal;    /* the tokens asked for */
} lcal_tokenizer_progress;

/* Byte-level BPE. Only vocab must be set. */
typedef struct lcal_tokenizer_training {
    size_t vocab;               /* token ids in all: special ones, 256 bytes, merges */
    uint64_t min_frequency;     /* rarer pairs are not merged; 0: 2 */
    const char *pattern;        /* how text is cut into words: "llama3" (NULL), "qwen2", "gpt2" */
    bool nfc;                   /* Unicode composition first, as Qwen does */
    const char *bos, *eos;      /* NULL: "<|begin_of_text|>", "<|end_of_text|>" */
    const char *pad;            /* NULL: "<|pad|>" */
    const char *const *special; /* [special_count] more special tokens */
    size_t special_count;
    bool add_bos;              /* every text begins with BOS */
    const char *chat_template; /* "llama3", "chatml", "zephyr", with their special tokens; NULL:
                                  none */
    const char *const *fields; /* [field_count] the files are JSON lines; these strings of theirs
                                  are the text */
    size_t field_count;        /* 0: the files are plain text */
    size_t threads;            /* 0: all processors; the result does not depend on it */
    bool overwrite;            /* replaces files that are there */
    void (*progress)(void *user, const lcal_tokenizer_progress *now); /* may be NULL */
    void *user;
} lcal_tokenizer_training;

typedef struct lcal_tokenizer_trained {
    size_t vocab;   /* fewer than asked for where no pair was frequent enough any more */
    size_t special; /* of these; ids 0 .. special - 1 */
    size_t merges;
    size_t words;   /* different ones */
    uint64_t bytes; /* of text */
} lcal_tokenizer_trained;

/*
 * Trains on text files, plain or gzip, and writes tokenizer.json and, beside it,
 * tokenizer_config.json in Hugging Face's formats. out: a directory, or a file name that ends in
 * ".json". Equally frequent pairs merge in order of their bytes, so the same text gives the same
 * files. result may be NULL. LCAL_INVALID: options that do not fit, or files that are there.
 */
LCAL_API lcal_status lcal_tokenizer_train(const char *const *files, size_t count, const char *out,
                                          const lcal_tokenizer_training *options,
                                          lcal_tokenizer_trained *result, lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
