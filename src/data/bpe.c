#include "data/bpe.h"

#include "base/mem.h"

#define LCAL_NONE UINT32_MAX

/* Children of a node: four 8-byte keys share a cache line, and the heap is half as deep. */
#define LCAL_BRANCHES 4

bool lcal__bpe_add(lcal__bpe *bpe, uint32_t id)
{
    if (bpe->count >= LCAL_NONE
        || !lcal__grow((void **)&bpe->symbols, &bpe->capacity, bpe->count + 1,
                       sizeof(*bpe->symbols)))
        return false;
    uint32_t at = (uint32_t)bpe->count++;
    bpe->symbols[at] = (lcal__bpe_symbol){id, at ? at - 1 : LCAL_NONE, LCAL_NONE, LCAL_NONE, 0};
    if (at)
        bpe->symbols[at - 1].next = at;
    return true;
}

static void push(lcal__bpe *bpe, uint64_t key)
{
    uint64_t *heap = bpe->heap;
    size_t at = bpe->heap_count++;
    for (size_t parent; at && key < heap[parent = (at - 1) / LCAL_BRANCHES]; at = parent)
        heap[at] = heap[parent];
    heap[at] = key;
}

static uint64_t pop(lcal__bpe *bpe)
{
    uint64_t *heap = bpe->heap, top = heap[0], last = heap[--bpe->heap_count];
    const size_t count = bpe->heap_count;
    size_t at = 0;
    for (size_t first; (first = LCAL_BRANCHES * at + 1) < count;) {
        const size_t end = count - first < LCAL_BRANCHES ? count : first + LCAL_BRANCHES;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++)
            least = heap[child] < heap[least] ? child : least;
        if (last <= heap[least])
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = last;
    return top;
}

/* Looks up the merge of the symbol at a position with its right neighbour. */
static bool note(lcal__bpe *bpe, const lcal__merges *merges, uint32_t at)
{
    lcal__bpe_symbol *left = &bpe->symbols[at];
    const lcal__merge *merge = NULL;
    if (left->next != LCAL_NONE)
        merge = lcal__merges_find(merges, left->id, bpe->symbols[left->next].id);
    left->rank = merge ? merge->rank : LCAL_NONE;
    if (!merge)
        return true;
    left->merged = merge->id;
    if (!lcal__grow((void **)&bpe->heap, &bpe->heap_capacity, bpe->heap_count + 1,
                    sizeof(*bpe->heap)))
        return false;
    push(bpe, (uint64_t)merge->rank << 32 | at);
    return true;
}

static bool apply(lcal__bpe *bpe, const lcal__merges *merges, uint32_t at)
{
    lcal__bpe_symbol *left = &bpe->symbols[at], *right = &bpe->symbols[left->next];
    left->id = left->merged;
    left->next = right->next;
    right->id = right->rank = LCAL_NONE;
    if (left->next != LCAL_NONE)
        bpe->symbols[left->next].previous = at;
    return (left->previous == LCAL_NONE || note(bpe, merges, left->previous))
           && note(bpe, merges, at);
}

bool lcal__bpe_merge(lcal__bpe *bpe, const lcal__merges *merges)
{
    bpe->heap_count = 0;
    for (size_t i = 0; i + 1 < bpe->count; i++)
        if (!note(bpe, merges, (uint32_t)i))
            return false;
    while (bpe->heap_count) {
        const uint64_t best = pop(bpe);
        const uint32_t at = (uint32_t)best;
        /* An entry is out of date where a neighbour changed since: then the rank did too. */
        if (bpe->symbols[at].rank == best >> 32 && !apply(bpe, merges, at))
            return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < bpe->count; i++)
        if (bpe->symbols[i].id != LCAL_NONE)
            bpe->symbols[kept++] = bpe->symbols[i];
    bpe->count = kept;
    return true;
}

void lcal__bpe_free(lcal__bpe *bpe)
{
    lcal__free(bpe->symbols);
    lcal__free(bpe->heap);
    *bpe = (lcal__bpe){0};
}
