/* Growing strings, JSON strings and UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/utf8.h"

static void test_growth(void **state)
{
    (void)state;
    lcal__strbuf buf = {0};
    for (int i = 0; i < 1000; i++)
        lcal__strbuf_printf(&buf, "%d,", i);
    assert_int_equal(buf.length, 10 * 2 + 90 * 3 + 900 * 4);
    assert_string_equal(buf.text + buf.length - 8, "998,999,");
    lcal__strbuf_clear(&buf);
    assert_string_equal(buf.text, "");
    lcal__strbuf_add_bytes(&buf, "a\0b", 3);
    assert_int_equal(buf.length, 3);
    assert_memory_equal(buf.text, "a\0b", 4);
    lcal__strbuf_free(&buf);

    char *text = NULL;
    assert_int_equal(lcal__strbuf_take(&buf, &text, NULL), LCAL_OK);
    assert_string_equal(text, "");
    assert_null(buf.text);
    lcal__free(text);
}

static void test_failed(void **state)
{
    (void)state;
    lcal__strbuf buf = {0};
    lcal_error err = {0};
    char *text = NULL;
    lcal__strbuf_add(&buf, "kept");
    lcal__strbuf_add_bytes(&buf, NULL, SIZE_MAX - 2); /* cannot be: no size_t holds the sum */
    lcal__strbuf_add(&buf, "lost");
    assert_true(buf.failed);
    assert_string_equal(buf.text, "kept");
    assert_int_equal(lcal__strbuf_take(&buf, &text, &err), LCAL_NOMEM);
    assert_null(text);
    assert_null(buf.text);
}

static void test_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "\"\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\x7f\""},
        {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"a\xFFz\xE2\x82", "\"a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lcal__strbuf buf = {0};
        lcal__strbuf_add_json(&buf, cases[i].text);
        assert_string_equal(buf.text, cases[i].json);
        lcal__strbuf_free(&buf);
    }
}

/* RFC 3629's table, character by character. */
static size_t encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00 >> length & 0xFF) | c);
    return length;
}

static void test_utf8_all(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char text[4];
        size_t length = encode(c, text);
        bool valid = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
        if (lcal__utf8_valid(text, 4) != (valid ? length : 0) && length == 4)
            fail_msg("U+%X", (unsigned)c);
        if (lcal__utf8_valid(text, length) != (valid ? length : 0))
            fail_msg("U+%X", (unsigned)c);
        if (length > 1 && lcal__utf8_valid(text, length - 1) != 0)
            fail_msg("U+%X cut short", (unsigned)c);
    }
}

static void test_utf8_invalid(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC3(",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xE2\x28\xA1",
        "\xE2\x82(",
        "\xF0\x9F\x98(",
        "\xFE",
        "\xFF",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(lcal__utf8_valid(bad[i], strlen(bad[i])), 0);
    assert_int_equal(lcal__utf8_valid("", 0), 0);
    assert_int_equal(lcal__utf8_valid("\0", 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth),       cmocka_unit_test(test_failed),
        cmocka_unit_test(test_json),         cmocka_unit_test(test_utf8_all),
        cmocka_unit_test(test_utf8_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
