#include "data/bpe_words.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static uint32_t hash_bytes(const char *text, size_t length)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001B3u;
    return (uint32_t)(h ^ h >> 32);
}

/* The slot that holds the word, or the empty one where it belongs. */
static size_t find_slot(const lcal__bpe_words *w, const char *word, size_t length, uint32_t hash)
{
    size_t mask = w->slot_count - 1, slot = hash & mask;
    for (; w->slots[slot]; slot = (slot + 1) & mask) {
        const lcal__bpe_word *other = &w->list[w->slots[slot] - 1];
        if (other->hash == hash && other->length == length
            && memcmp(w->bytes + other->start, word, length) == 0)
            break;
    }
    return slot;
}

/* Keeps the table at most half full. */
static bool reserve_slots(lcal__bpe_words *w)
{
    if ((w->count + 1) * 2 <= w->slot_count)
        return true;
    const size_t slot_count = w->slot_count ? w->slot_count * 2 : 4096;
    uint32_t *slots = lcal__calloc(slot_count, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < w->count; i++) {
        size_t slot = w->list[i].hash & (slot_count - 1);
        while (slots[slot])
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    lcal__free(w->slots);
    w->slots = slots;
    w->slot_count = slot_count;
    return true;
}

static lcal_status add_new(lcal__bpe_words *w, const char *word, size_t length, uint32_t hash,
                           uint64_t count, lcal_error *err)
{
    size_t need;
    if (w->count >= UINT32_MAX - 1 || length > UINT32_MAX)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "more than 2^32 different words: train on less text");
    if (!lcal__size_add(w->size, length, &need)
        || !lcal__grow((void **)&w->bytes, &w->bytes_capacity, need, 1)
        || !lcal__grow((void **)&w->list, &w->capacity, w->count + 1, sizeof(*w->list))
        || !reserve_slots(w))
        return lcal__fail_nomem(err, "words");
    w->slots[find_slot(w, word, length, hash)] = (uint32_t)w->count + 1;
    w->list[w->count++] = (lcal__bpe_word){w->size, (uint32_t)length, hash, count};
    memcpy(w->bytes + w->size, word, length);
    w->size = need;
    return LCAL_OK;
}

static lcal_status add_hashed(lcal__bpe_words *w, const char *word, size_t length, uint32_t hash,
                              uint64_t count, lcal_error *err)
{
    const uint32_t slot = w->slot_count ? w->slots[find_slot(w, word, length, hash)] : 0;
    if (!slot)
        return add_new(w, word, length, hash, count, err);
    w->list[slot - 1].count += count;
    return LCAL_OK;
}

lcal_status lcal__bpe_words_add(lcal__bpe_words *words, const char *word, size_t length,
                                uint64_t count, lcal_error *err)
{
    return add_hashed(words, word, length, hash_bytes(word, length), count, err);
}

lcal_status lcal__bpe_words_join(lcal__bpe_words *words, const lcal__bpe_words *from,
                                 lcal_error *err)
{
    for (size_t i = 0; i < from->count; i++) {
        const lcal__bpe_word *word = &from->list[i];
        LCAL_TRY(add_hashed(words, from->bytes + word->start, word->length, word->hash, word->count,
                            err));
    }
    return LCAL_OK;
}

void lcal__bpe_words_free(lcal__bpe_words *w)
{
    lcal__free(w->bytes);
    lcal__free(w->list);
    lcal__free(w->slots);
    *w = (lcal__bpe_words){0};
}
