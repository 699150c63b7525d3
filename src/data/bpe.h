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
    uint32_t id;             /* UINT32_MAX: its left neighbour took it */
    uint32_t previous, next; /* positions in the list, UINT32_MAX at its ends */
    uint32_t rank;           /* of its merge with the next one; UINT32_MAX: none */
    uint32_t merged;         /* what both would become */
} lcal__bpe_symbol;

/* Working memory, used again from word to word. Zeroed is valid. */
typedef struct lcal__bpe {
    lcal__bpe_symbol *symbols; /* [count] */
    size_t count, capacity;
    uint64_t *heap; /* rank << 32 | position: a merge that was possible when it was put there */
    size_t heap_count, heap_capacity;
} lcal__bpe;

/* Adds a symbol at the end; false where memory is out or 2^32 - 1 symbols are there. */
bool lcal__bpe_add(lcal__bpe *bpe, uint32_t id);

/* Merges as long as anything merges: the lowest rank first, leftmost on ties. symbols[0..count) are
 * the result, in order. False: out of memory. */
bool lcal__bpe_merge(lcal__bpe *bpe, const lcal__merges *merges);

void lcal__bpe_free(lcal__bpe *bpe);

#endif
