#include "data/bpe_train.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/bpe_pairs.h"

#define LCAL_NONE UINT32_MAX

typedef struct symbol {
    uint32_t id;             /* LCAL_NONE: its left neighbour took it */
    uint32_t previous, next; /* in the word; LCAL_NONE at its ends */
    uint32_t word;
} symbol;

typedef struct trainer {
    const lcal__bpe_words *words;
    const lcal__bpe_training *options;
    symbol *symbols; /* of all words, one after the other */
    lcal__bpe_pairs pairs;
    lcal__bpe_learnt *learnt;
    uint32_t *places; /* of the pair that is merged */
} trainer;

static lcal_status add_bytes(lcal__vocab *tokens, lcal_error *err)
{
    for (size_t byte = 0; byte < 256; byte++) {
        const char text = (char)byte;
        LCAL_TRY(lcal__vocab_add(tokens, byte, &text, 1, LCAL__TOKEN_NORMAL, err));
    }
    return LCAL_OK;
}

static bool add_word(trainer *t, uint32_t index, uint32_t start)
{
    const lcal__bpe_word *word = &t->words->list[index];
    const unsigned char *bytes = (const unsigned char *)t->words->bytes + word->start;
    for (uint32_t i = 0; i < word->length; i++) {
        const uint32_t at = start + i;
        t->symbols[at] = (symbol){.id = bytes[i],
                                  .previous = i ? at - 1 : LCAL_NONE,
                                  .next = i + 1 < word->length ? at + 1 : LCAL_NONE,
                                  .word = index};
        if (i && !lcal__bpe_pairs_gain(&t->pairs, bytes[i - 1], bytes[i], word->count, at - 1))
            return false;
    }
    return true;
}

static lcal_status add_words(trainer *t, lcal_error *err)
{
    if (t->words->size >= LCAL_NONE)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "different words of %zu bytes in all: expected fewer than 2^32; train on "
                          "less text",
                          t->words->size);
    t->symbols = lcal__calloc(t->words->size, sizeof(*t->symbols));
    if (!t->symbols)
        return lcal__fail_nomem(err, "symbols");
    uint32_t start = 0;
    for (size_t i = 0; i < t->words->count; i++) {
        if (!add_word(t, (uint32_t)i, start))
            return lcal__fail_nomem(err, "pairs");
        start += t->words->list[i].length;
    }
    return lcal__bpe_pairs_queue(&t->pairs) ? LCAL_OK : lcal__fail_nomem(err, "pairs");
}

/* Makes the symbol at a place and the next one a token, where they still are (left, right). */
static bool merge_at(trainer *t, uint32_t left, uint32_t right, uint32_t id, uint32_t place)
{
    symbol *first = &t->symbols[place];
    if (first->id != left || first->next == LCAL_NONE || t->symbols[first->next].id != right)
        return true;
    symbol *second = &t->symbols[first->next];
    const uint64_t weight = t->words->list[first->word].count;
    const uint32_t previous = first->previous, next = second->next;
    lcal__bpe_pairs_lose(&t->pairs, left, right, weight);
    if (previous != LCAL_NONE)
        lcal__bpe_pairs_lose(&t->pairs, t->symbols[previous].id, left, weight);
    if (next != LCAL_NONE)
        lcal__bpe_pairs_lose(&t->pairs, right, t->symbols[next].id, weight);
    first->id = id;
    first->next = next;
    second->id = LCAL_NONE;
    if (next != LCAL_NONE)
        t->symbols[next].previous = place;
    return (previous == LCAL_NONE
            || lcal__bpe_pairs_gain(&t->pairs, t->symbols[previous].id, id, weight, previous))
           && (next == LCAL_NONE
               || lcal__bpe_pairs_gain(&t->pairs, id, t->symbols[next].id, weight, place));
}

