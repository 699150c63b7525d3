/* The tokens of a tokenizer by id and by text. */
#ifndef LCAL_DATA_VOCAB_H
#define LCAL_DATA_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Ids are below; larger than any vocabulary in use, small enough for a table by id. */
#define LCAL__TOKENS_MAX ((size_t)1 << 22)

typedef enum lcal__token_kind {
    LCAL__TOKEN_HOLE,    /* no token has this id */
    LCAL__TOKEN_NORMAL,  /* found by the model */
    LCAL__TOKEN_ADDED,   /* literal text, matched before the model sees it */
    LCAL__TOKEN_SPECIAL, /* added, and no part of the text: BOS, EOS, ... */
    LCAL__TOKEN_BYTE,    /* "<0x0A>": the byte itself */
    LCAL__TOKEN_UNUSED,  /* has a text, but nothing becomes it */
} lcal__token_kind;

typedef struct lcal__token {
    size_t start; /* in lcal__vocab.text */
    uint32_t length;
    uint8_t kind; /* lcal__token_kind */
    uint8_t byte; /* of a LCAL__TOKEN_BYTE */
} lcal__token;

/* Zeroed is valid and empty. */
typedef struct lcal__vocab {
    char *text; /* all tokens, each zero-terminated */
    size_t text_size, text_capacity;
    lcal__token *tokens; /* [count] by id */
    size_t count, capacity;
    uint32_t *slots; /* open addressing: id + 1, or 0; [slot_count], a power of two */
    size_t slot_count;
    size_t used; /* tokens that are no holes */
} lcal__vocab;

/* Refuses (LCAL_FORMAT) an id or a text that is there already, and ids of LCAL__TOKENS_MAX or more.
 */
lcal_status lcal__vocab_add(lcal__vocab *vocab, size_t id, const char *text, size_t length,
                            lcal__token_kind kind, lcal_error *err);
void lcal__vocab_free(lcal__vocab *vocab);

/* -1: no token has exactly this text. */
int32_t lcal__vocab_find(const lcal__vocab *vocab, const char *text, size_t length);

/* NULL: no such id. Zero-terminated; valid until the next add. */
const char *lcal__vocab_text(const lcal__vocab *vocab, int32_t id, size_t *length);

/* Makes every normal token of the form "<0x0A>" a LCAL__TOKEN_BYTE and sets ids[256] to them, -1
 * where a byte has none. Returns how many it found. */
size_t lcal__vocab_mark_bytes(lcal__vocab *vocab, int32_t ids[256]);

#endif
