/* Pairs of neighbouring tokens in training: how often, where, and which is the most frequent. */
#ifndef LCAL_DATA_BPE_PAIRS_H
#define LCAL_DATA_BPE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/vocab.h"

typedef struct lcal__bpe_pair {
    uint32_t left, right;
    uint64_t count;   /* occurrences now */
    uint64_t queued;  /* its count in the queue's newest entry; 0: none there */
    uint32_t *places; /* [place_count] left symbols; some are out of date */
    size_t place_count, place_capacity;
    bool risen; /* is on the list of pairs to queue again */
} lcal__bpe_pair;

typedef struct lcal__bpe_queued {
    uint64_t count;
    uint32_t pair; /* index */
} lcal__bpe_queued;

/* Zeroed is valid and empty. */
typedef struct lcal__bpe_pairs {
    const lcal__vocab *tokens; /* whose bytes order equal counts */
    uint64_t min_frequency;
    lcal__bpe_pair *list; /* [count] */
    size_t count, capacity;
    uint32_t *slots; /* open addressing: index + 1, or 0; [slot_count], a power of two */
    size_t slot_count;
    lcal__bpe_queued *queue; /* a heap, the most frequent on top */
    size_t queue_count, queue_capacity;
    uint32_t *risen; /* [risen_count] pairs that gained since the last lcal__bpe_pairs_queue */
    size_t risen_count, risen_capacity;
} lcal__bpe_pairs;

/* `weight` more occurrences, with a left symbol at `place`. False: out of memory. */
bool lcal__bpe_pairs_gain(lcal__bpe_pairs *pairs, uint32_t left, uint32_t right, uint64_t weight,
                          uint32_t place);
/* `weight` fewer, of a pair that has them. */
void lcal__bpe_pairs_lose(lcal__bpe_pairs *pairs, uint32_t left, uint32_t right, uint64_t weight);

/* Queues what gained. False: out of memory. */
bool lcal__bpe_pairs_queue(lcal__bpe_pairs *pairs);

/* Takes the most frequent pair off the queue; NULL where none reaches min_frequency. Valid until
 * the next gain. */
lcal__bpe_pair *lcal__bpe_pairs_pop(lcal__bpe_pairs *pairs);

void lcal__bpe_pairs_free(lcal__bpe_pairs *pairs);

#endif
