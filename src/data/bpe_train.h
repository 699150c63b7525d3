/*
 * Training a byte-level BPE (Sennrich et al., arXiv:1508.07909, on bytes): from the 256 bytes on,
 * again and again the most frequent pair of neighbouring tokens becomes a token.
 *
 * Frequency counts neighbours, so "aaa" holds (a, a) twice. Of equally frequent pairs the one goes
 * first whose left token, then whose right token, has the smaller bytes (memcmp, then length). In a
 * word the merge goes from left to right. The result depends on the words and their counts alone.
 *
 * Where each pair stands is kept up to date as merges change it, and a heap of counts is corrected
 * only where its top is out of date: the time is about linear in the symbols of all words plus the
 * places that merges touch, however long a word is.
 */
#ifndef LCAL_DATA_BPE_TRAIN_H
#define LCAL_DATA_BPE_TRAIN_H

#include "data/bpe_words.h"
#include "data/vocab.h"

typedef struct lcal__bpe_learnt_merge {
    uint32_t left, right, id;
} lcal__bpe_learnt_merge;

/* Zeroed is valid and empty. */
typedef struct lcal__bpe_learnt {
    lcal__vocab tokens; /* by their bytes; ids 0..255 are the bytes */
    lcal__bpe_learnt_merge
        *merges; /* [count] in the order of their ranks; two may have one result */
    size_t count, capacity;
} lcal__bpe_learnt;

typedef struct lcal__bpe_training {
    size_t tokens;                /* how many to reach, at least 256 */
    uint64_t min_frequency;       /* a rarer pair is never merged; at least 1 */
    const lcal__vocab *forbidden; /* bytes that no token may become; may be NULL */
    /* Called after every merge; may be NULL. */
    void (*progress)(void *user, size_t tokens);
    void *user;
} lcal__bpe_training;

/* Ends early where no pair is frequent enough. LCAL_UNSUPPORTED: words of 2^32 bytes or more in
 * all. On failure *out is still to be freed. */
lcal_status lcal__bpe_train(const lcal__bpe_words *words, const lcal__bpe_training *options,
                            lcal__bpe_learnt *out, lcal_error *err);
void lcal__bpe_learnt_free(lcal__bpe_learnt *learnt);

#endif
