/* Training a BPE against its definition: all pairs counted anew for every merge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "data/bpe_train.h"

#define WORDS 60
#define LENGTH 40
#define TOKENS 420

/* --- the definition ---------------------------------------------------------------------- */

typedef struct token {
    char bytes[LENGTH];
    size_t length;
} token;

typedef struct naive {
    size_t words, lengths[WORDS];
    uint64_t counts[WORDS];
    size_t ids[WORDS][LENGTH];
    token tokens[TOKENS];
    size_t token_count;
    size_t merges[TOKENS][3], merge_count;
} naive;

static int compare(const token *a, const token *b)
{
    int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static uint64_t count_pair(const naive *n, size_t left, size_t right)
{
    uint64_t sum = 0;
    for (size_t w = 0; w < n->words; w++)
        for (size_t i = 0; i + 1 < n->lengths[w]; i++)
            if (n->ids[w][i] == left && n->ids[w][i + 1] == right)
                sum += n->counts[w];
    return sum;
}

static size_t joined(naive *n, size_t left, size_t right)
{
    token t = n->tokens[left];
    memcpy(t.bytes + t.length, n->tokens[right].bytes, n->tokens[right].length);
    t.length += n->tokens[right].length;
    for (size_t id = 0; id < n->token_count; id++)
        if (compare(&n->tokens[id], &t) == 0)
            return id;
    n->tokens[n->token_count] = t;
    return n->token_count++;
}

static void apply(naive *n, size_t left, size_t right, size_t id)
{
    for (size_t w = 0; w < n->words; w++) {
        size_t kept = 0;
        for (size_t i = 0; i < n->lengths[w]; i++) {
            bool hit = i + 1 < n->lengths[w] && n->ids[w][i] == left && n->ids[w][i + 1] == right;
            n->ids[w][kept++] = hit ? id : n->ids[w][i];
            i += hit;
        }
        n->lengths[w] = kept;
    }
}

/* The best pair of all; its count. forbidden: bytes that must not come about. */
static uint64_t best_pair(const naive *n, const char *forbidden, size_t *left, size_t *right)
{
    uint64_t best = 0;
    for (size_t w = 0; w < n->words; w++)
        for (size_t i = 0; i + 1 < n->lengths[w]; i++) {
            const size_t a = n->ids[w][i], b = n->ids[w][i + 1];
            const token *x = &n->tokens[a], *y = &n->tokens[b];
            uint64_t count = count_pair(n, a, b);
            if (forbidden && x->length + y->length == strlen(forbidden)
                && memcmp(forbidden, x->bytes, x->length) == 0
                && memcmp(forbidden + x->length, y->bytes, y->length) == 0)
                continue;
            int order = best ? compare(x, &n->tokens[*left]) : -1;
            if (best && order == 0)
                order = compare(y, &n->tokens[*right]);
            if (count > best || (count == best && order < 0)) {
                best = count;
                *left = a;
                *right = b;
            }
        }
    return best;
}

static void train_naively(naive *n, size_t tokens, uint64_t min_frequency, const char *forbidden)
{
    size_t left = 0, right = 0;
    for (n->token_count = 0; n->token_count < 256; n->token_count++) {
        n->tokens[n->token_count].bytes[0] = (char)n->token_count;
        n->tokens[n->token_count].length = 1;
    }
    while (n->token_count < tokens && best_pair(n, forbidden, &left, &right) >= min_frequency) {
        const size_t id = joined(n, left, right);
        apply(n, left, right, id);
        size_t *merge = n->merges[n->merge_count++];
        merge[0] = left;
        merge[1] = right;
        merge[2] = id;
    }
}

/* --- comparisons ------------------------------------------------------------------------- */

static void add(lcal__bpe_words *words, const char *text, size_t length, uint64_t count)
{
    assert_int_equal(lcal__bpe_words_add(words, text, length, count, NULL), LCAL_OK);
}

static size_t compare_with_naive(const lcal__bpe_words *words, size_t tokens,
                                 uint64_t min_frequency, const char *forbidden)
{
    naive *n = calloc(1, sizeof(*n));
    assert_non_null(n);
    assert_true(words->count <= WORDS && tokens <= TOKENS);
    n->words = words->count;
    for (size_t w = 0; w < words->count; w++) {
        n->lengths[w] = words->list[w].length;
        n->counts[w] = words->list[w].count;
        assert_true(n->lengths[w] < LENGTH);
        for (size_t i = 0; i < n->lengths[w]; i++)
            n->ids[w][i] = (unsigned char)words->bytes[words->list[w].start + i];
    }
    train_naively(n, tokens, min_frequency, forbidden);

    lcal__vocab list = {0};
    if (forbidden)
        assert_int_equal(
            lcal__vocab_add(&list, 0, forbidden, strlen(forbidden), LCAL__TOKEN_NORMAL, NULL),
            LCAL_OK);
    const lcal__bpe_training options = {
        .tokens = tokens, .min_frequency = min_frequency, .forbidden = forbidden ? &list : NULL};
    lcal__bpe_learnt learnt = {0};
    assert_int_equal(lcal__bpe_train(words, &options, &learnt, NULL), LCAL_OK);
    const size_t count = learnt.count;
    for (size_t i = 0; i < learnt.count && i < n->merge_count; i++) {
        assert_int_equal(learnt.merges[i].left, n->merges[i][0]);
        assert_int_equal(learnt.merges[i].right, n->merges[i][1]);
        assert_int_equal(learnt.merges[i].id, n->merges[i][2]);
    }
    assert_int_equal(learnt.count, n->merge_count);
    assert_int_equal(learnt.tokens.count, n->token_count);
    for (size_t id = 0; id < n->token_count; id++) {
        size_t length;
        const char *text = lcal__vocab_text(&learnt.tokens, (int32_t)id, &length);
        assert_int_equal(length, n->tokens[id].length);
        assert_memory_equal(text, n->tokens[id].bytes, length);
    }
    lcal__bpe_learnt_free(&learnt);
    lcal__vocab_free(&list);
    free(n);
    return count;
}

/* Few letters, so that pairs overlap, tie, and come about in more than one way. */
static void test_random_words(void **state)
{
    (void)state;
    size_t merges = 0;
    for (uint64_t seed = 0; seed < 120; seed++) {
        lcal__rng rng = {.seed = seed, .stream = 3};
        lcal__bpe_words words = {0};
        const size_t letters = 1 + lcal__rng_below(&rng, 5);
        while (words.count < 20) {
            char text[LENGTH];
            const size_t length = 1 + lcal__rng_below(&rng, LENGTH - 1);
            for (size_t i = 0; i < length; i++)
                text[i] = (char)(seed % 2 ? 'a' + lcal__rng_below(&rng, letters)
                                          : 250 + lcal__rng_below(&rng, letters));
            add(&words, text, length, 1 + lcal__rng_below(&rng, seed % 3 ? 2 : 50));
        }
        merges += compare_with_naive(&words, 256 + 30 + seed, 1 + seed % 4, NULL);
        lcal__bpe_words_free(&words);
    }
    assert_true(merges > 5000);
}

static void test_ties_and_ends(void **state)
{
    (void)state;
    lcal__bpe_words words = {0};
    add(&words, "ab", 2, 3);
    add(&words, "cd", 2, 3);
    add(&words, "ba", 2, 3);
    add(&words, "x", 1, 99);
    assert_int_equal(compare_with_naive(&words, 300, 1, NULL), 3);
    assert_int_equal(compare_with_naive(&words, 300, 3, NULL), 3);
    assert_int_equal(compare_with_naive(&words, 300, 4, NULL), 0);
    assert_int_equal(compare_with_naive(&words, 256, 1, NULL), 0);
    assert_int_equal(compare_with_naive(&words, 258, 1, NULL), 2);
    lcal__bpe_words_free(&words);
    assert_int_equal(compare_with_naive(&words, 300, 1, NULL), 0);
}

static void test_forbidden(void **state)
{
    (void)state;
    lcal__bpe_words words = {0};
    add(&words, "<s>", 3, 10);
    add(&words, "<s>a", 4, 2);
    assert_true(compare_with_naive(&words, 300, 1, "<s>") > 0);
    assert_true(compare_with_naive(&words, 300, 1, "<s") > 0);
    lcal__bpe_words_free(&words);
}

/* One word of a million letters: naive training would take hours. */
static void test_long_word(void **state)
{
    (void)state;
    const size_t length = 1000000;
    lcal__bpe_words words = {0};
    lcal__bpe_learnt learnt = {0};
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, 'a', length);
    add(&words, text, length, 1);
    free(text);
    const lcal__bpe_training options = {.tokens = 300, .min_frequency = 1};
    assert_int_equal(lcal__bpe_train(&words, &options, &learnt, NULL), LCAL_OK);
    assert_true(learnt.count >= 19);
    for (size_t i = 0; i < 19; i++) {
        size_t bytes;
        assert_non_null(lcal__vocab_text(&learnt.tokens, (int32_t)learnt.merges[i].id, &bytes));
        assert_int_equal(bytes, (size_t)2 << i);
    }
    lcal__bpe_learnt_free(&learnt);
    lcal__bpe_words_free(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_words),
        cmocka_unit_test(test_ties_and_ends),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_long_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
