/* Text metrics by hand, against the packages' own scores (LCAL_TEST_DATA), and on hostile text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "eval/metrics/bleu.h"
#include "eval/metrics/bleu_words.h"
#include "eval/metrics/chrf.h"
#include "eval/metrics/porter.h"
#include "eval/metrics/rouge.h"
#include "format/json.h"

#define BAR 1e-9
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static lcal__rouge rouge(const char *reference, const char *candidate, bool stem)
{
    lcal__rouge out;
    assert_int_equal(lcal__rouge_score(reference, strlen(reference), candidate, strlen(candidate),
                                       stem, &out, NULL),
                     LCAL_OK);
    return out;
}

static double bleu(const char *reference, const char *candidate, bool sentence)
{
    lcal__bleu counts = {0};
    assert_int_equal(
        lcal__bleu_add(&counts, reference, strlen(reference), candidate, strlen(candidate), NULL),
        LCAL_OK);
    return lcal__bleu_score(&counts, sentence);
}

static double chrf(const char *reference, const char *candidate)
{
    lcal__chrf counts = {0};
    assert_int_equal(
        lcal__chrf_add(&counts, reference, strlen(reference), candidate, strlen(candidate), NULL),
        LCAL_OK);
    return lcal__chrf_score(&counts);
}

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) <= BAR))
        fail_msg("expected %.12g, found %.12g", expected, found);
}

/* --- by hand --------------------------------------------------------------------------------- */

/* Words and what NLTK 3.8's default mode makes of them. */
static void test_stems(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"dies", "die"},
        {"flies", "fli"},
        {"skies", "sky"},
        {"died", "die"},
        {"spied", "spi"},
        {"dying", "die"},
        {"innings", "inning"},
        {"enjoy", "enjoy"},
        {"enjoyment", "enjoy"},
        {"spy", "spi"},
        {"happy", "happi"},
        {"thankfully", "thank"},
        {"archaeology", "archaeolog"},
        {"geology", "geolog"},
        {"possibly", "possibl"},
        {"proceed", "proceed"},
        {"agreed", "agre"},
        {"feed", "feed"},
        {"adoption", "adopt"},
        {"caresses", "caress"},
        {"cats", "cat"},
        {"plastered", "plaster"},
        {"bled", "bled"},
        {"motoring", "motor"},
        {"sing", "sing"},
        {"conflated", "conflat"},
        {"troubled", "troubl"},
        {"sized", "size"},
        {"hopping", "hop"},
        {"falling", "fall"},
        {"hissing", "hiss"},
        {"fizzed", "fizz"},
        {"failing", "fail"},
        {"filing", "file"},
        {"relational", "relat"},
        {"conditional", "condit"},
        {"nationally", "nation"},
        {"vietnamization", "vietnam"},
        {"operator", "oper"},
        {"feudalism", "feudal"},
        {"decisiveness", "decis"},
        {"sensibiliti", "sensibl"},
        {"triplicate", "triplic"},
        {"formative", "form"},
        {"electrical", "electr"},
        {"goodness", "good"},
        {"revival", "reviv"},
        {"adjustment", "adjust"},
        {"replacement", "replac"},
        {"homologous", "homolog"},
        {"probate", "probat"},
        {"rate", "rate"},
        {"cease", "ceas"},
        {"controll", "control"},
        {"roll", "roll"},
        {"eve", "eve"},
        {"is", "is"},
        {"skis", "ski"},
        {"2000s", "2000"},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        char word[32];
        snprintf(word, sizeof(word), "%s", pairs[i][0]);
        const size_t length = lcal__porter_stem(word, strlen(word));
        word[length] = '\0';
        assert_string_equal(word, pairs[i][1]);
    }
}

