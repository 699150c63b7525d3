/*
 * The merge engine of all tokenizers: a linked list of symbols and a heap of the merges that are
 * possible between neighbours. O(n log n) for n symbols, whatever they are.
 */
#ifndef LCAL_DATA_BPE_H
#define LCAL_DATA_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/merges.h"

typedef struct lcal__bpe_symbol {
    uint32_t id;
    uint32_t previous, next; /* positions in the list, UINT32_MAX at its ends */
} lcal__bpe_symbol;

/* A merge that was possible when it was found; it still is where both symbols stand unchanged. */
typedef struct lcal__bpe_candidate {
    uint32_t rank;
    uint32_t at; /* position of the left symbol */
    uint32_t left, right, id;
} lcal__bpe_candidate;

/* Working memory, used again from word to word. Zeroed is valid. */
typedef struct lcal__bpe {
    lcal__bpe_symbol *symbols; /* [count] */
    size_t count, capacity;
    lcal__bpe_candidate *heap;
    size_t heap_count, heap_capacity;
} lcal__bpe;

/* Adds a symbol at the end; false where memory is out or 2^32 - 1 symbols are there. */
bool lcal__bpe_add(lcal__bpe *bpe, uint32_t id);

/* Merges as long as anything merges: the lowest rank first, leftmost on ties. symbols[0..count) are
 * the result, in order. False: out of memory. */
bool lcal__bpe_merge(lcal__bpe *bpe, const lcal__merges *merges);

void lcal__bpe_free(lcal__bpe *bpe);

#endif
