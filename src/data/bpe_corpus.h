/*
 * The words of text files, counted: what a BPE is trained on.
 *
 * Plain text is cut at line ends into pieces of about LCAL__BPE_PIECE bytes, JSON lines into their
 * fields; pieces are normalized and cut into words on several threads. The counts do not depend on
 * how many.
 */
#ifndef LCAL_DATA_BPE_CORPUS_H
#define LCAL_DATA_BPE_CORPUS_H

#include "data/bpe_words.h"
#include "data/normalizer.h"
#include "data/pretokenizer.h"

#define LCAL__BPE_PIECE ((size_t)64 << 10)

typedef struct lcal__bpe_corpus_options {
    const char *const *fields; /* [field_count] strings of the JSON objects, one a line, to take */
    size_t field_count;        /* 0: the files are plain text */
    const lcal__normalizer *normalizer;
    const lcal__pretokenizer *pre;
    size_t threads; /* 0: all processors */
    /* Called now and then with the bytes of text taken so far; may be NULL. */
    void (*progress)(void *user, uint64_t bytes);
    void *user;
} lcal__bpe_corpus_options;

typedef struct lcal__bpe_corpus lcal__bpe_corpus;

/* Keeps a copy of the options; what they point to must outlive the corpus. */
lcal_status lcal__bpe_corpus_open(const lcal__bpe_corpus_options *options, lcal__bpe_corpus **out,
                                  lcal_error *err);

/* Adds a file, plain or gzip. Invalid UTF-8 counts as U+FFFD. LCAL_FORMAT: a line that is no object
 * or has none of the fields. */
lcal_status lcal__bpe_corpus_add(lcal__bpe_corpus *corpus, const char *path, lcal_error *err);

/* All words so far, added to `words`, and the bytes of text they came from. */
lcal_status lcal__bpe_corpus_words(lcal__bpe_corpus *corpus, lcal__bpe_words *words,
                                   uint64_t *bytes, lcal_error *err);
void lcal__bpe_corpus_close(lcal__bpe_corpus **corpus);

#endif
