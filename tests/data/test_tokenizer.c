/* Every stage of a tokenizer on fixtures small enough to work out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tokenizer_fixture.h"

#define IDS(...) ((const int32_t[]){__VA_ARGS__, -1})
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Ids 256.. in this order. */
static const char *const merges[] = {"h e", "l l", "he ll", "hell o", "\xC4\xA0 hello", "l o"};
enum { HE = 256, LL, HELL, HELLO, SPACE_HELLO, LO };

static lcal__tokenizer *with(const char *more, const char *model)
{
    lcal__strbuf json = fixture_json(merges, COUNT(merges), more, model);
    lcal__tokenizer *t = fixture_parse(json.text, json.length);
    lcal__strbuf_free(&json);
    return t;
}

static void test_merges(void **state)
{
    (void)state;
    lcal__tokenizer *t = with(NULL, NULL);
    fixture_expect(t, "", false, false, IDS(-1));
    fixture_expect(t, "hello", false, false, IDS(HELLO));
    fixture_expect(t, "hello hello", false, false, IDS(HELLO, SPACE_HELLO));
    fixture_expect(t, "hallo", false, false, IDS('h', 'a', LL, 'o'));
    fixture_expect(t, "lllo", false, false, IDS(LL, LO));
    fixture_expect(t, "h\xC3\xA9", false, false, IDS('h', 0xC3, 0xA9));
    assert_int_equal(lcal__tokenizer_size(t), 256 + COUNT(merges));
    assert_int_equal(lcal__tokenizer_bos(t), -1);
    assert_int_equal(lcal__tokenizer_id(t, "\xC4\xA0hello"), SPACE_HELLO);
    assert_int_equal(lcal__tokenizer_id(t, "nothing"), -1);
    lcal__tokenizer_close(&t);
    lcal__tokenizer_close(&t);
}

/* "ab" goes before "bc", so that "abc" is never built; as a whole word it is a token. */
static void test_ignore_merges(void **state)
{
    static const char *const shadow[] = {"a b", "b c", "a bc"};
    (void)state;
    lcal__strbuf json = fixture_json(shadow, COUNT(shadow), NULL, NULL);
    lcal__tokenizer *t = fixture_parse(json.text, json.length);
    fixture_expect(t, "abc", false, false, IDS(256, 'c'));
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&json);
    json = fixture_json(shadow, COUNT(shadow), NULL, "\"ignore_merges\":true,");
    t = fixture_parse(json.text, json.length);
    fixture_expect(t, "abc", false, false, IDS(258));
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&json);
}

#define ADDED(id, text, flags) "{\"id\":" #id ",\"content\":\"" text "\"" flags "}"