static void test_rouge_by_hand(void **state)
{
    (void)state;
    lcal__rouge r = rouge("the cat sat on the mat", "The cat, the cat!", false);
    assert_near(r.n[0].precision, 3.0 / 4); /* the, cat, the: cat is clipped */
    assert_near(r.n[0].recall, 3.0 / 6);
    assert_near(r.n[0].f, 0.6);
    assert_near(r.n[1].precision, 1.0 / 3);
    assert_near(r.n[2].f, 0.0);
    assert_near(r.longest.precision, 3.0 / 4);
    assert_near(lcal__rouge_weighted(&r), 0.6 / 6 + r.n[1].f / 3);
    /* Lin 2004: the union of w1 w2 and w1 w3 w5 is 4 of 5. */
    r = rouge("w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", false);
    assert_near(r.summary.recall, 4.0 / 5);
    assert_near(r.summary.precision, 4.0 / 10);
    assert_near(r.longest.recall, 4.0 / 5); /* w1 w2 w3 w5 */
    /* A word of the candidate is hit once, however many lines of the reference it fits. */
    r = rouge("a b\na c", "a", false);
    assert_near(r.summary.precision, 1.0);
    assert_near(r.summary.recall, 1.0 / 4);
    /* Of the subsequences a and b of the first line the walk back takes a, as the second does. */
    r = rouge("a b", "b a\na", false);
    assert_near(r.summary.recall, 1.0 / 2);
    /* The dotted capital I becomes i and a combining dot, Kelvin's sign k; z with caron no letter.
     */
    r = rouge("i stanbul \xE2\x84\xAA"
              "elvin",
              "\xC4\xB0stanbul kelvin \xC5\xBD", false);
    assert_near(r.n[0].f, 1.0);
    r = rouge("", "anything", true);
    assert_near(r.n[0].f + r.longest.f + r.summary.f, 0.0);
    r = rouge("\n\n", "\n", true);
    assert_near(r.n[0].f + r.longest.f + r.summary.f, 0.0);
}

static void assert_words(const char *text, const char *const *words)
{
    lcal__lexicon lexicon = {0};
    lcal__words out = {0};
    assert_int_equal(lcal__bleu_words(text, strlen(text), &lexicon, &out, NULL), LCAL_OK);
    for (size_t i = 0; i < out.count; i++) {
        assert_non_null(words[i]);
        assert_string_equal(lexicon.text + lexicon.starts[out.items[i]], words[i]);
    }
    assert_null(words[out.count]);
    lcal__words_free(&out);
    lcal__lexicon_free(&lexicon);
}

static void test_tokenizer_13a(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words[12];
    } rows[] = {
        {"Hello, world.", {"Hello", ",", "world", "."}},
        {"1,000.5 and .5", {"1,000.5", "and", ".", "5"}},
        {"1990-95 a-b", {"1990", "-", "95", "a-b"}},
        {"don't (stop)!", {"don't", "(", "stop", ")", "!"}},
        {"&quot;a&amp;lt;b&quot;", {"\"", "a", "<", "b", "\""}},
        {"end-\nof line\nx<skipped>y", {"endof", "line", "xy"}},
        {"stop-\n", {"stop-"}},
        {"\xC3\xA9,\xC3\xA9.", {"\xC3\xA9", ",", "\xC3\xA9", "."}},
        {"a\xC2\xA0"
         "b\xE3\x80\x80"
         "c",
         {"a", "b", "c"}},
        {"", {NULL}},
        {" \t\n", {NULL}},
        {"...", {".", ".", "."}},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_words(rows[i].text, rows[i].words);
}

