/* JSON: what is refused and where, the typed members, exact numbers through writing and reading. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/json.h"

static lcal_error err;

/* Fails unless the message holds the fragment. */
static void assert_says(const char *fragment)
{
    if (!strstr(err.message, fragment))
        fail_msg("expected \"%s\" in: %s", fragment, err.message);
}

static json_t *parse(const char *text)
{
    json_t *value = NULL;
    if (lcal__json_parse(text, strlen(text), "test", &value, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return value;
}

static void broken_text_names_its_place(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *says;
    } cases[] = {
        {"", 0, "line 1"},
        {"{\"a\":1,\n \"a\":2}", 15, "line 2"},
        {"{\"a\":1} x", 9, "column"},
        {"{\"a\":01}", 8, "not valid JSON"},
        {"{\"a\":NaN}", 9, "NaN"},
        {"{\"a\":\"\\u0000\"}", 14, "NUL"},
        {"{\"a\":\"x\0y\"}", 11, "test: line 1"},
        {"[1,2", 4, "test: line 1 column"},
        {"{\"a\":\"\xC3\x28\"}", 10, "decode byte 0xc3"},
        {"[123456789012345678901234567890]", 32, "integer"},
        {"[1e999]", 7, "real"},
        {"{\"a\":1,}", 8, "line 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *value = NULL;
        memset(&err, 0, sizeof(err));
        /* A copy of exactly that size: reading beyond it is seen by the sanitizer. */
        char *exact = malloc(cases[i].size ? cases[i].size : 1);
        memcpy(exact, cases[i].text, cases[i].size);
        assert_int_equal(lcal__json_parse(exact, cases[i].size, "test", &value, &err), LCAL_FORMAT);
        assert_null(value);
        assert_says(cases[i].says);
        free(exact);
    }
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    static char text[200000];
    json_t *value = NULL;
    memset(text, '[', sizeof(text));
    assert_int_equal(lcal__json_parse(text, sizeof(text), "test", &value, &err), LCAL_FORMAT);
    assert_says("depth");
}

static void members_are_checked(void **state)
{
    (void)state;
    json_t *object = parse("{\"i\":5,\"neg\":-1,\"r\":2.5,\"t\":true,\"s\":\"text\",\"n\":null,"
                           "\"big\":9007199254740993,\"list\":[]}");
    size_t size = 77;
    double real = 7.5;
    bool flag = false;
    const char *text = "before";

    assert_int_equal(lcal__json_size(object, "f", "i", 1, 5, &size, &err), LCAL_OK);
    assert_int_equal(size, 5);
    assert_int_equal(lcal__json_size(object, "f", "absent", 1, 5, &size, &err), LCAL_OK);
    assert_int_equal(lcal__json_size(object, "f", "n", 1, 5, &size, &err), LCAL_OK);
    assert_int_equal(size, 5);
    /* An integer that a double cannot hold arrives exactly. */
    assert_int_equal(lcal__json_size(object, "f", "big", 0, SIZE_MAX, &size, &err), LCAL_OK);
    assert_true(size == 9007199254740993u);
    assert_int_equal(lcal__json_size(object, "f", "i", 6, 9, &size, &err), LCAL_FORMAT);
    assert_says("f: key i: expected an integer from 6 to 9, found 5");
    assert_int_equal(lcal__json_size(object, "f", "neg", 0, 9, &size, &err), LCAL_FORMAT);
    assert_says("found -1");
    assert_int_equal(lcal__json_size(object, "f", "r", 0, 9, &size, &err), LCAL_FORMAT);
    assert_says("expected an integer, found a real number");

    assert_int_equal(lcal__json_real(object, "f", "i", &real, &err), LCAL_OK);
    assert_true(real == 5.0);
    assert_int_equal(lcal__json_real(object, "f", "r", &real, &err), LCAL_OK);
    assert_true(real == 2.5);
    assert_int_equal(lcal__json_real(object, "f", "t", &real, &err), LCAL_FORMAT);
    assert_says("expected a number, found a boolean");

    assert_int_equal(lcal__json_bool(object, "f", "t", &flag, &err), LCAL_OK);
    assert_true(flag);
    assert_int_equal(lcal__json_bool(object, "f", "i", &flag, &err), LCAL_FORMAT);
    assert_says("expected a boolean, found an integer");

    assert_int_equal(lcal__json_string(object, "f", "n", &text, &err), LCAL_OK);
    assert_string_equal(text, "before");
    assert_int_equal(lcal__json_string(object, "f", "s", &text, &err), LCAL_OK);
    assert_string_equal(text, "text");
    assert_int_equal(lcal__json_string(object, "f", "list", &text, &err), LCAL_FORMAT);
    assert_says("expected a string, found a list");
    json_decref(object);
}

static void written_numbers_read_back_exactly(void **state)
{
    (void)state;
    char *text = NULL;
    json_t *object =
        json_pack("{s:f,s:f,s:I}", "z", 0.1 + 0.2, "a", 1e-5, "i", (json_int_t)9007199254740993);
    assert_int_equal(lcal__json_write(object, &text, &err), LCAL_OK);
    json_t *again = parse(text);
    assert_true(json_equal(object, again));
    assert_true(strstr(text, "\"a\"") < strstr(text, "\"z\"")); /* sorted */
    assert_int_equal(text[strlen(text) - 1], '\n');
    lcal__free(text);
    json_decref(again);
    json_decref(object);
}

static void a_file_holds_one_object(void **state)
{
    (void)state;
    char path[] = "/tmp/lcal-json-XXXXXX";
    int fd = mkstemp(path);
    json_t *object = NULL;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(lcal__file_replace(path, "[1]", 3, &err), LCAL_OK);
    assert_int_equal(lcal__json_read_object(path, &object, &err), LCAL_FORMAT);
    assert_says("expected a JSON object, found a list");
    assert_int_equal(lcal__file_replace(path, " {\"k\": 1}\n", 10, &err), LCAL_OK);
    assert_int_equal(lcal__json_read_object(path, &object, &err), LCAL_OK);
    assert_int_equal(json_object_size(object), 1);
    json_decref(object);
    unlink(path);
    assert_int_equal(lcal__json_read_object(path, &object, &err), LCAL_IO);
    assert_says(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_text_names_its_place),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(members_are_checked),
        cmocka_unit_test(written_numbers_read_back_exactly),
        cmocka_unit_test(a_file_holds_one_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