static void test_added_tokens(void **state)
{
    (void)state;
    lcal__tokenizer *t = with(
        "\"added_tokens\":[" ADDED(300, "<s>", ",\"special\":true") "," ADDED(301, "<a>", ",\"normalized\":false") "," ADDED(302, "<a>b", ",\"normalized\":false") "," ADDED(
            303, "<l>",
            ",\"lstrip\":true,\"normalized\":false") "," ADDED(304, "<r>",
                                                               ",\"rstrip\":true,\"normalized\":"
                                                               "false") "," ADDED(305, "word",
                                                                                  ",\"single_"
                                                                                  "word\":true,"
                                                                                  "\"normalized\":"
                                                                                  "false") "],"
                                                                                           "\"post_"
                                                                                           "process"
                                                                                           "or\":{"
                                                                                           "\"type"
                                                                                           "\":"
                                                                                           "\"Templ"
                                                                                           "ateProc"
                                                                                           "essing"
                                                                                           "\","
                                                                                           "\"singl"
                                                                                           "e\":["
                                                                                           "{\"Spec"
                                                                                           "ialToke"
                                                                                           "n\":{"
                                                                                           "\"id\":"
                                                                                           "\"<s>"
                                                                                           "\"}},{"
                                                                                           "\"Seque"
                                                                                           "nce\":{"
                                                                                           "\"id\":"
                                                                                           "\"A\"}}"
                                                                                           ","
                                                                                           "{\"Spec"
                                                                                           "ialToke"
                                                                                           "n\":{"
                                                                                           "\"id\":"
                                                                                           "\"<s>"
                                                                                           "\"}}],"
                                                                                           "\"speci"
                                                                                           "al_"
                                                                                           "tokens"
                                                                                           "\":{\"<"
                                                                                           "s>\":{"
                                                                                           "\"id\":"
                                                                                           "\"<s>"
                                                                                           "\","
                                                                                           "\"ids\""
                                                                                           ":[300]}"
                                                                                           "}},",
        NULL);
    fixture_expect(t, "<s>", false, false, IDS('<', 's', '>'));
    fixture_expect(t, "h<s>h", true, false, IDS('h', 300, 'h'));
    fixture_expect(t, "h", false, true, IDS(300, 'h', 300));
    fixture_expect(t, "<a>", false, false, IDS(301));
    fixture_expect(t, "<a>bc", false, false, IDS(302, 'c'));
    fixture_expect(t, "<a<a>", false, false, IDS('<', 'a', 301));
    fixture_expect(t, "x \xC2\xA0<l> y", false, false, IDS('x', 303, ' ', 'y'));
    fixture_expect(t, "x <r>\xE3\x80\x80\n y", false, false, IDS('x', ' ', 304, 'y'));
    fixture_expect(t, "a word.", false, false, IDS('a', ' ', 305, '.'));
    fixture_expect(t, "swords", false, false, IDS('s', 'w', 'o', 'r', 'd', 's'));

    const int32_t ids[] = {300, 'a', 301, 300};
    char *text;
    size_t length;
    assert_int_equal(lcal__tokenizer_decode(t, ids, 4, false, &text, &length, NULL), LCAL_OK);
    assert_string_equal(text, "<s>a<a><s>");
    lcal__free(text);
    assert_int_equal(lcal__tokenizer_decode(t, ids, 4, true, &text, &length, NULL), LCAL_OK);
    assert_string_equal(text, "a<a>");
    lcal__free(text);
    bool special;
    assert_string_equal(lcal__tokenizer_token(t, 300, &special), "<s>");
    assert_true(special);
    assert_null(lcal__tokenizer_token(t, 299, &special));
    assert_int_equal(
        lcal__tokenizer_decode(t, (const int32_t[]){299}, 1, false, &text, &length, NULL),
        LCAL_INVALID);
    lcal__tokenizer_close(&t);
}

static void test_normalizers(void **state)
{
    (void)state;
    lcal__tokenizer *t = with("\"normalizer\":{\"type\":\"NFC\"},", NULL);
    fixture_expect(t, "e\xCC\x81", false, false, IDS(0xC3, 0xA9));
    fixture_expect(t, "plain", false, false, IDS('p', 'l', 'a', 'i', 'n'));
    lcal__tokenizer_close(&t);
    t = with("\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
             "\"prepend\":\"_\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\"aa\"},"
             "\"content\":\"b\"}]},",
             NULL);
    fixture_expect(t, "aaa", false, false, IDS('_', 'b', 'a'));
    fixture_expect(t, "a", false, false, IDS('_', 'a'));
    fixture_expect(t, "", false, false, IDS(-1));
    lcal__tokenizer_close(&t);
}

#define SPLIT(regex, behavior, invert)                                                             \
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":" \
    "{\"Regex\":\"" regex "\"},\"behavior\":\"" behavior "\",\"invert\":" invert "},"              \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},"

/* A border shows where "h e" no longer merges. */
static void test_pre_tokenizers(void **state)
{
    (void)state;
    lcal__tokenizer *t = with(SPLIT("h", "Isolated", "false"), NULL);
    fixture_expect(t, "he", false, false, IDS('h', 'e'));
    lcal__tokenizer_close(&t);
    t = with(SPLIT("x|", "Removed", "false"), NULL);
    fixture_expect(t, "hexllxx", false, false, IDS('h', 'e', 'l', 'l'));
    lcal__tokenizer_close(&t);
    t = with(SPLIT("x", "Removed", "false"), NULL);
    fixture_expect(t, "hexllxx", false, false, IDS(HE, LL));
    lcal__tokenizer_close(&t);
    t = with(SPLIT("he", "Removed", "true"), NULL);
    fixture_expect(t, "xhexhe", false, false, IDS(HE, HE));
    lcal__tokenizer_close(&t);
    t = with(SPLIT("e", "MergedWithPrevious", "false"), NULL);
    fixture_expect(t, "helleel", false, false, IDS(HE, LL, 'e', 'e', 'l'));
    lcal__tokenizer_close(&t);
    /* White space is Unicode's: NEL and the ideographic space, not U+180E. */
    t = with(SPLIT("\\\\s", "Removed", "false"), NULL);
    fixture_expect(t, "h\xC2\x85\xE3\x80\x80\te\xE1\xA0\x8E", false, false,
                   IDS('h', 'e', 0xE1, 0xA0, 0x8E));
    lcal__tokenizer_close(&t);
    t = with("\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true},", NULL);
    fixture_expect(t, "hello", false, false, IDS(SPACE_HELLO));
    fixture_expect(t, " hello", false, false, IDS(SPACE_HELLO));
    lcal__tokenizer_close(&t);
    t = with("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\","
             "\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},",
             NULL);
    fixture_expect(t, "1hello", false, false, IDS('1', HELLO));
    lcal__tokenizer_close(&t);
}

