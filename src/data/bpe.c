#include "data/bpe.h"

#include "base/mem.h"

#define LCAL_NOWHERE UINT32_MAX
#define LCAL_MERGED_AWAY UINT32_MAX /* the id of a symbol that its left neighbour took */

bool lcal__bpe_add(lcal__bpe *bpe, uint32_t id)
{
    if (bpe->count >= LCAL_NOWHERE
        || !lcal__grow((void **)&bpe->symbols, &bpe->capacity, bpe->count + 1,
                       sizeof(*bpe->symbols)))
        return false;
    uint32_t at = (uint32_t)bpe->count++;
    bpe->symbols[at] = (lcal__bpe_symbol){id, at ? at - 1 : LCAL_NOWHERE, LCAL_NOWHERE};
    if (at)
        bpe->symbols[at - 1].next = at;
    return true;
}

static bool before(const lcal__bpe_candidate *a, const lcal__bpe_candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(lcal__bpe *bpe, lcal__bpe_candidate candidate)
{
    size_t at = bpe->heap_count++;
    while (at && before(&candidate, &bpe->heap[(at - 1) / 2])) {
        bpe->heap[at] = bpe->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    bpe->heap[at] = candidate;
}

static lcal__bpe_candidate pop(lcal__bpe *bpe)
{
    lcal__bpe_candidate *heap = bpe->heap, top = heap[0], last = heap[--bpe->heap_count];
    size_t at = 0, count = bpe->heap_count;
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &last))
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

/* Notes the merge of the symbol at a position with its right neighbour, where there is one. */
static bool note(lcal__bpe *bpe, const lcal__merges *merges, uint32_t at)
{
    const lcal__bpe_symbol *left = &bpe->symbols[at];
    if (left->next == LCAL_NOWHERE)
        return true;
    uint32_t right = bpe->symbols[left->next].id;
    const lcal__merge *merge = lcal__merges_find(merges, left->id, right);
    if (!merge)
        return true;
    if (!lcal__grow((void **)&bpe->heap, &bpe->heap_capacity, bpe->heap_count + 1,
                    sizeof(*bpe->heap)))
        return false;
    push(bpe, (lcal__bpe_candidate){merge->rank, at, left->id, right, merge->id});
    return true;
}

static bool still_possible(const lcal__bpe *bpe, const lcal__bpe_candidate *c)
{
    const lcal__bpe_symbol *left = &bpe->symbols[c->at];
    return left->id == c->left && left->next != LCAL_NOWHERE
           && bpe->symbols[left->next].id == c->right;
}

static bool apply(lcal__bpe *bpe, const lcal__merges *merges, const lcal__bpe_candidate *c)
{
    lcal__bpe_symbol *left = &bpe->symbols[c->at], *right = &bpe->symbols[left->next];
    left->id = c->id;
    left->next = right->next;
    right->id = LCAL_MERGED_AWAY;
    if (left->next != LCAL_NOWHERE)
        bpe->symbols[left->next].previous = c->at;
    return (left->previous == LCAL_NOWHERE || note(bpe, merges, left->previous))
           && note(bpe, merges, c->at);
}

bool lcal__bpe_merge(lcal__bpe *bpe, const lcal__merges *merges)
{
    bpe->heap_count = 0;
    for (size_t i = 0; i + 1 < bpe->count; i++)
        if (!note(bpe, merges, (uint32_t)i))
            return false;
    while (bpe->heap_count) {
        lcal__bpe_candidate best = pop(bpe);
        if (still_possible(bpe, &best) && !apply(bpe, merges, &best))
            return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < bpe->count; i++)
        if (bpe->symbols[i].id != LCAL_MERGED_AWAY)
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
