#include "data/bpe_pairs.h"

#include <string.h>

#include "base/mem.h"

/* The slot that holds the pair, or the empty one where it belongs. */
static size_t find_slot(const lcal__bpe_pairs *p, uint32_t left, uint32_t right)
{
    const uint64_t h = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    size_t mask = p->slot_count - 1, slot = (size_t)(h ^ h >> 32) & mask;
    for (; p->slots[slot]; slot = (slot + 1) & mask) {
        const lcal__bpe_pair *pair = &p->list[p->slots[slot] - 1];
        if (pair->left == left && pair->right == right)
            break;
    }
    return slot;
}

/* Keeps the table at most half full. */
static bool reserve_slots(lcal__bpe_pairs *p)
{
    if ((p->count + 1) * 2 <= p->slot_count)
        return true;
    const size_t slot_count = p->slot_count ? p->slot_count * 2 : 4096;
    uint32_t *slots = lcal__calloc(slot_count, sizeof(*slots));
    if (!slots)
        return false;
    lcal__free(p->slots);
    p->slots = slots;
    p->slot_count = slot_count;
    for (size_t i = 0; i < p->count; i++)
        slots[find_slot(p, p->list[i].left, p->list[i].right)] = (uint32_t)i + 1;
    return true;
}

/* The pair, made where it is new; NULL: out of memory. */
static lcal__bpe_pair *get(lcal__bpe_pairs *p, uint32_t left, uint32_t right)
{
    if (p->slot_count) {
        const uint32_t known = p->slots[find_slot(p, left, right)];
        if (known)
            return &p->list[known - 1];
    }
    if (p->count >= UINT32_MAX - 1 || !reserve_slots(p)
        || !lcal__grow((void **)&p->list, &p->capacity, p->count + 1, sizeof(*p->list)))
        return NULL;
    p->slots[find_slot(p, left, right)] = (uint32_t)p->count + 1;
    p->list[p->count] = (lcal__bpe_pair){.left = left, .right = right};
    return &p->list[p->count++];
}

bool lcal__bpe_pairs_gain(lcal__bpe_pairs *p, uint32_t left, uint32_t right, uint64_t weight,
                          uint32_t place)
{
    lcal__bpe_pair *pair = get(p, left, right);
    if (!pair
        || !lcal__grow((void **)&pair->places, &pair->place_capacity, pair->place_count + 1,
                       sizeof(*pair->places)))
        return false;
    pair->places[pair->place_count++] = place;
    pair->count += weight;
    if (pair->risen)
        return true;
    if (!lcal__grow((void **)&p->risen, &p->risen_capacity, p->risen_count + 1, sizeof(*p->risen)))
        return false;
    p->risen[p->risen_count++] = (uint32_t)(pair - p->list);
    pair->risen = true;
    return true;
}

void lcal__bpe_pairs_lose(lcal__bpe_pairs *p, uint32_t left, uint32_t right, uint64_t weight)
{
    p->list[p->slots[find_slot(p, left, right)] - 1].count -= weight;
}

static int compare_tokens(const lcal__vocab *tokens, uint32_t a, uint32_t b)
{
    const lcal__token *x = &tokens->tokens[a], *y = &tokens->tokens[b];
    const size_t shorter = x->length < y->length ? x->length : y->length;
    const int order = memcmp(tokens->text + x->start, tokens->text + y->start, shorter);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* Whether `a` goes before `b`. */
static bool before(const lcal__bpe_pairs *p, lcal__bpe_queued a, lcal__bpe_queued b)
{
    if (a.count != b.count)
        return a.count > b.count;
    const lcal__bpe_pair *x = &p->list[a.pair], *y = &p->list[b.pair];
    const int left = x->left == y->left ? 0 : compare_tokens(p->tokens, x->left, y->left);
    return left ? left < 0 : compare_tokens(p->tokens, x->right, y->right) < 0;
}

static bool push(lcal__bpe_pairs *p, lcal__bpe_queued entry)
{
    if (!lcal__grow((void **)&p->queue, &p->queue_capacity, p->queue_count + 1, sizeof(*p->queue)))
        return false;
    size_t at = p->queue_count++;
    for (size_t parent; at && before(p, entry, p->queue[parent = (at - 1) / 2]); at = parent)
        p->queue[at] = p->queue[parent];
    p->queue[at] = entry;
    return true;
}

/* Puts an entry in the place of the top. */
static void replace_top(lcal__bpe_pairs *p, lcal__bpe_queued entry)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < p->queue_count; at = child) {
        if (child + 1 < p->queue_count && before(p, p->queue[child + 1], p->queue[child]))
            child++;
        if (!before(p, p->queue[child], entry))
            break;
        p->queue[at] = p->queue[child];
    }
    p->queue[at] = entry;
}

static void drop_top(lcal__bpe_pairs *p)
{
    const lcal__bpe_queued last = p->queue[--p->queue_count];
    if (p->queue_count)
        replace_top(p, last);
}

bool lcal__bpe_pairs_queue(lcal__bpe_pairs *p)
{
    for (size_t i = 0; i < p->risen_count; i++) {
        lcal__bpe_pair *pair = &p->list[p->risen[i]];
        pair->risen = false;
        /* Below its entry it is found when that one comes to the top. */
        if (pair->count < p->min_frequency || pair->count <= pair->queued)
            continue;
        pair->queued = pair->count;
        if (!push(p, (lcal__bpe_queued){pair->count, p->risen[i]}))
            return false;
    }
    p->risen_count = 0;
    return true;
}

lcal__bpe_pair *lcal__bpe_pairs_pop(lcal__bpe_pairs *p)
{
    while (p->queue_count) {
        const lcal__bpe_queued top = p->queue[0];
        lcal__bpe_pair *pair = &p->list[top.pair];
        const bool newest = top.count == pair->queued;
        if (newest && pair->count == top.count) {
            drop_top(p);
            pair->queued = 0;
            return pair;
        }
        if (newest && pair->count >= p->min_frequency) {
            pair->queued = pair->count;
            replace_top(p, (lcal__bpe_queued){pair->count, top.pair});
            continue;
        }
        if (newest)
            pair->queued = 0;
        drop_top(p);
    }
    return NULL;
}

void lcal__bpe_pairs_free(lcal__bpe_pairs *p)
{
    for (size_t i = 0; i < p->count; i++)
        lcal__free(p->list[i].places);
    lcal__free(p->list);
    lcal__free(p->slots);
    lcal__free(p->queue);
    lcal__free(p->risen);
    *p = (lcal__bpe_pairs){0};
}