/* Refused by name, never half understood. */
static void test_refusals(void **state)
{
    static const struct {
        const char *more, *model;
        lcal_status status;
        const char *says;
    } cases[] = {
        {"\"normalizer\":{\"type\":\"Lowercase\"},", NULL, LCAL_UNSUPPORTED, "\"Lowercase\""},
        {"\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a\"},\"content\":\"\"},",
         NULL, LCAL_UNSUPPORTED, "Replace"},
        {"\"pre_tokenizer\":{\"type\":\"Whitespace\"},", NULL, LCAL_UNSUPPORTED, "\"Whitespace\""},
        {SPLIT("a", "Contiguous", "false"), NULL, LCAL_UNSUPPORTED, "\"Contiguous\""},
        {SPLIT("(", "Isolated", "false"), NULL, LCAL_UNSUPPORTED, "regular expression"},
        {SPLIT("[a[b]]", "Isolated", "false"), NULL, LCAL_UNSUPPORTED, "class within a class"},
        {SPLIT("[a\\\\S]", "Isolated", "false"), NULL, LCAL_UNSUPPORTED, "within a class"},
        {"\"post_processor\":{\"type\":\"BertProcessing\"},", NULL, LCAL_UNSUPPORTED,
         "\"BertProcessing\""},
        {"\"decoder\":{\"type\":\"WordPiece\"},", NULL, LCAL_UNSUPPORTED, "\"WordPiece\""},
        {NULL, "\"dropout\":0.1,", LCAL_UNSUPPORTED, "dropout"},
        {NULL, "\"end_of_word_suffix\":\"</w>\",", LCAL_UNSUPPORTED, "end_of_word_suffix"},
        {NULL, "\"unk_token\":\"<unk>\",", LCAL_FORMAT, "unk_token"},
        {"\"added_tokens\":[" ADDED(5, "new", "") "],", NULL, LCAL_FORMAT, "token 5"},
        {"\"added_tokens\":[" ADDED(999, "h", "") "],", NULL, LCAL_FORMAT, "same text"},
        {"\"added_tokens\":[" ADDED(99999999, "x", "") "],", NULL, LCAL_FORMAT, "id"},
        {"\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[]},", NULL,
         LCAL_UNSUPPORTED, "single"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static lcal_error err;
        lcal__tokenizer *t = NULL;
        lcal__strbuf json = fixture_json(merges, COUNT(merges), cases[i].more, cases[i].model);
        lcal_status status = lcal__tokenizer_parse(json.text, json.length, "F", &t, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].says)
            || strncmp(err.message, "F: ", 3) != 0)
            fail_msg("case %zu: status %d: %s", i, (int)status, err.message);
        assert_null(t);
        lcal__strbuf_free(&json);
    }
}

