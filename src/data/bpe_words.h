/* How often each word of a text occurs: all that a BPE is trained on. */
#ifndef LCAL_DATA_BPE_WORDS_H
#define LCAL_DATA_BPE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct lcal__bpe_word {
    size_t start; /* in lcal__bpe_words.bytes */
    uint32_t length;
    uint32_t hash;
    uint64_t count;
} lcal__bpe_word;

/* Zeroed is valid and empty. */
typedef struct lcal__bpe_words {
    char *bytes; /* all words, nothing between them */
    size_t size, bytes_capacity;
    lcal__bpe_word *list; /* [count] */
    size_t count, capacity;
    uint32_t *slots; /* open addressing: index + 1, or 0; [slot_count], a power of two */
    size_t slot_count;
} lcal__bpe_words;

/* Counts a word `count` times more. LCAL_UNSUPPORTED: 2^32 words or more. */
lcal_status lcal__bpe_words_add(lcal__bpe_words *words, const char *word, size_t length,
                                uint64_t count, lcal_error *err);

/* Adds all of `from`. */
lcal_status lcal__bpe_words_join(lcal__bpe_words *words, const lcal__bpe_words *from,
                                 lcal_error *err);
void lcal__bpe_words_free(lcal__bpe_words *words);

#endif
