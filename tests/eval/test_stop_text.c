/* Stop texts against a plain search of the whole text, however it is cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/rng.h"
#include "eval/stop_text.h"

static lcal_error err;

/* Where the text must end: before the stop text that is complete first, of several complete at once
 * the longest. */
static size_t expected_end(const char *text, const char *const *stops, size_t count, bool *found)
{
    const size_t length = strlen(text);
    for (size_t end = 1; end <= length; end++) {
        size_t longest = 0;
        for (size_t i = 0; i < count; i++) {
            const size_t size = strlen(stops[i]);
            if (size <= end && memcmp(text + end - size, stops[i], size) == 0 && size > longest)
                longest = size;
        }
        if (longest) {
            *found = true;
            return end - longest;
        }
    }
    *found = false;
    return length;
}

/* Whether out, the beginning of the answer, may be shown with only text[0..fed) known. */
static void check_nothing_early(const char *text, size_t fed, const char *const *stops,
                                size_t count, const lcal__strbuf *out)
{
    size_t open = 0; /* longest end of what is known that begins a stop text */
    for (size_t i = 0; i < count; i++)
        for (size_t size = 1; size <= fed && size < strlen(stops[i]); size++)
            if (memcmp(text + fed - size, stops[i], size) == 0 && size > open)
                open = size;
    assert_int_equal(out->length, fed - open);
}

static void run(const char *text, const char *const *stops, size_t count, lcal__rng *rng)
{
    lcal__stop_texts all;
    lcal__stop_watch watch;
    lcal__strbuf out = {0};
    bool expected, found = false;
    const size_t length = strlen(text), end = expected_end(text, stops, count, &expected);
    assert_int_equal(lcal__stop_texts_init(&all, stops, count, &err), LCAL_OK);
    assert_int_equal(lcal__stop_watch_init(&watch, &all, &err), LCAL_OK);
    for (int again = 0; again < 2; again++) { /* a watch serves one answer after another */
        lcal__strbuf_clear(&out);
        lcal__stop_watch_clear(&watch);
        found = false;
        for (size_t at = 0, size; at < length && !found; at += size) {
            size = (size_t)lcal__rng_below(rng, 4); /* nothing, too: a special token */
            size = size < length - at ? size : length - at;
            assert_int_equal(lcal__stop_watch_add(&watch, text + at, size, &out, &found, &err),
                             LCAL_OK);
            if (!found)
                check_nothing_early(text, at + size, stops, count, &out);
        }
        if (!found)
            assert_int_equal(lcal__stop_watch_end(&watch, &out, &err), LCAL_OK);
        assert_int_equal(found, expected);
        assert_int_equal(out.length, end);
        if (end)
            assert_memory_equal(out.text, text, end);
    }
    lcal__strbuf_free(&out);
    lcal__stop_watch_free(&watch);
    lcal__stop_texts_free(&all);
}

static void test_examples(void **state)
{
    (void)state;
    lcal__rng rng = {1, 1, 0};
    run("one\nUser: two", (const char *const[]){"\nUser:"}, 1, &rng);
    run("one\nUse of two", (const char *const[]){"\nUser:"}, 1, &rng);
    run("no end\nUser", (const char *const[]){"\nUser:"}, 1, &rng);
    run("aabaabaaab", (const char *const[]){"aabaaa"}, 1, &rng);
    run("xabcd", (const char *const[]){"abcd", "bc"}, 2, &rng);
    run("xabcd", (const char *const[]){"d", "bcd", "cd"}, 3, &rng);
    run("caf\xC3\xA8 caf\xC3\xA9", (const char *const[]){"\xC3\xA9"}, 1, &rng);
    run("stop", (const char *const[]){"stop"}, 1, &rng);
    run("", (const char *const[]){"stop"}, 1, &rng);
}

/* Two letters make every kind of overlap. */
static void test_random(void **state)
{
    (void)state;
    lcal__rng rng = {5, 2, 0};
    for (int round = 0; round < 3000; round++) {
        char text[32], words[3][6];
        const char *stops[3];
        const size_t length = (size_t)lcal__rng_below(&rng, sizeof(text) - 1);
        const size_t count = 1 + (size_t)lcal__rng_below(&rng, 3);
        for (size_t i = 0; i < length; i++)
            text[i] = lcal__rng_below(&rng, 2) ? 'a' : 'b';
        text[length] = '\0';
        for (size_t s = 0; s < count; s++) {
            const size_t size = 1 + (size_t)lcal__rng_below(&rng, 5);
            for (size_t i = 0; i < size; i++)
                words[s][i] = lcal__rng_below(&rng, 2) ? 'a' : 'b';
            words[s][size] = '\0';
            stops[s] = words[s];
        }
        run(text, stops, count, &rng);
    }
}

static void test_none(void **state)
{
    (void)state;
    lcal__stop_watch watch;
    lcal__strbuf out = {0};
    bool found;
    assert_int_equal(lcal__stop_watch_init(&watch, NULL, &err), LCAL_OK);
    assert_int_equal(lcal__stop_watch_add(&watch, "text", 4, &out, &found, &err), LCAL_OK);
    assert_false(found);
    assert_string_equal(out.text, "text");
    assert_int_equal(lcal__stop_watch_add(&watch, NULL, 0, &out, &found, &err), LCAL_OK);
    assert_int_equal(lcal__stop_watch_end(&watch, &out, &err), LCAL_OK);
    assert_string_equal(out.text, "text");
    lcal__strbuf_free(&out);
    lcal__stop_watch_free(&watch);
}

static void test_refused(void **state)
{
    (void)state;
    lcal__stop_texts stops;
    assert_int_equal(lcal__stop_texts_init(&stops, (const char *const[]){"a", ""}, 2, &err),
                     LCAL_INVALID);
    assert_non_null(strstr(err.message, "an empty one"));
    assert_int_equal(lcal__stop_texts_init(&stops, (const char *const[]){"a\xFF"}, 1, &err),
                     LCAL_INVALID);
    assert_non_null(strstr(err.message, "UTF-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