/* Llama-2's way, from GGUF: U+2581 for spaces, one in front, byte fallback, best score first. */
static void test_sentencepiece(void **state)
{
    static const char *const pieces[] = {"\xE2\x96\x81", "a", "b", "ab", "ba", "\xE2\x96\x81\x61"};
    enum { SPACE = 259, A, B, AB, BA, SPACE_A };
    (void)state;
    lcal__strbuf gguf = fixture_gguf(pieces, COUNT(pieces));
    lcal__tokenizer *t = fixture_parse(gguf.text, gguf.length);
    fixture_expect(t, "a", false, false, IDS(SPACE_A));
    fixture_expect(t, "aba", false, false, IDS(SPACE, AB, A));
    fixture_expect(t, "ba b", false, true, IDS(1, SPACE, BA, SPACE, B));
    fixture_expect(t, "\xC3\xA9", false, false, IDS(SPACE, 3 + 0xC3, 3 + 0xA9));
    fixture_expect(t, "<s>a", true, false, IDS(1, SPACE_A));
    fixture_expect(t, "", false, true, IDS(1));
    assert_int_equal(lcal__tokenizer_bos(t), 1);
    assert_int_equal(lcal__tokenizer_eos(t), 2);

    const int32_t ids[] = {1, SPACE, SPACE_A, 3 + 0xC3, 3 + 0xA9, B, 2};
    char *text;
    size_t length;
    assert_int_equal(lcal__tokenizer_decode(t, ids, COUNT(ids), true, &text, &length, NULL),
                     LCAL_OK);
    assert_string_equal(text, " a\xC3\xA9"
                              "b");
    lcal__free(text);
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&gguf);
}

/* Llama-2's tokenizer.json; `model` among the model's members, bytes where they have tokens. */
static lcal__tokenizer *llama2_json(const char *model, bool bytes)
{
    lcal__strbuf json = {0};
    lcal__strbuf_printf(
        &json,
        "{\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true}],"
        "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":"
        "\"_\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"_\"}]},"
        "\"pre_tokenizer\":null,\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":"
        "\"Replace\",\"pattern\":{\"String\":\"_\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},"
        "{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},"
        "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",%s\"vocab\":{\"<unk>\":0,\"_\":2,"
        "\"a\":3,"
        "\"b\":4,\"ab\":5,\"_ab\":6",
        model);
    for (unsigned byte = 0; bytes && byte < 256; byte++)
        lcal__strbuf_printf(&json, ",\"<0x%02X>\":%u", byte, 100 + byte);
    lcal__strbuf_add(&json, "},\"merges\":[[\"a\",\"b\"],[\"_\",\"ab\"]]}}");
    assert_false(json.failed);
    lcal__tokenizer *t = fixture_parse(json.text, json.length);
    lcal__strbuf_free(&json);
    return t;
}

static void test_characters(void **state)
{
    (void)state;
    lcal__tokenizer *t = llama2_json("\"byte_fallback\":true,", true);
    fixture_expect(t, "ab ab", false, false, IDS(6, 6));
    fixture_expect(t, "\xC3\xA9", false, false, IDS(2, 100 + 0xC3, 100 + 0xA9));
    fixture_expect(t, "a<s>b", true, false, IDS(2, 3, 1, 2, 4));
    const int32_t ids[] = {1, 2, 6, 100 + 0xC3, 100 + 0xA9};
    char *text;
    size_t length;
    assert_int_equal(lcal__tokenizer_decode(t, ids, 5, true, &text, &length, NULL), LCAL_OK);
    assert_string_equal(text, " ab\xC3\xA9");
    lcal__free(text);
    assert_int_equal(lcal__tokenizer_decode(t, ids, 5, false, &text, &length, NULL), LCAL_OK);
    assert_string_equal(text, "<s>  ab\xC3\xA9");
    lcal__free(text);
    lcal__tokenizer_close(&t);

    t = llama2_json("\"fuse_unk\":true,", false);
    fixture_expect(t, "xyaz", false, false, IDS(2, 0, 3, 0));
    lcal__tokenizer_close(&t);
    t = llama2_json("\"fuse_unk\":false,", false);
    fixture_expect(t, "xya", false, false, IDS(2, 0, 0, 3));
    lcal__tokenizer_close(&t);
}

static void test_stream(void **state)
{
    static const struct {
        const char *text;
        size_t lengths[5]; /* of what is out after each byte */
    } cases[] = {
        {"a\xE2\x82\xAC"
         "b",
         {1, 1, 1, 4, 5}}, /* a euro sign is held until whole */
        {"\xF0\x9F\x98\x80"
         "x",
         {0, 0, 0, 4, 5}},
        {"\xE2\x82"
         "abc",
         {0, 0, 3, 4, 5}}, /* never a character: let go */
        {"\xFF\xC3\xC3\xA9"
         "z",
         {1, 1, 2, 4, 5}},
    };
    (void)state;
    lcal__tokenizer *t = with(NULL, NULL);
    for (size_t c = 0; c < COUNT(cases); c++) {
        lcal__decode_stream stream = {0};
        lcal__strbuf out = {0};
        for (size_t i = 0; i < 5; i++) {
            const int32_t id = (unsigned char)cases[c].text[i];
            assert_int_equal(lcal__tokenizer_stream(t, &stream, id, false, &out, NULL), LCAL_OK);
            assert_int_equal(out.length, cases[c].lengths[i]);
        }
        assert_int_equal(lcal__tokenizer_stream(t, &stream, 9999, false, &out, NULL), LCAL_INVALID);
        assert_int_equal(lcal__tokenizer_stream(t, &stream, 0xE2, false, &out, NULL), LCAL_OK);
        assert_int_equal(out.length, 5);
        assert_int_equal(lcal__tokenizer_stream_end(&stream, &out, NULL), LCAL_OK);
        assert_int_equal(out.length, 6);
        assert_memory_equal(out.text, cases[c].text, 5);
        lcal__strbuf_free(&out);
    }
    lcal__tokenizer_close(&t);
}

