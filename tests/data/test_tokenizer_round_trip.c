/* Encoded and decoded, 100,000 random byte strings come back from a tokenizer of every kind. */
#define _POSIX_C_SOURCE 200809L /* mkstemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tokenizer_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define STRINGS 100000

static lcal_error err;

/* Bytes at random; half of the time from pieces that are likely to be text. */
static size_t random_text(lcal__rng *rng, char *text, size_t most)
{
    static const char *const parts[] = {
        "hello", " ", "  \n", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xE2\x82",
        "<s>",   "1", "\t",   "ll",       "\xE2\x96\x81", "<0x0A>",           "'s"};
    const size_t wanted = lcal__rng_below(rng, most - 8);
    const bool bytes = lcal__rng_below(rng, 2);
    size_t length = 0;
    while (length < wanted)
        if (bytes) {
            text[length++] = (char)lcal__rng_below(rng, 256);
        } else {
            const char *part = parts[lcal__rng_below(rng, COUNT(parts))];
            memcpy(text + length, part, strlen(part));
            length += strlen(part);
        }
    return length;
}

/* What decoding must give back: U+FFFD for every ill-formed part and, where the tokenizer writes
 * spaces as U+2581, a space for that. */
static void expect(const char *text, size_t length, bool spaces, lcal__strbuf *out)
{
    lcal__strbuf_clear(out);
    lcal__strbuf_add_utf8(out, text, length);
    size_t kept = 0;
    for (size_t at = 0; spaces && at < out->length; kept++) {
        const bool space = out->length - at >= 3 && memcmp(out->text + at, "\xE2\x96\x81", 3) == 0;
        out->text[kept] = space ? ' ' : out->text[at];
        at += space ? 3 : 1;
    }
    if (spaces)
        out->length = kept;
}

static void round_trips(const lcal__tokenizer *t, bool spaces)
{
    lcal__rng rng = {.seed = 7, .stream = 1};
    lcal__strbuf expected = {0};
    const lcal__encode_options options = {0};
    int32_t *ids = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < STRINGS; i++) {
        char text[64], *decoded;
        size_t length = random_text(&rng, text, sizeof(text)), id_count = 0, decoded_length;
        expect(text, length, spaces, &expected);
        assert_int_equal(
            lcal__tokenizer_encode(t, text, length, &options, &ids, &id_count, &capacity, NULL),
            LCAL_OK);
        assert_int_equal(
            lcal__tokenizer_decode(t, ids, id_count, false, &decoded, &decoded_length, NULL),
            LCAL_OK);
        assert_int_equal(decoded_length, expected.length);
        if (decoded_length)
            assert_memory_equal(decoded, expected.text, decoded_length);
        lcal__free(decoded);
    }
    lcal__free(ids);
    lcal__strbuf_free(&expected);
}

static void test_byte_level(void **state)
{
    static const char *const merges[] = {"h e", "l l", "he ll", "hell o", "\xC4\xA0 hello"};
    (void)state;
    lcal__strbuf json = fixture_json(merges, COUNT(merges),
                                     "\"added_tokens\":[{\"id\":300,\"content\":\"<s>\","
                                     "\"special\":true}],",
                                     NULL);
    lcal__tokenizer *t = fixture_parse(json.text, json.length);
    round_trips(t, false);
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&json);
}

static void test_gguf(void **state)
{
    static const char *const pieces[] = {"\xE2\x96\x81", "h", "e", "l", "o", "he", "ll", "hell"};
    (void)state;
    lcal__strbuf gguf = fixture_gguf(pieces, COUNT(pieces));
    lcal__tokenizer *t = fixture_parse(gguf.text, gguf.length);
    round_trips(t, true);
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&gguf);
}

static void test_llama2c(void **state)
{
    const char *tests = getenv("LCAL_TEST_SOURCE");
    char *path = lcal__path_join(tests ? tests : ".", "../data/stories260K/tok512.bin");
    lcal__tokenizer *t = NULL;
    (void)state;
    if (lcal__tokenizer_open(path, NULL, &t, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    round_trips(t, false);
    lcal__tokenizer_close(&t);
    lcal__free(path);
}

/* One that was trained on strings of the same kind. */
static void test_trained(void **state)
{
    char text[] = "/tmp/lcal-text-XXXXXX", out[64];
    const int fd = mkstemp(text);
    lcal__rng rng = {.seed = 8};
    lcal__strbuf corpus = {0};
    lcal__tokenizer *t = NULL;
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < 2000; i++) {
        char line[64];
        lcal__strbuf_add_bytes(&corpus, line, random_text(&rng, line, sizeof(line)));
    }
    assert_int_equal(lcal__file_replace(text, corpus.text, corpus.length, &err), LCAL_OK);
    snprintf(out, sizeof(out), "%s.out", text);
    const char *const files[] = {text};
    const lcal_tokenizer_training training = {.vocab = 1000};
    if (lcal_tokenizer_train(files, 1, out, &training, NULL, &err) != LCAL_OK
        || lcal__tokenizer_open(out, NULL, &t, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(lcal__tokenizer_size(t), 1000);
    round_trips(t, false);
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&corpus);
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char *path = lcal__path_join(out, names[i]);
        assert_int_equal(lcal__file_remove(path, NULL), LCAL_OK);
        lcal__free(path);
    }
    rmdir(out);
    unlink(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_level),
        cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_llama2c),
        cmocka_unit_test(test_trained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
