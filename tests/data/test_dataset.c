/* Pre-tokenised examples: what is kept, what is counted, what is refused and where. */
#define _GNU_SOURCE /* mkstemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "data/dataset.h"

static lcal_error err;

static const lcal__dataset_options plain = {.vocab = 100};

static lcal_status parse(const char *text, const lcal__dataset_options *options, lcal__dataset *out)
{
    return lcal__dataset_parse(text, strlen(text), "f.jsonl", options, out, &err);
}

static void expect_example(const lcal__dataset *data, size_t index, size_t length,
                           const int32_t *ids, const int32_t *labels)
{
    const lcal__example *example = &data->examples[index];
    size_t counted = 0;
    assert_int_equal(example->length, length);
    assert_memory_equal(example->ids, ids, length * sizeof(*ids));
    assert_memory_equal(example->labels, labels, length * sizeof(*labels));
    for (size_t i = 0; i < length; i++)
        counted += labels[i] >= 0;
    assert_int_equal(example->counted, counted);
}

static void test_forms(void **state)
{
    (void)state;
    lcal__dataset data;
    assert_int_equal(
        parse(
            "{\"input_ids\": [1, 2, 3], \"labels\": [-100, -100, 7]}\n"
            "\n  \t\r\n"
            "{\"labels\": [5, 6], \"input_ids\": [99, 0], \"id\": \"x\", \"meta\": {\"a\": []}}\r\n"
            "{\"input_ids\": [4, 5, 6, 7]}\n"
            "{\"input_ids\": [8, 9], \"labels\": null}",
            &plain, &data),
        LCAL_OK);
    assert_int_equal(data.count, 4);
    assert_int_equal(data.read, 4);
    assert_int_equal(data.tokens, 11);
    assert_int_equal(data.counted, 1 + 1 + 3 + 1);
    assert_int_equal(data.longest, 4);
    assert_int_equal(data.dropped_empty + data.dropped_overlong + data.truncated, 0);
    expect_example(&data, 0, 3, (int32_t[]){1, 2, 3}, (int32_t[]){-100, -100, 7});
    expect_example(&data, 1, 2, (int32_t[]){99, 0}, (int32_t[]){-100, 6});
    expect_example(&data, 2, 4, (int32_t[]){4, 5, 6, 7}, (int32_t[]){-100, 5, 6, 7});
    expect_example(&data, 3, 2, (int32_t[]){8, 9}, (int32_t[]){-100, 9});
    lcal__dataset_free(&data);
    lcal__dataset_free(&data);
    assert_null(data.examples);
}

static void test_overlong(void **state)
{
    (void)state;
    static const char text[] = "{\"input_ids\": [1, 2, 3]}\n"
                               "{\"input_ids\": [4, 5, 6, 7], \"labels\": [-100, -100, 6, 7]}\n"
                               "{\"input_ids\": [1, 2, 3, 4], \"labels\": [0, -100, -100, 4]}\n";
    lcal__dataset_options options = {.vocab = 8, .max_length = 3};
    lcal__dataset data;
    assert_int_equal(parse(text, &options, &data), LCAL_OK);
    assert_int_equal(data.count, 1);
    assert_int_equal(data.read, 3);
    assert_int_equal(data.dropped_overlong, 2);
    lcal__dataset_free(&data);

    options.overlong = LCAL__OVERLONG_TRUNCATE; /* the last one is left without a label */
    assert_int_equal(parse(text, &options, &data), LCAL_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(data.truncated, 2);
    assert_int_equal(data.dropped_empty, 1);
    assert_int_equal(data.tokens, 6);
    assert_int_equal(data.longest, 3);
    expect_example(&data, 1, 3, (int32_t[]){4, 5, 6}, (int32_t[]){-100, -100, 6});
    lcal__dataset_free(&data);

    options.overlong = LCAL__OVERLONG_ERROR;
    assert_int_equal(parse(text, &options, &data), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "f.jsonl:2: "));
    assert_non_null(strstr(err.message, "at most 3 tokens"));
    assert_null(data.examples);
}