/* U+2581 of a text itself comes back as a space. */
static void test_space_of_llama(void **state)
{
    static const char *const pieces[] = {"\xE2\x96\x81", "h", "e", "l", "o", "he", "ll", "hell"};
    (void)state;
    lcal__strbuf gguf = fixture_gguf(pieces, COUNT(pieces));
    lcal__tokenizer *t = fixture_parse(gguf.text, gguf.length);
    const int32_t space = lcal__tokenizer_id(t, "\xE2\x96\x81");
    fixture_expect(t, "\xE2\x96\x81", false, false, IDS(space, space));
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&gguf);
}

/* The engine against the definition: again and again the best pair of all, leftmost on ties. */
static size_t merge_naively(const lcal__tokenizer *t, int32_t *ids, size_t count)
{
    for (;;) {
        size_t best_rank = COUNT(merges), best = 0;
        for (size_t i = 0; i + 1 < count; i++)
            for (size_t rank = 0; rank < best_rank; rank++) {
                const char *space = strchr(merges[rank], ' ');
                char left[16] = {0};
                memcpy(left, merges[rank], (size_t)(space - merges[rank]));
                if (ids[i] == lcal__tokenizer_id(t, left)
                    && ids[i + 1] == lcal__tokenizer_id(t, space + 1)) {
                    best_rank = rank;
                    best = i;
                }
            }
        if (best_rank == COUNT(merges))
            return count;
        ids[best] = (int32_t)(256 + best_rank);
        memmove(ids + best + 1, ids + best + 2, (count - best - 2) * sizeof(*ids));
        count--;
    }
}

static void test_engine_against_naive(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 3, .stream = 2};
    lcal__tokenizer *t = with(NULL, NULL);
    for (size_t round = 0; round < 2000; round++) {
        char text[40] = {0};
        int32_t expected[41];
        size_t count = 1 + lcal__rng_below(&rng, sizeof(text) - 2);
        for (size_t i = 0; i < count; i++)
            expected[i] = text[i] = "helo"[lcal__rng_below(&rng, 4)];
        count = merge_naively(t, expected, count);
        expected[count] = -1;
        fixture_expect(t, text, false, false, expected);
    }
    lcal__tokenizer_close(&t);
}

/* Half a megabyte of one character, which merges again and again, in well under a second: time that
 * grows with the square would take minutes. */
static void test_long_run(void **state)
{
    static const char *const doubles[] = {"l l", "ll ll", "llll llll", "llllllll llllllll"};
    const size_t length = (size_t)1 << 19;
    (void)state;
    lcal__strbuf json = fixture_json(doubles, COUNT(doubles), NULL, NULL);
    lcal__tokenizer *t = fixture_parse(json.text, json.length);
    char *text = lcal__calloc(length, 1);
    int32_t *ids = NULL;
    size_t count = 0, capacity = 0;
    const lcal__encode_options options = {0};
    memset(text, 'l', length);
    const clock_t begin = clock();
    assert_int_equal(
        lcal__tokenizer_encode(t, text, length, &options, &ids, &count, &capacity, NULL), LCAL_OK);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 5);
    assert_int_equal(count, length / 16);
    lcal__free(ids);
    lcal__free(text);
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_ignore_merges),
        cmocka_unit_test(test_added_tokens),
        cmocka_unit_test(test_normalizers),
        cmocka_unit_test(test_pre_tokenizers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sentencepiece),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_space_of_llama),
        cmocka_unit_test(test_engine_against_naive),
        cmocka_unit_test(test_long_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
