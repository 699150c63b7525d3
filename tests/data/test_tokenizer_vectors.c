/*
 * Against other implementations: every row of the vectors in $LCAL_TEST_DATA/tokenizers, made by
 * Hugging Face's tokenizers and by llama.cpp, and ids made by
 * tools/data/llama2c_tokenize.py.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "data/tokenizer.h"
#include "format/lines.h"

static char *test_data(const char *name)
{
    const char *root = getenv("LCAL_TEST_DATA");
    if (!root || !*root) {
        print_message("LCAL_TEST_DATA is not set: no vectors to compare with\n");
        skip();
    }
    char *folder = lcal__path_join(root, "tokenizers");
    char *path = lcal__path_join(folder, name);
    lcal__free(folder);
    assert_non_null(path);
    return path;
}

static lcal__tokenizer *open_at(char *path)
{
    static lcal_error err;
    lcal__tokenizer *t = NULL;
    if (lcal__tokenizer_open(path, NULL, &t, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    lcal__free(path);
    return t;
}

static void assert_ids(const int32_t *ids, size_t count, const json_t *expected, const char *text)
{
    bool same = count == json_array_size(expected);
    for (size_t i = 0; same && i < count; i++)
        same = ids[i] == json_integer_value(json_array_get(expected, i));
    if (same)
        return;
    char *wanted = json_dumps(expected, JSON_COMPACT);
    print_error("text: \"%s\"\nexpected %s\nfound    [", text, wanted);
    for (size_t i = 0; i < count; i++)
        print_error("%s%d", i ? "," : "", (int)ids[i]);
    print_error("]\n");
    free(wanted);
    fail();
}

static void assert_encodes(const lcal__tokenizer *t, const json_t *text, bool parse_special,
                           bool add_special, const json_t *expected)
{
    const lcal__encode_options options = {parse_special, add_special, false};
    int32_t *ids = NULL;
    size_t count = 0, capacity = 0;
    assert_int_equal(lcal__tokenizer_encode(t, json_string_value(text), json_string_length(text),
                                            &options, &ids, &count, &capacity, NULL),
                     LCAL_OK);
    assert_ids(ids, count, expected, json_string_value(text));
    lcal__free(ids);
}

/* Decoded at once and token by token; the stream never ends inside a character. */
static void assert_decodes(const lcal__tokenizer *t, const json_t *list, const char *expected)
{
    const size_t count = json_array_size(list);
    int32_t *ids = calloc(count + 1, sizeof(*ids));
    char *text;
    size_t length;
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    assert_int_equal(lcal__tokenizer_decode(t, ids, count, false, &text, &length, NULL), LCAL_OK);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
    lcal__free(text);

    lcal__decode_stream stream = {0};
    lcal__strbuf out = {0};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(lcal__tokenizer_stream(t, &stream, ids[i], false, &out, NULL), LCAL_OK);
        assert_true(((unsigned char)expected[out.length] & 0xC0) != 0x80);
    }
    assert_int_equal(lcal__tokenizer_stream_end(&stream, &out, NULL), LCAL_OK);
    assert_string_equal(out.text ? out.text : "", expected);
    lcal__strbuf_free(&out);
    free(ids);
}

/* A JSONL file. */
typedef struct rows {
    lcal__map map;
    lcal__lines *lines;
} rows;

static rows rows_open(char *path)
{
    rows r = {0};
    assert_int_equal(lcal__map_open(path, &r.map, NULL), LCAL_OK);
    assert_int_equal(lcal__lines_open(r.map.data, r.map.size, path, &r.lines, NULL), LCAL_OK);
    return r;
}

static void rows_close(rows *r, char *path)
{
    lcal__lines_close(&r->lines);
    lcal__map_close(&r->map);
    lcal__free(path);
}

/* The next line; NULL at the end. */
static json_t *next_row(rows *r)
{
    const char *text;
    size_t length;
    assert_int_equal(lcal__lines_next(r->lines, &text, &length, NULL), LCAL_OK);
    if (!text)
        return NULL;
    json_t *row = json_loadb(text, length, JSON_ALLOW_NUL, NULL);
    assert_non_null(row);
    return row;
}

static size_t compare_hf(const char *name)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/tokenizer.json", name);
    lcal__tokenizer *t = open_at(test_data(path));
    snprintf(path, sizeof(path), "%s/vectors.hf_rust.jsonl", name);
    char *file = test_data(path);
    rows vectors = rows_open(file);
    for (json_t *row; (row = next_row(&vectors)); count++) {
        const json_t *text = json_object_get(row, "text"), *ids = json_object_get(row, "ids");
        assert_encodes(t, text, true, false, ids);
        assert_encodes(t, text, true, true, json_object_get(row, "ids_with_special"));
        assert_decodes(t, ids, json_string_value(json_object_get(row, "decoded")));
        json_decref(row);
    }
    rows_close(&vectors, file);
    lcal__tokenizer_close(&t);
    return count;
}

static void test_hf_llama3(void **state)
{
    (void)state;
    assert_int_equal(compare_hf("llama3.1"), 420);
}

static void test_hf_qwen3(void **state)
{
    (void)state;
    assert_int_equal(compare_hf("qwen3"), 420);
}

