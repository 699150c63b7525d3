/* Lines of plain and gzip text: what comes out does not depend on the wrapping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "format/lines.h"

/* One gzip member, appended at *size. */
static void pack(unsigned char *out, size_t *size, size_t capacity, const char *text, size_t length)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (z_const Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)length;
    stream.next_out = out + *size;
    stream.avail_out = (uInt)(capacity - *size);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *size = capacity - stream.avail_out;
    deflateEnd(&stream);
}

static void expect_lines(const void *bytes, size_t size, const char *const *lines, size_t count)
{
    lcal__lines *reader;
    const char *text;
    size_t length;
    assert_int_equal(lcal__lines_open(bytes, size, "f", &reader, NULL), LCAL_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(lcal__lines_next(reader, &text, &length, NULL), LCAL_OK);
        assert_non_null(text);
        assert_string_equal(text, lines[i]);
        assert_int_equal(length, strlen(lines[i]));
        assert_int_equal(lcal__lines_number(reader), i + 1);
    }
    for (int again = 0; again < 2; again++) {
        assert_int_equal(lcal__lines_next(reader, &text, &length, NULL), LCAL_OK);
        assert_null(text);
    }
    lcal__lines_close(&reader);
    assert_null(reader);
}

/* Reads to the end or the first failure. */
static lcal_status drain(const void *bytes, size_t size, size_t *lines, lcal_error *err)
{
    lcal__lines *reader;
    const char *text = "";
    size_t length;
    assert_int_equal(lcal__lines_open(bytes, size, "f.gz", &reader, NULL), LCAL_OK);
    lcal_status status = LCAL_OK;
    while (status == LCAL_OK && text)
        status = lcal__lines_next(reader, &text, &length, err);
    *lines = lcal__lines_number(reader);
    lcal__lines_close(&reader);
    return status;
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text, *lines[4];
        size_t count;
    } cases[] = {
        {"", {0}, 0},
        {"\n", {""}, 1},
        {"a\nb\n", {"a", "b"}, 2},
        {"a\r\nb", {"a", "b"}, 2},
        {"a\r\n\r\n\nb\r", {"a", "", "", "b\r"}, 4},
        {"\r", {"\r"}, 1},
        {"a", {"a"}, 1},
        {"\x1F", {"\x1F"}, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char packed[200];
        size_t size = 0;
        expect_lines(cases[i].text, strlen(cases[i].text), cases[i].lines, cases[i].count);
        pack(packed, &size, sizeof(packed), cases[i].text, strlen(cases[i].text));
        expect_lines(packed, size, cases[i].lines, cases[i].count);
    }
}

static void test_zero_bytes(void **state)
{
    (void)state;
    lcal__lines *reader;
    const char *text;
    size_t length;
    assert_int_equal(lcal__lines_open("a\0b\nc", 5, "f", &reader, NULL), LCAL_OK);
    assert_int_equal(lcal__lines_next(reader, &text, &length, NULL), LCAL_OK);
    assert_int_equal(length, 3);
    assert_memory_equal(text, "a\0b", 4);
    lcal__lines_close(&reader);
}

static void test_members(void **state)
{
    (void)state;
    unsigned char packed[400];
    size_t size = 0, lines;
    lcal_error err = {0};
    static const char *const expected[] = {"one", "two and three", "four"};
    pack(packed, &size, sizeof(packed), "one\ntwo", 7);
    pack(packed, &size, sizeof(packed), "", 0);
    pack(packed, &size, sizeof(packed), " and three\nfour", 15);
    expect_lines(packed, size, expected, 3);
    memset(packed + size, 0, 20);
    expect_lines(packed, size + 20, expected, 3);
    packed[size + 7] = 'x';
    assert_int_equal(drain(packed, size + 20, &lines, &err), LCAL_FORMAT);
    char place[40];
    snprintf(place, sizeof(place), "f.gz: byte %zu", size + 7);
    assert_non_null(strstr(err.message, place));
}

