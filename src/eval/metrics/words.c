#include "eval/metrics/words.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

void lcal__words_free(lcal__words *words)
{
    lcal__free(words->items);
    *words = (lcal__words){0};
}

lcal__sequence lcal__words_sequence(const lcal__words *words)
{
    return (lcal__sequence){words->items, words->count};
}

void lcal__lexicon_free(lcal__lexicon *lexicon)
{
    lcal__free(lexicon->text);
    lcal__free(lexicon->starts);
    lcal__free(lexicon->slots);
    *lexicon = (lcal__lexicon){0};
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
    return hash;
}

/* A word may hold a zero: its length is what is left to the next one. */
static size_t length_of(const lcal__lexicon *lexicon, size_t word)
{
    const bool last = word + 1 == lexicon->count;
    const size_t end = last ? lexicon->length : lexicon->starts[word + 1];
    return end - lexicon->starts[word] - 1;
}

/* The slot of a word, or the free one where it would go; slot_count is a power of two. */
static uint32_t *slot_of(const lcal__lexicon *lexicon, const char *text, size_t length)
{
    const size_t mask = lexicon->slot_count - 1;
    size_t at = (size_t)hash_of(text, length) & mask;
    for (; lexicon->slots[at]; at = (at + 1) & mask) {
        const size_t known = lexicon->slots[at] - 1;
        if (length_of(lexicon, known) == length
            && memcmp(lexicon->text + lexicon->starts[known], text, length) == 0)
            break;
    }
    return &lexicon->slots[at];
}

/* Twice the slots, at most half of them taken. */
static bool widen(lcal__lexicon *lexicon)
{
    lcal__lexicon wider = *lexicon;
    wider.slot_count = lexicon->slot_count ? 2 * lexicon->slot_count : 256;
    wider.slots = lcal__calloc(wider.slot_count, sizeof(*wider.slots));
    if (!wider.slots)
        return false;
    for (size_t i = 0; i < wider.count; i++) {
        const char *word = wider.text + wider.starts[i];
        *slot_of(&wider, word, length_of(&wider, i)) = (uint32_t)i + 1;
    }
    lcal__free(lexicon->slots);
    *lexicon = wider;
    return true;
}

static bool enter(lcal__lexicon *lexicon, const char *text, size_t length, uint32_t *slot)
{
    if (!lcal__grow((void **)&lexicon->text, &lexicon->text_capacity, lexicon->length + length + 1,
                    1)
        || !lcal__grow((void **)&lexicon->starts, &lexicon->start_capacity, lexicon->count + 1,
                       sizeof(*lexicon->starts)))
        return false;
    memcpy(lexicon->text + lexicon->length, text, length);
    lexicon->text[lexicon->length + length] = '\0';
    lexicon->starts[lexicon->count] = lexicon->length;
    lexicon->length += length + 1;
    *slot = (uint32_t)++lexicon->count;
    return true;
}

lcal_status lcal__words_add(lcal__words *words, lcal__lexicon *lexicon, const char *text,
                            size_t length, lcal_error *err)
{
    if (2 * lexicon->count >= lexicon->slot_count && !widen(lexicon))
        return lcal__fail_nomem(err, "words");
    uint32_t *slot = slot_of(lexicon, text, length);
    if ((*slot == 0 && !enter(lexicon, text, length, slot))
        || !lcal__grow((void **)&words->items, &words->capacity, words->count + 1,
                       sizeof(*words->items)))
        return lcal__fail_nomem(err, "words");
    words->items[words->count++] = *slot - 1;
    return LCAL_OK;
}

size_t lcal__space_length(const char *text, size_t size)
{
    static const char *const wide[] = {"\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80",
                                       "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                                       "\xE2\x81\x9F", "\xE3\x80\x80"};
    const unsigned char first = size ? (unsigned char)text[0] : 0;
    if (first == ' ' || (first >= '\t' && first <= '\r') || (first >= 0x1C && first <= 0x1F))
        return 1;
    if (first < 0x80)
        return 0;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        const size_t length = strlen(wide[i]);
        if (size >= length && memcmp(text, wide[i], length) == 0)
            return length;
    }
    /* U+2000 to U+200A */
    const bool quad = size >= 3 && memcmp(text, "\xE2\x80", 2) == 0
                      && (unsigned char)text[2] >= 0x80 && (unsigned char)text[2] <= 0x8A;
    return quad ? 3 : 0;
}

lcal_status lcal__words_split(lcal__words *words, lcal__lexicon *lexicon, const char *text,
                              size_t size, lcal_error *err)
{
    for (size_t at = 0, end; at < size; at = end) {
        const size_t space = lcal__space_length(text + at, size - at);
        end = at + space;
        if (space)
            continue;
        while (end < size && !lcal__space_length(text + end, size - end)) {
            const size_t step = lcal__utf8_valid(text + end, size - end);
            end += step ? step : 1;
        }
        LCAL_TRY(lcal__words_add(words, lexicon, text + at, end - at, err));
    }
    return LCAL_OK;
}
