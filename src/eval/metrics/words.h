/* Words of several texts as numbers: equal words get equal ones. */
#ifndef LCAL_EVAL_METRICS_WORDS_H
#define LCAL_EVAL_METRICS_WORDS_H

#include "eval/metrics/ngrams.h"

/* A list that grows. Zeroed is valid and empty. */
typedef struct lcal__words {
    uint32_t *items;
    size_t count, capacity;
} lcal__words;

void lcal__words_free(lcal__words *words);
lcal__sequence lcal__words_sequence(const lcal__words *words);

/* Which number each word has. Zeroed is valid and empty. */
typedef struct lcal__lexicon {
    char *text; /* all words, each ended by a zero */
    size_t length, text_capacity;
    size_t *starts; /* [count] of word number i in text */
    size_t count, start_capacity;
    uint32_t *slots; /* [slot_count] number + 1 of the word whose hash led there; 0: free */
    size_t slot_count;
} lcal__lexicon;

void lcal__lexicon_free(lcal__lexicon *lexicon);

/* Appends the number of the word text[0..length). */
lcal_status lcal__words_add(lcal__words *words, lcal__lexicon *lexicon, const char *text,
                            size_t length, lcal_error *err);

/* Length of the white space (str.isspace of Python) at text[0..size), 0 where there is none. */
size_t lcal__space_length(const char *text, size_t size);

/* Appends the words of text[0..size) between white space (str.split of Python). */
lcal_status lcal__words_split(lcal__words *words, lcal__lexicon *lexicon, const char *text,
                              size_t size, lcal_error *err);

#endif
