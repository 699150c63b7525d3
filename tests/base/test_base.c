/* Sizes and allocation, messages, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "lcal/version.h"

static void test_sizes(void **state)
{
    (void)state;
    size_t out = 42;
    assert_false(lcal__size_mul(SIZE_MAX, 2, &out));
    assert_false(lcal__size_mul(2, SIZE_MAX, &out));
    assert_false(lcal__size_mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_false(lcal__size_add(SIZE_MAX, 1, &out));
    assert_int_equal(out, 42);
    assert_true(lcal__size_mul(SIZE_MAX, 1, &out) && out == SIZE_MAX);
    assert_true(lcal__size_mul(0, SIZE_MAX, &out) && out == 0);
    assert_true(lcal__size_mul(SIZE_MAX, 0, &out) && out == 0);
    assert_true(lcal__size_mul(SIZE_MAX / 3, 3, &out) && out == SIZE_MAX / 3 * 3);
    assert_true(lcal__size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
}

static void test_allocation(void **state)
{
    (void)state;
    assert_null(lcal__calloc(SIZE_MAX / 2 + 1, 2));
    assert_null(lcal__alloc_aligned(SIZE_MAX / 2 + 1, 2));
    assert_null(lcal__alloc_aligned(SIZE_MAX - 1, 1));
    for (size_t size = 0; size < 200; size += 33) {
        unsigned char *zeroed = lcal__calloc(size, 3), *aligned = lcal__alloc_aligned(size, 3);
        assert_true(zeroed && aligned && (uintptr_t)aligned % LCAL_ALIGN == 0);
        for (size_t i = 0; i < size * 3; i++)
            assert_int_equal(zeroed[i], 0);
        memset(aligned, 1, size * 3);
        lcal__free(zeroed);
        lcal__free(aligned);
    }
    int *array = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_true(lcal__grow((void **)&array, &capacity, i + 1, sizeof(*array)));
        array[i] = (int)i;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    int *before = array;
    size_t held = capacity;
    assert_false(lcal__grow((void **)&array, &capacity, SIZE_MAX, sizeof(*array)));
    assert_false(lcal__grow((void **)&array, &capacity, SIZE_MAX / 4 + 1, sizeof(*array)));
    assert_true(array == before && capacity == held);
    lcal__free(array);
    lcal__free(NULL);
    char *part = lcal__strndup("abcdef", 3);
    assert_string_equal(part, "abc");
    lcal__free(part);
}

static void test_messages(void **state)
{
    (void)state;
    lcal_error err = {0};
    assert_int_equal(lcal__fail(&err, LCAL_SHAPE, "x is %d", 3), LCAL_SHAPE);
    assert_int_equal(lcal__fail_in(&err, LCAL_FORMAT, "file %s", "f"), LCAL_FORMAT);
    assert_string_equal(err.message, "file f: x is 3");
    assert_int_equal(err.status, LCAL_FORMAT);
    assert_int_equal(lcal__fail(NULL, LCAL_IO, "nobody listens"), LCAL_IO);
    assert_int_equal(lcal__fail_in(NULL, LCAL_IO, "nobody listens"), LCAL_IO);

    static char longest[LCAL_ERROR_MESSAGE_MAX + 100];
    memset(longest, 'a', sizeof(longest) - 1);
    lcal__fail(&err, LCAL_IO, "%s", longest);
    assert_int_equal(strlen(err.message), LCAL_ERROR_MESSAGE_MAX - 1);
    assert_string_equal(err.message + LCAL_ERROR_MESSAGE_MAX - 5, "a...");
    lcal__fail_in(&err, LCAL_IO, "prefix");
    assert_int_equal(strlen(err.message), LCAL_ERROR_MESSAGE_MAX - 1);
    assert_memory_equal(err.message, "prefix: aaa", 11);
    assert_string_equal(err.message + LCAL_ERROR_MESSAGE_MAX - 5, "a...");
    lcal__fail_in(&err, LCAL_IO, "%s", longest);
    assert_string_equal(err.message + LCAL_ERROR_MESSAGE_MAX - 5, "a...");

    assert_string_equal(lcal_status_text(LCAL_OK), "success");
    assert_string_equal(lcal_status_text(LCAL_INTERNAL), "internal error");
    assert_string_equal(lcal_status_text((lcal_status)999), "unknown status");
    assert_string_equal(lcal_version(), LCAL_VERSION);
}

static void take_line(void *user, lcal_log_level level, const char *message)
{
    assert_int_equal(level, LCAL_LOG_NOTICE);
    strcpy(user, message);
}

static void test_log(void **state)
{
    (void)state;
    char line[100] = "";
    const lcal_log log = {take_line, line}, silent = {0};
    lcal__log(&log, LCAL_LOG_NOTICE, "%d dropped", 2);
    lcal__log(&silent, LCAL_LOG_NOTICE, "unheard");
    lcal__log(NULL, LCAL_LOG_NOTICE, "unheard");
    assert_string_equal(line, "2 dropped");
}

static void test_sha256(void **state)
{
    (void)state;
    /* FIPS 180-4 examples. */
    static const struct {
        const char *text, *hex;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[LCAL__SHA256_HEX];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(lcal__sha256(known[i].text, strlen(known[i].text), hex, NULL), LCAL_OK);
        assert_string_equal(hex, known[i].hex);
    }
    lcal__hash *hash = NULL;
    char letters[1000];
    memset(letters, 'a', sizeof(letters));
    assert_int_equal(lcal__hash_open(&hash, NULL), LCAL_OK);
    for (int i = 0; i < 1000; i++)
        lcal__hash_add(hash, letters, sizeof(letters));
    lcal__hash_close(&hash, hex);
    assert_null(hash);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),        cmocka_unit_test(test_allocation),
        cmocka_unit_test(test_messages),     cmocka_unit_test(test_log),
        cmocka_unit_test(test_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
