/* Allocations failed in turn: LCAL_NOMEM or a sound result, and nothing leaked (run under ASan). */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "allocations.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/tokenizer_cache.h"
#include "data/tokenizer_fixture.h"

static char directory[] = "/tmp/lcal-nomem-XXXXXX";

static char *below(const char *name)
{
    char *path = lcal__path_join(directory, name);
    assert_non_null(path);
    return path;
}

static lcal_status drop(void *context, const char *name, lcal_error *err)
{
    char *path = lcal__path_join(context, name);
    (void)lcal__file_remove(path, err);
    lcal__free(path);
    return LCAL_OK;
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    char *cache = below("cache");
    (void)state;
    (void)lcal__dir_visit(cache, drop, cache, NULL);
    (void)lcal__dir_visit(directory, drop, directory, NULL);
    (void)rmdir(cache);
    lcal__free(cache);
    return rmdir(directory);
}

static void test_train(void **state)
{
    static const char *const special[] = {"<x>", "<y>"}, *const fields[] = {"prompt"};
    static const char rows[] = "{\"prompt\":\"one two one two, three 12345\"}\n"
                               "{\"prompt\":\"one\xCC\x81 two\"}\n";
    static lcal_error err;
    char *text = below("text"), *out = below("out.json");
    size_t failed = 0;
    (void)state;
    assert_int_equal(lcal__file_replace(text, rows, sizeof(rows) - 1, NULL), LCAL_OK);
    const char *const files[] = {text};
    const lcal_tokenizer_training training = {.vocab = 290,
                                              .min_frequency = 1,
                                              .nfc = true,
                                              .add_bos = true,
                                              .chat_template = "zephyr",
                                              .special = special,
                                              .special_count = 2,
                                              .fields = fields,
                                              .field_count = 1,
                                              .threads = 1,
                                              .overwrite = true};
    for (size_t n = 1;; n++) {
        allocations_left = n;
        lcal_status status = lcal_tokenizer_train(files, 1, out, &training, NULL, &err);
        const size_t unused = allocations_left;
        allocations_left = 0;
        if (unused) {
            assert_int_equal(status, LCAL_OK);
            break;
        }
        /* A regular expression may go without its compiled form. */
        if (status != LCAL_OK && status != LCAL_NOMEM)
            fail_msg("allocation %zu: %s", n, err.message);
        failed += status == LCAL_NOMEM;
    }
    assert_true(failed > 50);
    lcal__free(text);
    lcal__free(out);
}

/* A cache that there is no memory for is no error: the file is read instead. */
static void test_cache(void **state)
{
    static const char *const merges[] = {"h e", "l l"};
    static lcal_error err;
    (void)state;
    lcal__strbuf more = {0};
    lcal__strbuf_add(&more, "\"normalizer\":{\"type\":\"NFC\"},\"filler\":\"");
    while (more.length < LCAL__CACHE_WORTH)
        lcal__strbuf_add(&more, "0123456789012345678901234567890123456789");
    lcal__strbuf_add(&more, "\",");
    lcal__strbuf json = fixture_json(merges, 2, more.text, NULL);
    char *cache = below("cache");
    size_t refused = 0;
    for (size_t n = 1;; n += 1 + n / 20) {
        lcal__tokenizer *t = NULL;
        if (n % 3 == 0) /* no cache to read, one to write */
            (void)lcal__dir_visit(cache, drop, cache, NULL);
        allocations_left = n;
        lcal_status status =
            lcal__tokenizer_parse_cached(json.text, json.length, "input", cache, &t, &err);
        const size_t unused = allocations_left;
        allocations_left = 0;
        if (status == LCAL_OK)
            assert_int_equal(lcal__tokenizer_size(t), 258);
        lcal__tokenizer_close(&t);
        if (unused && n % 3 == 0) {
            assert_int_equal(status, LCAL_OK);
            break;
        }
        if (status != LCAL_OK && status != LCAL_NOMEM)
            fail_msg("allocation %zu: %s", n, err.message);
        refused += status == LCAL_NOMEM;
    }
    assert_true(refused > 3);
    lcal__free(cache);
    lcal__strbuf_free(&json);
    lcal__strbuf_free(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train),
        cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