/* Lines that are longer than a chunk and chunks that hold many lines. */
static void test_long(void **state)
{
    (void)state;
    const size_t size = 3000000;
    char *text = malloc(size);
    unsigned char *packed = malloc(size);
    size_t packed_size = 0;
    assert_true(text && packed);
    /* Line i has i * i / 3 bytes: from none to most of a megabyte. */
    size_t filled = 0, lines = 0;
    for (size_t i = 0; filled + i * i / 3 + 1 <= size; i += i < 100 ? 1 : 150, lines++) {
        memset(text + filled, 'a' + (int)(i % 26), i * i / 3);
        filled += i * i / 3;
        text[filled++] = '\n';
    }
    pack(packed, &packed_size, size, text, filled);
    for (int wrapped = 0; wrapped < 2; wrapped++) {
        lcal__lines *reader;
        const char *line;
        size_t length, at = 0, count = 0;
        assert_int_equal(lcal__lines_open(wrapped ? (const void *)packed : text,
                                          wrapped ? packed_size : filled, "f", &reader, NULL),
                         LCAL_OK);
        for (;; count++) {
            assert_int_equal(lcal__lines_next(reader, &line, &length, NULL), LCAL_OK);
            if (!line)
                break;
            assert_true(at + length < filled && memcmp(line, text + at, length) == 0);
            assert_int_equal(text[at + length], '\n');
            assert_int_equal(line[length], 0);
            at += length + 1;
        }
        assert_int_equal(at, filled);
        assert_int_equal(count, lines);
        lcal__lines_close(&reader);
    }
    free(text);
    free(packed);
}

static void test_limit(void **state)
{
    (void)state;
    size_t size = LCAL__LINE_MAX + 3, lines;
    char *text = malloc(size);
    lcal_error err = {0};
    assert_non_null(text);
    memset(text, 'a', size);
    text[0] = '\n';
    text[size - 1] = '\n';
    assert_int_equal(drain(text, size, &lines, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "f.gz:2: "));
    assert_int_equal(lines, 1);
    assert_int_equal(drain(text + 1, size - 1, &lines, &err), LCAL_FORMAT);
    assert_int_equal(drain(text + 2, size - 2, &lines, &err), LCAL_OK);
    assert_int_equal(lines, 1);
    free(text);
}

static void test_damage(void **state)
{
    (void)state;
    static const char text[] = "{\"input_ids\": [1, 2, 3, 4, 5]}\n{\"input_ids\": [6, 7, 8]}\n";
    unsigned char packed[300], broken[300];
    size_t size = 0, lines;
    pack(packed, &size, sizeof(packed), text, sizeof(text) - 1);
    for (size_t cut = 2; cut < size; cut++) {
        lcal_error err = {0};
        unsigned char *exact = malloc(cut); /* so that a sanitizer sees an overrun */
        assert_non_null(exact);
        memcpy(exact, packed, cut);
        assert_int_equal(drain(exact, cut, &lines, &err), LCAL_FORMAT);
        assert_non_null(strstr(err.message, "cut short"));
        char place[40];
        snprintf(place, sizeof(place), "f.gz: byte %zu", cut);
        assert_non_null(strstr(err.message, place));
        free(exact);
    }
    /* Any flipped bit behind the header is noticed, but those that fill the data's last byte. */
    size_t unnoticed = 0;
    for (size_t bit = 8 * 10; bit < 8 * size; bit++) {
        lcal_error err = {0};
        memcpy(broken, packed, size);
        broken[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (drain(broken, size, &lines, &err) == LCAL_OK) {
            assert_int_equal(bit / 8, size - 9);
            unnoticed++;
        } else
            assert_non_null(strstr(err.message, "f.gz: byte "));
    }
    assert_true(unnoticed < 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),    cmocka_unit_test(test_zero_bytes),
        cmocka_unit_test(test_members), cmocka_unit_test(test_long),
        cmocka_unit_test(test_limit),   cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