static int by_place(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* From left to right: places come in the order in which merges made them. */
static void sort_places(uint32_t *places, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (places[i - 1] > places[i]) {
            qsort(places, count, sizeof(*places), by_place);
            return;
        }
}

/* The token of a pair's joined bytes; *allowed false: there must be none. */
static lcal_status find_token(trainer *t, const lcal__bpe_pair *pair, uint32_t *id, bool *allowed,
                              lcal_error *err)
{
    lcal__vocab *tokens = &t->learnt->tokens;
    const lcal__token left = tokens->tokens[pair->left], right = tokens->tokens[pair->right];
    const size_t length = (size_t)left.length + right.length;
    char *bytes = lcal__calloc(length, 1);
    if (!bytes)
        return lcal__fail_nomem(err, "token");
    memcpy(bytes, tokens->text + left.start, left.length);
    memcpy(bytes + left.length, tokens->text + right.start, right.length);
    const int32_t known = lcal__vocab_find(tokens, bytes, length);
    lcal_status status = LCAL_OK;
    *allowed = !t->options->forbidden || lcal__vocab_find(t->options->forbidden, bytes, length) < 0;
    *id = known >= 0 ? (uint32_t)known : (uint32_t)tokens->count;
    if (*allowed && known < 0)
        status = lcal__vocab_add(tokens, *id, bytes, length, LCAL__TOKEN_NORMAL, err);
    lcal__free(bytes);
    return status;
}

static lcal_status merge(trainer *t, lcal__bpe_pair *pair, lcal_error *err)
{
    lcal__bpe_learnt *learnt = t->learnt;
    const uint32_t left = pair->left, right = pair->right;
    uint32_t id;
    bool allowed;
    LCAL_TRY(find_token(t, pair, &id, &allowed, err));
    if (!allowed)
        return LCAL_OK;
    if (!lcal__grow((void **)&learnt->merges, &learnt->capacity, learnt->count + 1,
                    sizeof(*learnt->merges)))
        return lcal__fail_nomem(err, "merges");
    learnt->merges[learnt->count++] = (lcal__bpe_learnt_merge){left, right, id};
    /* Merging may move the list that `pair` points into. */
    const size_t count = pair->place_count;
    t->places = pair->places;
    pair->places = NULL;
    pair->place_count = pair->place_capacity = 0;
    sort_places(t->places, count);
    bool done = true;
    for (size_t i = 0; i < count && done; i++)
        done = merge_at(t, left, right, id, t->places[i]);
    lcal__free(t->places);
    t->places = NULL;
    return done && lcal__bpe_pairs_queue(&t->pairs) ? LCAL_OK : lcal__fail_nomem(err, "pairs");
}

static lcal_status train(trainer *t, lcal_error *err)
{
    lcal__bpe_pair *pair;
    LCAL_TRY(add_bytes(&t->learnt->tokens, err));
    LCAL_TRY(add_words(t, err));
    while (t->learnt->tokens.count < t->options->tokens
           && (pair = lcal__bpe_pairs_pop(&t->pairs)) != NULL) {
        LCAL_TRY(merge(t, pair, err));
        if (t->options->progress)
            t->options->progress(t->options->user, t->learnt->tokens.count);
    }
    return LCAL_OK;
}

lcal_status lcal__bpe_train(const lcal__bpe_words *words, const lcal__bpe_training *options,
                            lcal__bpe_learnt *out, lcal_error *err)
{
    trainer t = {.words = words, .options = options, .learnt = out};
    t.pairs.tokens = &out->tokens;
    t.pairs.min_frequency = options->min_frequency;
    lcal_status status = train(&t, err);
    lcal__bpe_pairs_free(&t.pairs);
    lcal__free(t.symbols);
    return status;
}

void lcal__bpe_learnt_free(lcal__bpe_learnt *learnt)
{
    lcal__vocab_free(&learnt->tokens);
    lcal__free(learnt->merges);
    *learnt = (lcal__bpe_learnt){0};
}