static void test_empty(void **state)
{
    (void)state;
    /* One token has nothing to predict it; labels may all be ignored. */
    static const char text[] = "{\"input_ids\": [1]}\n"
                               "{\"input_ids\": [1, 2], \"labels\": [5, -100]}\n";
    lcal__dataset_options options = {.vocab = 8, .keep_empty = true};
    lcal__dataset data;
    assert_int_equal(parse(text, &options, &data), LCAL_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(data.counted, 0);
    lcal__dataset_free(&data);
    options.keep_empty = false;
    assert_int_equal(parse(text, &options, &data), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "f.jsonl: expected at least one example"));
    assert_non_null(strstr(err.message, "2 with nothing to learn"));
    assert_int_equal(parse("", &plain, &data), LCAL_FORMAT);
    assert_int_equal(parse("\n\n", &plain, &data), LCAL_FORMAT);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        lcal_status status;
        const char *message;
    } cases[] = {
        {"{\"input_ids\": [1, 100]}", LCAL_FORMAT,
         "input_ids[1]: expected an integer in 0..99, "
         "found 100"},
        {"{\"input_ids\": [-1]}", LCAL_FORMAT, "input_ids[0]"},
        {"{\"input_ids\": [-100, 1]}", LCAL_FORMAT, "found -100"},
        {"{\"input_ids\": [1, 2.0]}", LCAL_FORMAT, "input_ids[1]"},
        {"{\"input_ids\": [1, \"2\"]}", LCAL_FORMAT, "found a string"},
        {"{\"input_ids\": [1, true]}", LCAL_FORMAT, "input_ids[1]"},
        {"{\"input_ids\": [9223372036854775807]}", LCAL_FORMAT, "found 9223372036854775807"},
        {"{\"input_ids\": [99999999999999999999]}", LCAL_FORMAT, "not valid JSON"},
        {"{\"input_ids\": []}", LCAL_FORMAT, "at least one integer"},
        {"{\"input_ids\": null}", LCAL_FORMAT, "input_ids"},
        {"{\"input_ids\": 5}", LCAL_FORMAT, "found an integer"},
        {"{\"input_ids\": [[1, 2]]}", LCAL_FORMAT, "input_ids[0]"},
        {"{\"input_ids\": [1, 2], \"labels\": [1]}", LCAL_FORMAT, "expected 2 items"},
        {"{\"input_ids\": [1, 2], \"labels\": 7}", LCAL_FORMAT, "key labels"},
        {"{\"input_ids\": [1, 2], \"labels\": [1, -99]}", LCAL_FORMAT,
         "labels[1]: expected an integer in 0..99 or -100, found -99"},
        {"{\"input_ids\": [1, 2], \"labels\": [1, 100]}", LCAL_FORMAT, "labels[1]"},
        {"{\"input_ids\": [1], \"input_ids\": [2]}", LCAL_FORMAT, "duplicate"},
        {"{\"labels\": [1]}", LCAL_FORMAT, "key input_ids: expected"},
        {"{}", LCAL_FORMAT, "found none of these keys"},
        {"[1, 2]", LCAL_FORMAT, "expected a JSON object"},
        {"{\"input_ids\": [1, 2", LCAL_FORMAT, "not valid JSON"},
        {"{\"input_ids\": [1]} {}", LCAL_FORMAT, "not valid JSON"},
        {"{\"input_ids\": [1], \"x\": \"\xFF\"}", LCAL_FORMAT, "not valid JSON"},
        {"{\"prompt\": \"a\", \"completion\": \"b\"}", LCAL_UNSUPPORTED, "key prompt: this"},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"\"}]}", LCAL_UNSUPPORTED,
         "input_ids"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200];
        lcal__dataset data = {0};
        snprintf(text, sizeof(text), "{\"input_ids\": [1, 2]}\n\n%s\n", cases[i].line);
        if (parse(text, &plain, &data) != cases[i].status || !strstr(err.message, cases[i].message)
            || strncmp(err.message, "f.jsonl:3: ", 11) != 0)
            fail_msg("%s: %s", cases[i].line, err.message);
        assert_null(data.examples);
        assert_null(data.storage);
    }
}

/* More numbers than a block of storage holds, with an example that is larger than one. */
static void test_large(void **state)
{
    (void)state;
    enum { EXAMPLES = 40 };
    size_t lengths[EXAMPLES], total = 0;
    lcal__strbuf text = {0};
    for (size_t i = 0; i < EXAMPLES; i++) {
        lengths[i] = i == 7 ? 600000 : 2 + i * 997 % 40000;
        total += lengths[i];
        lcal__strbuf_add(&text, "{\"input_ids\": [0");
        for (size_t j = 1; j < lengths[i]; j++)
            lcal__strbuf_add_bytes(&text, &",0,1,2,3"[(i + j) % 4 * 2], 2);
        lcal__strbuf_add(&text, "]}\n");
    }
    lcal__dataset data;
    const lcal__dataset_options options = {.vocab = 4};
    assert_int_equal(parse(text.text, &options, &data), LCAL_OK);
    assert_int_equal(data.count, EXAMPLES);
    assert_int_equal(data.tokens, total);
    assert_int_equal(data.longest, 600000);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const lcal__example *example = &data.examples[i];
        assert_int_equal(example->length, lengths[i]);
        for (size_t j = 1; j < lengths[i]; j++)
            if (example->ids[j] != (int32_t)((i + j) % 4) || example->labels[j] != example->ids[j])
                fail_msg("example %zu, token %zu", i, j);
    }
    lcal__dataset_free(&data);
    lcal__strbuf_free(&text);
}

static void test_files(void **state)
{
    (void)state;
    static const char line[] = "{\"input_ids\": [1, 2, 3]}\n";
    const char *root = getenv("TMPDIR");
    char path[300];
    lcal__dataset data;
    snprintf(path, sizeof(path), "%s/lcal-dataset-XXXXXX", root ? root : "/tmp");
    int fd = mkstemp(path);
    gzFile packed = gzdopen(fd, "wb");
    assert_non_null(packed);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(gzputs(packed, line), sizeof(line) - 1);
    assert_int_equal(gzclose(packed), Z_OK);
    assert_int_equal(lcal__dataset_read(path, &plain, &data, &err), LCAL_OK);
    assert_int_equal(data.count, 1000);
    expect_example(&data, 999, 3, (int32_t[]){1, 2, 3}, (int32_t[]){-100, 2, 3});
    lcal__dataset_free(&data);
    assert_int_equal(lcal__file_append(path, "more", 4, &err), LCAL_OK);
    assert_int_equal(lcal__dataset_read(path, &plain, &data, &err), LCAL_FORMAT);
    assert_true(strncmp(err.message, path, strlen(path)) == 0);
    assert_int_equal(lcal__file_remove(path, &err), LCAL_OK);
    assert_int_equal(lcal__dataset_read(path, &plain, &data, &err), LCAL_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_overlong),
        cmocka_unit_test(test_empty), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_large), cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
