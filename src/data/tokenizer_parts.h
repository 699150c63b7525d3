/* What a tokenizer is made of; shared by the files tokenizer_*.c only. */
#ifndef LCAL_DATA_TOKENIZER_PARTS_H
#define LCAL_DATA_TOKENIZER_PARTS_H

#include <jansson.h>

#include "data/added.h"
#include "data/bpe.h"
#include "data/merges.h"
#include "data/normalizer.h"
#include "data/pretokenizer.h"
#include "data/tokenizer.h"
#include "data/vocab.h"

/* Ids that a template puts before or after a text. Zeroed is valid. */
typedef struct lcal__id_list {
    int32_t *ids;
    size_t count, capacity;
} lcal__id_list;

lcal_status lcal__id_list_add(lcal__id_list *list, int32_t id, lcal_error *err);

/* How a token's stored text becomes bytes. */
typedef struct lcal__token_decoder {
    bool byte_level; /* GPT-2's spelling of bytes is undone */
    char *space;     /* every one becomes a space ("\u2581"); owned; NULL: none */
    size_t space_length;
    bool bytes;               /* a LCAL__TOKEN_BYTE becomes its byte */
    bool strip_leading_space; /* one, at the start of the whole text */
} lcal__token_decoder;

/*
 * text -> added tokens found in the raw text -> normalizer -> added tokens found in the normalized
 * text -> pre-tokenizer -> BPE of every word. Zeroed is valid.
 */
struct lcal_tokenizer {
    lcal__vocab vocab;
    lcal__added raw, normalized;
    lcal__normalizer normalizer;
    lcal__pretokenizer pre;

    lcal__merges merges;
    bool byte_level;       /* the first symbols are bytes, else characters */
    int32_t byte_ids[256]; /* of bytes, or of fallback bytes; -1: none */
    int32_t unk;           /* for what has no token; -1: none */
    bool fuse_unk;         /* neighbours share one unk */
    bool ignore_merges;    /* a word that is a token is not built from merges */

    lcal__id_list prefix, suffix;
    int32_t bos, eos; /* -1: none */
    lcal__token_decoder decoder;
};

/* An empty tokenizer with all ids -1. */
lcal_status lcal__tokenizer_new(lcal__tokenizer **out, lcal_error *err);

/* Frees what a tokenizer holds and makes it empty. */
void lcal__tokenizer_clear(lcal__tokenizer *tokenizer);

/* Checks that all text can be encoded and finishes the search tables: the end of every reader. */
lcal_status lcal__tokenizer_finish(lcal__tokenizer *tokenizer, const char *source, lcal_error *err);

/* Sets byte_ids of a byte-level vocabulary. */
void lcal__tokenizer_find_bytes(lcal__tokenizer *tokenizer);

/* lcal__tokenizer_parse with a cache directory (NULL or "": none). */
lcal_status lcal__tokenizer_parse_cached(const void *bytes, size_t size, const char *source,
                                         const char *cache, lcal__tokenizer **out, lcal_error *err);

/* The three readers: fill an empty tokenizer from a whole file. Messages begin with `source`. */
lcal_status lcal__tokenizer_read_json(lcal__tokenizer *tokenizer, const void *bytes, size_t size,
                                      const char *source, lcal_error *err);
lcal_status lcal__tokenizer_read_gguf(lcal__tokenizer *tokenizer, const void *bytes, size_t size,
                                      const char *source, lcal_error *err);
/* Whether a GGUF file has one at all: "none" is what models without one say. */
lcal_status lcal__tokenizer_in_gguf(const void *bytes, size_t size, const char *source, bool *found,
                                    lcal_error *err);
lcal_status lcal__tokenizer_read_llama2c(lcal__tokenizer *tokenizer, const void *bytes, size_t size,
                                         const char *source, lcal_error *err);

/* tokenizer.json in two steps: the tables of its model (vocabulary and merges, nearly all of its
 * bytes), then everything else, for which the tables may also come from a cache. */
lcal_status lcal__tokenizer_json_tables(lcal__tokenizer *tokenizer, const json_t *root,
                                        const char *source, lcal_error *err);
lcal_status lcal__tokenizer_json_rest(lcal__tokenizer *tokenizer, const json_t *root,
                                      const char *source, lcal_error *err);

/* Parts of tokenizer.json, each from its own member (may be null). */
lcal_status lcal__tokenizer_json_options(lcal__tokenizer *tokenizer, const json_t *model,
                                         const char *source, lcal_error *err);
lcal_status lcal__tokenizer_json_normalizer(lcal__tokenizer *tokenizer, const json_t *normalizer,
                                            const char *source, lcal_error *err);
lcal_status lcal__tokenizer_json_pre(lcal__tokenizer *tokenizer, const json_t *pre,
                                     const char *source, lcal_error *err);
lcal_status lcal__tokenizer_json_post(lcal__tokenizer *tokenizer, const json_t *post,
                                      const char *source, lcal_error *err);
lcal_status lcal__tokenizer_json_decoder(lcal__tokenizer *tokenizer, const json_t *decoder,
                                         const char *source, lcal_error *err);

#endif