static size_t compare_llamacpp(const char *name)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/vocab.gguf", name);
    lcal__tokenizer *t = open_at(test_data(path));
    snprintf(path, sizeof(path), "%s/vectors.llamacpp.jsonl", name);
    char *file = test_data(path);
    rows vectors = rows_open(file);
    for (json_t *row; (row = next_row(&vectors)); count++) {
        const json_t *text = json_object_get(row, "text"), *ids = json_object_get(row, "ids");
        assert_encodes(t, text, false, false, ids);
        assert_decodes(t, ids, json_string_value(text));
        json_decref(row);
    }
    rows_close(&vectors, file);
    lcal__tokenizer_close(&t);
    return count;
}

static void test_llamacpp_gpt2(void **state)
{
    (void)state;
    assert_int_equal(compare_llamacpp("gpt-2"), 420);
}

static void test_llamacpp_llama2(void **state)
{
    (void)state;
    assert_int_equal(compare_llamacpp("llama-spm"), 420);
}

static char *read_text(const char *name)
{
    char *path = test_data(name);
    unsigned char *text = NULL;
    size_t size;
    assert_int_equal(lcal__file_read(path, 1 << 20, &text, &size, NULL), LCAL_OK);
    lcal__free(path);
    return (char *)text;
}

/* llama.cpp's own strings, each closed by a marker, and a line of ids for each. */
static size_t compare_ggml(const char *tokenizer, const char *vectors)
{
    static const char marker[] = "\n__ggml_vocab_test__\n";
    char name[96];
    size_t count = 0;
    lcal__tokenizer *t = open_at(test_data(tokenizer));
    snprintf(name, sizeof(name), "%s.inp", vectors);
    char *texts = read_text(name);
    snprintf(name, sizeof(name), "%s.out", vectors);
    char *ids = read_text(name);
    char *text = texts, *line = ids;
    for (char *end; (end = strstr(text, marker)); text = end + strlen(marker), count++) {
        json_t *piece = json_stringn(text, (size_t)(end - text));
        json_t *expected = json_array();
        char *line_end = strchr(line, '\n');
        assert_non_null(line_end);
        *line_end = '\0';
        for (char *at = line, *next; strtol(at, &next, 10), next != at; at = next)
            json_array_append_new(expected, json_integer(strtol(at, NULL, 10)));
        assert_encodes(t, piece, false, false, expected);
        json_decref(piece);
        json_decref(expected);
        line = line_end + 1;
    }
    assert_int_equal(*line, '\0');
    lcal__free(texts);
    lcal__free(ids);
    lcal__tokenizer_close(&t);
    return count;
}

static void test_ggml_strings(void **state)
{
    (void)state;
    assert_int_equal(compare_ggml("llama3.1/tokenizer.json", "llama3.1/ggml-vocab-llama-bpe"), 46);
    assert_int_equal(compare_ggml("qwen3/tokenizer.json", "qwen3/ggml-vocab-qwen2"), 46);
    assert_int_equal(compare_ggml("gpt-2/vocab.gguf", "gpt-2/ggml-vocab-gpt-2"), 46);
    assert_int_equal(compare_ggml("llama-spm/vocab.gguf", "llama-spm/ggml-vocab-llama-spm"), 46);
}

static char *shipped(const char *name)
{
    const char *tests = getenv("LCAL_TEST_SOURCE");
    char *folder = lcal__path_join(tests ? tests : ".", "golden");
    char *path = lcal__path_join(folder, name);
    lcal__free(folder);
    assert_non_null(path);
    return path;
}

/* BOS, the prompt, a newline, the completion, EOS. */
static void assert_example(const lcal__tokenizer *t, const json_t *pair, const json_t *ids)
{
    json_t *text = json_sprintf("%s\n%s", json_string_value(json_object_get(pair, "prompt")),
                                json_string_value(json_object_get(pair, "completion")));
    json_t *expected = json_deep_copy(ids);
    json_array_remove(expected, json_array_size(expected) - 1);
    assert_encodes(t, text, false, true, expected);
    json_array_remove(expected, 0);
    assert_decodes(t, expected, json_string_value(text));
    json_decref(text);
    json_decref(expected);
}

static void test_shipped_ids(void **state)
{
    (void)state;
    char *texts = shipped("vectors/llama2c.text.jsonl.gz");
    char *ids = shipped("vectors/llama2c.ids.jsonl.gz");
    lcal__tokenizer *t = open_at(shipped("../../data/stories260K"));
    rows pairs = rows_open(texts), examples = rows_open(ids);
    size_t count = 0;
    for (json_t *pair; (pair = next_row(&pairs)); count++) {
        json_t *example = next_row(&examples);
        assert_non_null(example);
        assert_example(t, pair, json_object_get(example, "input_ids"));
        json_decref(pair);
        json_decref(example);
    }
    assert_true(count >= 50);
    rows_close(&pairs, texts);
    rows_close(&examples, ids);
    lcal__tokenizer_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hf_llama3),     cmocka_unit_test(test_hf_qwen3),
        cmocka_unit_test(test_llamacpp_gpt2), cmocka_unit_test(test_llamacpp_llama2),
        cmocka_unit_test(test_ggml_strings),  cmocka_unit_test(test_shipped_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
