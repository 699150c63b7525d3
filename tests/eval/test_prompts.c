/* Files of prompts: both forms, plain and gzip, and what is refused, by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <zlib.h>

#include "lcal/prompts.h"

static lcal_error err;

static lcal_prompts *parse(const void *bytes, size_t size)
{
    lcal_prompts *prompts = NULL;
    err.message[0] = '\0';
    if (lcal_prompts_parse(bytes, size, "FILE", &prompts, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return prompts;
}

static void expect(const lcal_prompts *prompts, size_t index, size_t count,
                   const char *const *roles_and_texts)
{
    size_t all;
    const lcal_prompt *items = lcal_prompts_items(prompts, &all);
    assert_true(index < all);
    assert_int_equal(items[index].count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(items[index].messages[i].role, roles_and_texts[2 * i]);
        assert_string_equal(items[index].messages[i].text, roles_and_texts[2 * i + 1]);
    }
}

static void test_text(void **state)
{
    (void)state;
    static const char text[] = "Once upon\r\n\n  \t\n{a set}\ncaf\xC3\xA9 {\"x\"";
    size_t count;
    lcal_prompts *prompts = parse(text, sizeof(text) - 1);
    lcal_prompts_items(prompts, &count);
    assert_int_equal(count, 3);
    expect(prompts, 0, 1, (const char *const[]){"user", "Once upon"});
    expect(prompts, 1, 1, (const char *const[]){"user", "{a set}"});
    expect(prompts, 2, 1, (const char *const[]){"user", "caf\xC3\xA9 {\"x\""});
    lcal_prompts_close(&prompts);
    assert_null(prompts);
}

static const char json[] =
    "\n { \"prompt\": \"two\\nlines \\u00e9\", \"completion\": \"left out\", \"id\": 7}\n"
    "{\"prompt\": \"\"}\n"
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be short.\"}, {\"role\": \"user\", "
    "\"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Ho\"}, {\"role\": \"user\", "
    "\"content\": \"\"}, {\"role\": \"assistant\", \"content\": \"answer\"}]}\n";

static void check_json(lcal_prompts *prompts)
{
    size_t count;
    lcal_prompts_items(prompts, &count);
    assert_int_equal(count, 3);
    expect(prompts, 0, 1, (const char *const[]){"user", "two\nlines \xC3\xA9"});
    expect(prompts, 1, 1, (const char *const[]){"user", ""});
    expect(
        prompts, 2, 4,
        (const char *const[]){"system", "Be short.", "user", "Hi", "assistant", "Ho", "user", ""});
    lcal_prompts_close(&prompts);
}

static void test_json(void **state)
{
    (void)state;
    check_json(parse(json, sizeof(json) - 1));
}

static void test_other_forms(void **state)
{
    (void)state;
    static const char text[] =
        "{\"instruction\": \"Add.\", \"input\": \"1 2\", \"output\": \"3\"}\n"
        "{\"instruction\": \"Go.\"}\n"
        "{\"conversations\": [{\"from\": \"human\", \"value\": \"Hi\"}, {\"from\": \"gpt\", "
        "\"value\": \"Ho\"}]}\n";
    lcal_prompts *prompts = parse(text, sizeof(text) - 1);
    expect(prompts, 0, 1, (const char *const[]){"user", "Add.\n\n1 2"});
    expect(prompts, 1, 1, (const char *const[]){"user", "Go."});
    expect(prompts, 2, 1, (const char *const[]){"user", "Hi"});
    lcal_prompts_close(&prompts);
}

static void test_gzip(void **state)
{
    (void)state;
    unsigned char packed[1024];
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)json,
                       .avail_in = sizeof(json) - 1,
                       .next_out = packed,
                       .avail_out = sizeof(packed)};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    check_json(parse(packed, stream.total_out));
    lcal_prompts *prompts = NULL;
    assert_int_equal(lcal_prompts_parse(packed, stream.total_out / 2, "FILE", &prompts, &err),
                     LCAL_FORMAT);
    assert_null(prompts);
    deflateEnd(&stream);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says[2];
    } cases[] = {
        {"", {"FILE: expected a prompt", "found none"}},
        {" \n\r\n", {"FILE: expected a prompt", "found none"}},
        {"good\nb\xFF"
         "ad\n",
         {"FILE:2: ", "UTF-8"}},
        {"{\"prompt\": \"x\"}\n\n{\"prompt\": 3}", {"FILE:3: ", "found an integer"}},
        {"{\"prompt\": \"x\"}\ntext", {"FILE:2: ", "not valid JSON"}},
        {"{\"prompt\": \"x\"}\n[1]", {"FILE:2: ", "expected a JSON object"}},
        {"{\"prompt\": \"\xFF\"}", {"FILE:1: ", "byte 0xff"}},
        {"{\"question\": \"x\"}", {"FILE:1: ", "found none of these keys"}},
        {"{}", {"FILE:1: ", "found none of these keys"}},
        {"{\"prompt\": \"x\", \"messages\": []}",
         {"FILE:1: ", "prompt and messages belong to two forms"}},
        {"{\"messages\": []}", {"FILE:1: ", "found an empty one"}},
        {"{\"input_ids\": [1]}", {"FILE:1: ", "found token ids"}},
        {"{\"prompt\": \"x\", \"system\": \"y\"}", {"FILE:1: ", "key system: not read"}},
        {"{\"messages\": \"x\"}", {"FILE:1: ", "found a string"}},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"x\"}]}",
         {"FILE:1: ", "a message to answer"}},
        {"{\"messages\": [{\"role\": \"tool\", \"content\": \"x\"}]}",
         {"FILE:1: ", "messages[0].role"}},
        {"{\"messages\": [{\"role\": \"user\"}]}", {"FILE:1: ", "messages[0].content"}},
        {"{\"messages\": [7]}", {"FILE:1: ", "messages[0]: expected an object"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        lcal_prompts *prompts = NULL;
        err.message[0] = '\0';
        assert_int_equal(
            lcal_prompts_parse(cases[i].text, strlen(cases[i].text), "FILE", &prompts, &err),
            LCAL_FORMAT);
        assert_null(prompts);
        for (size_t w = 0; w < 2; w++)
            if (!strstr(err.message, cases[i].says[w]))
                fail_msg("case %zu: \"%s\" is not in: %s", i, cases[i].says[w], err.message);
    }
    lcal_prompts *prompts = NULL;
    assert_int_equal(lcal_prompts_parse("a\0b", 3, "FILE", &prompts, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "zero byte"));
    assert_int_equal(lcal_prompts_open("/nowhere", &prompts, &err), LCAL_IO);
    assert_int_equal(lcal_prompts_open(NULL, &prompts, &err), LCAL_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),        cmocka_unit_test(test_json),
        cmocka_unit_test(test_other_forms), cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