static void test_bleu_and_chrf_by_hand(void **state)
{
    (void)state;
    assert_near(bleu("a b c d e", "a b c d e", false), 100.0);
    /* 5/5, 3/4, 1/3, smoothed 1/(2*2); no brevity penalty */
    assert_near(bleu("a b c d e", "a b c e d", true),
                100.0 * pow(1.0 * (2.0 / 4) * (1.0 / 3) * (1.0 / (2 * 2)), 0.25));
    assert_near(bleu("a b c d", "a b", true), 100.0 * exp(1.0 - 4.0 / 2.0));
    assert_near(bleu("a b c d", "a b", false), 0.0);
    assert_near(bleu("a b", "c d", true), 0.0);
    assert_near(bleu("", "a", true) + bleu("a", "", true), 0.0);
    assert_near(chrf("\xC3\xA9t\xC3\xA9", "\xC3\xA9 t\xC3\xA9"), 100.0);
    /* ab / ac: 1-grams 1/2, 2-grams 0/1 */
    assert_near(chrf("ab", "ac"), 100.0 * 0.25);
    /* n-grams of a candidate whose reference is too short for any do not count. */
    lcal__chrf corpus = {0};
    lcal__chrf_add(&corpus, "a", 1, "xyz", 3, NULL);
    lcal__chrf_add(&corpus, "abc", 3, "abc", 3, NULL);
    const double p = (3.0 / 6 + 1 + 1) / 3, q = (3.0 / 4 + 1 + 1) / 3;
    assert_near(lcal__chrf_score(&corpus), 100.0 * 5 * p * q / (4 * p + q));
    assert_near(chrf("", "a") + chrf("a", ""), 0.0);
}

/* Bytes that are no text, and words that a careless stemmer takes forever or the stack for. */
static void test_hostile_text(void **state)
{
    (void)state;
    enum { LONG = 300000 };
    char *text = test_malloc(LONG);
    memset(text, 'y', LONG);
    lcal__rouge out;
    assert_int_equal(lcal__rouge_score(text, LONG, text, LONG, true, &out, NULL), LCAL_OK);
    assert_near(out.n[0].f, 1.0);
    for (size_t i = 0; i < LONG; i++)
        text[i] = (char)(i * 7 + i / 251);
    lcal__bleu counts = {0};
    lcal__chrf characters = {0};
    assert_int_equal(lcal__bleu_add(&counts, text, LONG, text, LONG, NULL), LCAL_OK);
    assert_near(lcal__bleu_score(&counts, false), 100.0);
    assert_int_equal(lcal__chrf_add(&characters, text, LONG, text, LONG, NULL), LCAL_OK);
    assert_near(lcal__chrf_score(&characters), 100.0);
    test_free(text);
}

/* --- against the packages --------------------------------------------------------------------- */

static const char *data_path(const char *name)
{
    static char path[4096];
    const char *root = getenv("LCAL_TEST_DATA");
    if (!root) {
        print_message("skipped: LCAL_TEST_DATA is not set\n");
        skip();
    }
    snprintf(path, sizeof(path), "%s/metrics/%s", root, name);
    return path;
}

typedef void row_fn(const json_t *row, void *context);

