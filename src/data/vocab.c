#include "data/vocab.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"

static size_t hash_text(const char *text, size_t length)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001B3u;
    return (size_t)(h ^ h >> 32);
}

/* The slot that holds the text, or the empty one where it belongs. */
static size_t find_slot(const lcal__vocab *v, const char *text, size_t length)
{
    size_t mask = v->slot_count - 1, slot = hash_text(text, length) & mask;
    for (; v->slots[slot]; slot = (slot + 1) & mask) {
        const lcal__token *token = &v->tokens[v->slots[slot] - 1];
        if (token->length == length && memcmp(v->text + token->start, text, length) == 0)
            break;
    }
    return slot;
}

/* Keeps the table at most half full. */
static bool reserve_slots(lcal__vocab *v)
{
    if ((v->used + 1) * 2 <= v->slot_count)
        return true;
    size_t count = v->slot_count ? v->slot_count * 2 : 1024;
    uint32_t *old = v->slots, *slots = lcal__calloc(count, sizeof(*slots));
    if (!slots)
        return false;
    size_t old_count = v->slot_count;
    v->slots = slots;
    v->slot_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i]) {
            const lcal__token *token = &v->tokens[old[i] - 1];
            slots[find_slot(v, v->text + token->start, token->length)] = old[i];
        }
    lcal__free(old);
    return true;
}

static bool reserve(lcal__vocab *v, size_t id, size_t length)
{
    size_t text_need;
    if (!lcal__size_add(v->text_size, length, &text_need)
        || !lcal__size_add(text_need, 1, &text_need)
        || !lcal__grow((void **)&v->text, &v->text_capacity, text_need, 1)
        || !lcal__grow((void **)&v->tokens, &v->capacity, id + 1, sizeof(*v->tokens)))
        return false;
    if (id >= v->count) {
        memset(v->tokens + v->count, 0, (id + 1 - v->count) * sizeof(*v->tokens));
        v->count = id + 1;
    }
    return reserve_slots(v);
}

lcal_status lcal__vocab_add(lcal__vocab *v, size_t id, const char *text, size_t length,
                            lcal__token_kind kind, lcal_error *err)
{
    if (id >= LCAL__TOKENS_MAX || length > INT_MAX)
        return lcal__fail(err, LCAL_FORMAT, "token %zu: expected an id below %zu", id,
                          LCAL__TOKENS_MAX);
    if (id < v->count && v->tokens[id].kind != LCAL__TOKEN_HOLE)
        return lcal__fail(err, LCAL_FORMAT, "token %zu is there twice: \"%s\" and \"%.*s\"", id,
                          v->text + v->tokens[id].start, (int)length, text);
    if (!reserve(v, id, length))
        return lcal__fail_nomem(err, "vocabulary");
    size_t slot = find_slot(v, text, length);
    if (v->slots[slot])
        return lcal__fail(err, LCAL_FORMAT, "tokens %zu and %zu have the same text \"%.*s\"",
                          (size_t)v->slots[slot] - 1, id, (int)length, text);
    v->slots[slot] = (uint32_t)id + 1;
    v->tokens[id] = (lcal__token){v->text_size, (uint32_t)length, (uint8_t)kind, 0};
    memcpy(v->text + v->text_size, text, length);
    v->text[v->text_size + length] = '\0';
    v->text_size += length + 1;
    v->used++;
    return LCAL_OK;
}

void lcal__vocab_free(lcal__vocab *v)
{
    lcal__free(v->text);
    lcal__free(v->tokens);
    lcal__free(v->slots);
    *v = (lcal__vocab){0};
}

int32_t lcal__vocab_find(const lcal__vocab *v, const char *text, size_t length)
{
    return v->slot_count ? (int32_t)v->slots[find_slot(v, text, length)] - 1 : -1;
}

const char *lcal__vocab_text(const lcal__vocab *v, int32_t id, size_t *length)
{
    if (id < 0 || (size_t)id >= v->count || v->tokens[id].kind == LCAL__TOKEN_HOLE)
        return NULL;
    *length = v->tokens[id].length;
    return v->text + v->tokens[id].start;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t lcal__vocab_mark_bytes(lcal__vocab *v, int32_t ids[256])
{
    size_t found = 0;
    for (size_t i = 0; i < 256; i++)
        ids[i] = -1;
    for (size_t id = 0; id < v->count; id++) {
        lcal__token *token = &v->tokens[id];
        const char *text = v->text + token->start;
        if ((token->kind != LCAL__TOKEN_NORMAL && token->kind != LCAL__TOKEN_BYTE)
            || token->length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
            continue;
        int high = hex_digit(text[3]), low = hex_digit(text[4]);
        if (high < 0 || low < 0)
            continue;
        token->kind = LCAL__TOKEN_BYTE;
        token->byte = (uint8_t)(high * 16 + low);
        ids[token->byte] = (int32_t)id;
        found++;
    }
    return found;
}
