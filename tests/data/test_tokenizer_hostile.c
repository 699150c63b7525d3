/* Damaged tokenizer files: every one is read or refused, none crashes (which asan and ubsan see),
 * and what is read can encode and decode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tokenizer_fixture.h"

static const char *const pieces[] = {"\xE2\x96\x81", "a", "b", "ab", "ba"};
static const char *const merges[] = {"h e", "l l", "he ll", "hell o"};

/* Reads a copy of its own, so that a byte read beyond it is seen. */
static bool try_bytes(const char *bytes, size_t size)
{
    static lcal_error err;
    char *copy = lcal__calloc(size + !size, 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    lcal__tokenizer *t = NULL;
    err = (lcal_error){0};
    lcal_status status = lcal__tokenizer_parse(copy, size, "F", &t, &err);
    lcal__free(copy);
    if (status != LCAL_OK) {
        assert_null(t);
        assert_true(strstr(err.message, "F") != NULL);
        return false;
    }
    static const char text[] = "ab hello <s> \xC3\xA9 ba";
    const lcal__encode_options options = {true, true, false};
    int32_t *ids = NULL;
    size_t count = 0, capacity = 0, length;
    char *decoded = NULL;
    if (lcal__tokenizer_encode(t, text, sizeof(text) - 1, &options, &ids, &count, &capacity, NULL)
        == LCAL_OK)
        assert_int_equal(lcal__tokenizer_decode(t, ids, count, true, &decoded, &length, NULL),
                         LCAL_OK);
    lcal__free(decoded);
    lcal__free(ids);
    lcal__tokenizer_close(&t);
    return true;
}

static void damage(lcal__strbuf *file, size_t rounds)
{
    lcal__rng rng = {.seed = 11, .stream = file->length};
    size_t refused = 0;
    assert_true(try_bytes(file->text, file->length));
    for (size_t round = 0; round < rounds; round++) {
        size_t at[3];
        char before[3];
        const size_t flips = 1 + lcal__rng_below(&rng, 3);
        for (size_t i = 0; i < flips; i++) {
            at[i] = lcal__rng_below(&rng, file->length);
            before[i] = file->text[at[i]];
            const unsigned bit = 1u << lcal__rng_below(&rng, 8), byte = (unsigned char)before[i];
            file->text[at[i]] = (char)(round % 2 ? lcal__rng_below(&rng, 256) : byte ^ bit);
        }
        refused += !try_bytes(file->text, file->length);
        for (size_t i = flips; i-- > 0;)
            file->text[at[i]] = before[i];
    }
    assert_true(refused > rounds / 20);
    const size_t step = 1 + file->length / 1500;
    for (size_t size = 0; size < file->length; size += step)
        try_bytes(file->text, size);
}

static void test_json(void **state)
{
    (void)state;
    lcal__strbuf json = fixture_json(
        merges, 4,
        "\"normalizer\":{\"type\":\"NFC\"},"
        "\"added_tokens\":[{\"id\":300,\"content\":\"<s>\",\"special\":true,\"lstrip\":true},"
        "{\"id\":301,\"content\":\"<b>\"}],"
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
        "\"pattern\":{\"Regex\":\"\\\\s+(?!\\\\S)|[^\\\\p{L}]\"},\"behavior\":\"Isolated\"},"
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}]},"
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
        "\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"ids\":[300]}}},",
        NULL);
    damage(&json, 3000);
    /* The interesting part is short beside the vocabulary: once more on it alone. */
    lcal__strbuf head = {.text = json.text, .length = json.length, .capacity = json.capacity};
    lcal__rng rng = {.seed = 12, .stream = 1};
    const size_t end = (size_t)(strstr(json.text, "\"vocab\"") - json.text);
    for (size_t round = 0; round < 3000; round++) {
        const size_t at = lcal__rng_below(&rng, end);
        const char before = head.text[at];
        head.text[at] = (char)lcal__rng_below(&rng, 128);
        try_bytes(head.text, head.length);
        head.text[at] = before;
    }
    lcal__strbuf_free(&json);
}

static void test_gguf(void **state)
{
    (void)state;
    lcal__strbuf gguf = fixture_gguf(pieces, 5);
    damage(&gguf, 6000);
    lcal__strbuf_free(&gguf);
}

static void test_llama2c(void **state)
{
    (void)state;
    lcal__strbuf file = {0};
    fixture_put(&file, 27, 4);
    for (unsigned i = 0; i < 3 + 256 + 3; i++) {
        static const char *const texts[] = {"<unk>", "\n<s>\n", "\n</s>\n", " ", "a", " a"};
        static const char digits[] = "0123456789ABCDEF";
        const unsigned byte = i - 3;
        const char spelled[] = {'<', '0', 'x', digits[byte >> 4 & 15], digits[byte & 15], '>', 0};
        fixture_put(&file, 0, 4);
        fixture_put_string(&file, i < 3 ? texts[i] : i < 259 ? spelled : texts[i - 256]);
        /* Lengths have 32 bits here: take the upper half out again. */
        const size_t text = strlen(i < 3 ? texts[i] : i < 259 ? spelled : texts[i - 256]);
        char *start = file.text + file.length - text;
        memmove(start - 4, start, text);
        file.length -= 4;
    }
    damage(&file, 3000);
    lcal__strbuf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_llama2c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