static size_t each_row(const char *name, row_fn *fn, void *context)
{
    unsigned char *bytes;
    size_t size, rows = 0;
    lcal_error err = {0};
    const char *path = data_path(name);
    if (lcal__file_read(path, (size_t)1 << 26, &bytes, &size, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    for (size_t at = 0; at < size; rows++) {
        const unsigned char *end = memchr(bytes + at, '\n', size - at);
        const size_t length = end ? (size_t)(end - bytes) - at : size - at;
        json_t *row;
        assert_int_equal(lcal__json_parse((char *)bytes + at, length, path, &row, NULL), LCAL_OK);
        fn(row, context);
        json_decref(row);
        at += length + 1;
    }
    lcal__free(bytes);
    return rows;
}

static const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static void assert_prf(const json_t *expected, const lcal__prf *found, double bar)
{
    const double numbers[] = {found->precision, found->recall, found->f};
    assert_int_equal(json_array_size(expected), 3);
    for (size_t i = 0; i < 3; i++)
        if (!(fabs(json_number_value(json_array_get(expected, i)) - numbers[i]) <= bar))
            fail_msg("expected %.12g, found %.12g", json_number_value(json_array_get(expected, i)),
                     numbers[i]);
}

static void assert_rouge(const json_t *expected, const lcal__rouge *found)
{
    assert_prf(json_object_get(expected, "rouge1"), &found->n[0], BAR);
    assert_prf(json_object_get(expected, "rouge2"), &found->n[1], BAR);
    assert_prf(json_object_get(expected, "rouge3"), &found->n[2], BAR);
    assert_prf(json_object_get(expected, "rougeL"), &found->longest, BAR);
    assert_prf(json_object_get(expected, "rougeLsum"), &found->summary, BAR);
}

typedef struct corpus {
    lcal__bleu bleu;
    lcal__chrf chrf;
    size_t rows;
} corpus;

static void check_pair(const json_t *row, void *context)
{
    const char *reference = text_of(row, "reference"), *candidate = text_of(row, "candidate");
    const char *kind = text_of(row, "kind");
    const json_t *replies = json_object_get(row, "pltrdy_rouge");
    corpus *c = context;
    lcal__rouge plain = rouge(reference, candidate, false);
    const lcal__rouge stemmed = rouge(reference, candidate, true);
    assert_rouge(json_object_get(row, "rouge_score"), &plain);
    assert_rouge(json_object_get(row, "rouge_score_stemmed"), &stemmed);
    assert_near(lcal__rouge_weighted(&plain),
                json_number_value(json_object_get(row, "weighted_rouge_f")));
    if (replies) {
        lcal__prf n[3];
        double weighted;
        assert_int_equal(lcal__rouge_replies(reference, strlen(reference), candidate,
                                             strlen(candidate), n, &weighted, NULL),
                         LCAL_OK);
        assert_prf(json_object_get(replies, "rouge-1"), &n[0], BAR);
        assert_prf(json_object_get(replies, "rouge-2"), &n[1], BAR);
        assert_prf(json_object_get(replies, "rouge-3"), &n[2], BAR);
        assert_near(weighted, json_number_value(json_object_get(replies, "weighted_f")));
    }
    if (json_is_number(json_object_get(row, "bleu"))) {
        assert_near(bleu(reference, candidate, true),
                    json_number_value(json_object_get(row, "bleu")));
        assert_near(chrf(reference, candidate), json_number_value(json_object_get(row, "chrf")));
    }
    if (strncmp(kind, "pawsx", 5) != 0 && strncmp(kind, "formal", 6) != 0)
        return;
    c->rows++;
    lcal__bleu_add(&c->bleu, reference, strlen(reference), candidate, strlen(candidate), NULL);
    lcal__chrf_add(&c->chrf, reference, strlen(reference), candidate, strlen(candidate), NULL);
}

static void test_overlap_vectors(void **state)
{
    (void)state;
    corpus c = {0};
    json_t *scores;
    assert_int_equal(each_row("text_overlap_vectors.jsonl", check_pair, &c), 410);
    assert_int_equal(lcal__json_read_object(data_path("corpus_scores.json"), &scores, NULL),
                     LCAL_OK);
    assert_int_equal(json_integer_value(json_object_get(scores, "n")), c.rows);
    assert_near(lcal__bleu_score(&c.bleu, false),
                json_number_value(json_object_get(scores, "corpus_bleu_13a")));
    assert_near(lcal__chrf_score(&c.chrf),
                json_number_value(json_object_get(scores, "corpus_chrf2")));
    json_decref(scores);
}

/* Published to five digits. */
static void check_published(const json_t *row, void *context)
{
    (void)context;
    const char *type = text_of(row, "type");
    const lcal__rouge r = rouge(text_of(row, "target"), text_of(row, "prediction"),
                                json_is_true(json_object_get(row, "stemmer")));
    const lcal__prf *found = strcmp(type, "rouge1") == 0   ? &r.n[0]
                             : strcmp(type, "rouge2") == 0 ? &r.n[1]
                                                           : &r.longest;
    assert_prf(json_object_get(row, "expected_prf"), found, 5.1e-6);
}

static void test_published(void **state)
{
    (void)state;
    assert_int_equal(each_row("rouge155_published.jsonl", check_published, NULL), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stems),         cmocka_unit_test(test_rouge_by_hand),
        cmocka_unit_test(test_tokenizer_13a), cmocka_unit_test(test_bleu_and_chrf_by_hand),
        cmocka_unit_test(test_hostile_text),  cmocka_unit_test(test_overlap_vectors),
        cmocka_unit_test(test_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
