#include "data/merges.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LCAL_EMPTY_RANK UINT32_MAX

static size_t find_slot(const lcal__merges *m, uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    size_t mask = m->slot_count - 1, slot = (size_t)(h ^ h >> 32) & mask;
    while (m->slots[slot].rank != LCAL_EMPTY_RANK
           && (m->slots[slot].left != left || m->slots[slot].right != right))
        slot = (slot + 1) & mask;
    return slot;
}

/* Keeps the table at most half full. */
static bool reserve(lcal__merges *m)
{
    if ((m->count + 1) * 2 <= m->slot_count)
        return true;
    size_t old_count = m->slot_count, count = old_count ? old_count * 2 : 1024;
    lcal__merge *old = m->slots, *slots = lcal__calloc(count, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < count; i++)
        slots[i].rank = LCAL_EMPTY_RANK;
    m->slots = slots;
    m->slot_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].rank != LCAL_EMPTY_RANK)
            slots[find_slot(m, old[i].left, old[i].right)] = old[i];
    lcal__free(old);
    return true;
}

lcal_status lcal__merges_add(lcal__merges *m, lcal__merge merge, lcal_error *err)
{
    if (!reserve(m))
        return lcal__fail_nomem(err, "merges");
    lcal__merge *slot = &m->slots[find_slot(m, merge.left, merge.right)];
    m->count += slot->rank == LCAL_EMPTY_RANK;
    *slot = merge;
    return LCAL_OK;
}

const lcal__merge *lcal__merges_find(const lcal__merges *m, uint32_t left, uint32_t right)
{
    if (!m->slot_count)
        return NULL;
    const lcal__merge *slot = &m->slots[find_slot(m, left, right)];
    return slot->rank == LCAL_EMPTY_RANK ? NULL : slot;
}

void lcal__merges_free(lcal__merges *m)
{
    lcal__free(m->slots);
    *m = (lcal__merges){0};
}

static lcal_status missing(size_t rank, const char *text, size_t length, lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT, "merge %zu: \"%.*s\" is not in the vocabulary", rank,
                      length < 200 ? (int)length : 200, text);
}

lcal_status lcal__merges_add_texts(lcal__merges *m, const lcal__vocab *vocab, size_t rank,
                                   const char *left, size_t left_length, const char *right,
                                   size_t right_length, lcal_error *err)
{
    char near_by[256], *whole = near_by;
    int32_t left_id = lcal__vocab_find(vocab, left, left_length);
    int32_t right_id = lcal__vocab_find(vocab, right, right_length);
    if (left_id < 0)
        return missing(rank, left, left_length, err);
    if (right_id < 0)
        return missing(rank, right, right_length, err);
    size_t length = left_length + right_length; /* both are tokens: below 2^32 */
    if (length > sizeof(near_by)) {
        whole = lcal__calloc(length, 1);
        if (!whole)
            return lcal__fail_nomem(err, "merges");
    }
    memcpy(whole, left, left_length);
    memcpy(whole + left_length, right, right_length);
    int32_t id = lcal__vocab_find(vocab, whole, length);
    lcal_status status = LCAL_OK;
    if (id < 0)
        status = missing(rank, whole, length, err);
    else
        status = lcal__merges_add(
            m, (lcal__merge){(uint32_t)left_id, (uint32_t)right_id, (uint32_t)rank, (uint32_t)id},
            err);
    if (whole != near_by)
        lcal__free(whole);
    return status;
}

lcal_status lcal__merges_add_line(lcal__merges *m, const lcal__vocab *vocab, size_t rank,
                                  const char *line, size_t length, lcal_error *err)
{
    const char *space = length ? memchr(line, ' ', length) : NULL;
    size_t left = space ? (size_t)(space - line) : 0;
    size_t right = space ? length - left - 1 : 0;
    if (!left || !right || memchr(space + 1, ' ', right))
        return lcal__fail(err, LCAL_FORMAT,
                          "merge %zu: expected two tokens with a space between, found \"%.*s\"",
                          rank, length < 200 ? (int)length : 200, line);
    return lcal__merges_add_texts(m, vocab, rank, line, left, space + 1, right, err);
}

typedef struct scored {
    float score;
    uint32_t id;
} scored;

static int by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool mergeable(const lcal__vocab *v, int32_t id)
{
    return id >= 0 && v->tokens[id].kind == LCAL__TOKEN_NORMAL;
}

/* Every way to cut a token into two others. */
static lcal_status add_cuts(lcal__merges *m, const lcal__vocab *v, uint32_t id, uint32_t rank,
                            lcal_error *err)
{
    const char *text = v->text + v->tokens[id].start;
    size_t length = v->tokens[id].length;
    for (size_t cut = 1; cut < length; cut++) {
        if (((unsigned char)text[cut] & 0xC0) == 0x80)
            continue;
        int32_t left = lcal__vocab_find(v, text, cut);
        if (!mergeable(v, left))
            continue;
        int32_t right = lcal__vocab_find(v, text + cut, length - cut);
        if (mergeable(v, right))
            LCAL_TRY(
                lcal__merges_add(m, (lcal__merge){(uint32_t)left, (uint32_t)right, rank, id}, err));
    }
    return LCAL_OK;
}

lcal_status lcal__merges_from_scores(lcal__merges *m, const lcal__vocab *v, const float *scores,
                                     lcal_error *err)
{
    scored *order = lcal__calloc(v->count, sizeof(*order));
    if (!order)
        return lcal__fail_nomem(err, "merges");
    size_t count = 0;
    for (size_t id = 0; id < v->count; id++)
        if (v->tokens[id].kind == LCAL__TOKEN_NORMAL)
            order[count++] = (scored){scores[id], (uint32_t)id};
    qsort(order, count, sizeof(*order), by_score);
    lcal_status status = LCAL_OK;
    uint32_t rank = 0;
    for (size_t i = 0; i < count && status == LCAL_OK; i++) {
        if (i && order[i].score != order[i - 1].score)
            rank = (uint32_t)i;
        status = add_cuts(m, v, order[i].id, rank, err);
    }
    lcal__free(order);
    return status;
}
