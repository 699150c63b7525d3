/*
 * The cache of large tokenizer.json files: what comes out of it is what the file gives, and nothing
 * that stands in the cache directory, or that cannot be written there, does harm.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/tokenizer_cache.h"
#include "data/tokenizer_fixture.h"

static lcal_error err;
static char directory[64];

/* A file large enough to be cached: added tokens, a hole among the ids, and a long member that
 * nobody reads. */
static lcal__strbuf large_json(const char *tag)
{
    static const char *const merges[] = {"h e", "l l", "he ll", "hell o"};
    lcal__strbuf more = {0};
    lcal__strbuf_add(&more, "\"normalizer\":{\"type\":\"NFC\"},\"added_tokens\":[");
    lcal__strbuf_printf(&more,
                        "{\"id\":300,\"content\":\"<s>\",\"special\":true},"
                        "{\"id\":301,\"content\":\"%s\"}",
                        tag);
    for (size_t i = 0; i < 100; i++)
        lcal__strbuf_printf(&more, ",{\"id\":%zu,\"content\":\"<added token number %zu>\"}",
                            400 + i, i);
    lcal__strbuf_add(&more, "],\"filler\":\"");
    while (more.length < LCAL__CACHE_WORTH)
        lcal__strbuf_add(&more, "0123456789012345678901234567890123456789");
    lcal__strbuf_add(&more, "\",");
    assert_false(more.failed);
    lcal__strbuf json = fixture_json(merges, 4, more.text, "\"ignore_merges\":true,");
    lcal__strbuf_free(&more);
    return json;
}

static size_t files;
static char found[256];

static lcal_status note(void *context, const char *name, lcal_error *e)
{
    (void)context;
    (void)e;
    files++;
    snprintf(found, sizeof(found), "%s/cache/%s", directory, name);
    return LCAL_OK;
}

static char *below(const char *name)
{
    char *path = lcal__path_join(directory, name);
    assert_non_null(path);
    return path;
}

static size_t count_files(void)
{
    char *path = below("cache");
    files = 0;
    (void)lcal__dir_visit(path, note, NULL, NULL);
    lcal__free(path);
    return files;
}

static lcal__tokenizer *open_with(const lcal__strbuf *json, const char *cache)
{
    lcal__tokenizer *t = NULL;
    if (lcal__tokenizer_parse_cached(json->text, json->length, "input", cache, &t, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return t;
}

/* Both give the same tokens and the same ids of texts. */
static void assert_same(const lcal__tokenizer *a, const lcal__tokenizer *b)
{
    static const char *const texts[] = {"hello hell <s>", "<added token number 7>h\xC3\xA9",
                                        "e\xCC\x81 one two", "\xFF\n\n 12345"};
    assert_int_equal(lcal__tokenizer_size(a), lcal__tokenizer_size(b));
    assert_int_equal(a->merges.count, b->merges.count);
    for (int32_t id = 0; id < (int32_t)lcal__tokenizer_size(a); id++) {
        bool x = false, y = false;
        const char *text = lcal__tokenizer_token(a, id, &x);
        const char *other = lcal__tokenizer_token(b, id, &y);
        assert_int_equal(!text, !other);
        if (text)
            assert_string_equal(text, other);
        assert_int_equal(x, y);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        const lcal__encode_options options = {.parse_special = true, .add_special = true};
        int32_t *ids[2] = {NULL};
        size_t count[2] = {0}, capacity[2] = {0};
        const lcal__tokenizer *const both[] = {a, b};
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(lcal__tokenizer_encode(both[k], texts[i], strlen(texts[i]), &options,
                                                    &ids[k], &count[k], &capacity[k], NULL),
                             LCAL_OK);
        assert_int_equal(count[0], count[1]);
        assert_memory_equal(ids[0], ids[1], count[0] * sizeof(**ids));
        lcal__free(ids[0]);
        lcal__free(ids[1]);
    }
}

/* Opens by way of the cache and compares with the file. */
static void assert_good(const lcal__strbuf *json, const char *cache)
{
    lcal__tokenizer *plain = open_with(json, NULL), *cached = open_with(json, cache);
    assert_same(plain, cached);
    lcal__tokenizer_close(&plain);
    lcal__tokenizer_close(&cached);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/lcal-cache-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static lcal_status drop(void *context, const char *name, lcal_error *e)
{
    char *path = lcal__path_join(context, name);
    (void)lcal__file_remove(path, e);
    lcal__free(path);
    return LCAL_OK;
}

static int tear_down(void **state)
{
    char *cache = below("cache");
    (void)state;
    (void)chmod(cache, 0700);
    (void)lcal__dir_visit(cache, drop, cache, NULL);
    (void)lcal__dir_visit(directory, drop, directory, NULL);
    (void)rmdir(cache);
    (void)rmdir(directory);
    lcal__free(cache);
    return 0;
}

static void test_makes_and_uses(void **state)
{
    (void)state;
    lcal__strbuf json = large_json("one");
    char *cache = below("cache");
    assert_good(&json, cache);
    assert_int_equal(count_files(), 1);
    assert_good(&json, cache);
    assert_int_equal(count_files(), 1);
    assert_good(&json, "");
    lcal__free(cache);
    lcal__strbuf_free(&json);
}

/* A sound cache with another table shows that it is what was read. */
static void test_is_read(void **state)
{
    static const char *const merges[] = {"h e"};
    (void)state;
    lcal__strbuf json = large_json("one"), other = fixture_json(merges, 1, NULL, NULL);
    lcal__strbuf packed = {0};
    unsigned char key[LCAL__SHA256_BYTES];
    char *cache = below("cache");
    lcal__tokenizer *t = open_with(&json, cache);
    lcal__tokenizer_close(&t);
    assert_int_equal(count_files(), 1);
    json_t *root = json_loadb(other.text, other.length, 0, NULL);
    assert_int_equal(lcal__sha256_bytes(json.text, json.length, key, NULL), LCAL_OK);
    assert_int_equal(lcal__tokenizer_new(&t, NULL), LCAL_OK);
    assert_int_equal(lcal__tokenizer_json_tables(t, root, "other", NULL), LCAL_OK);
    assert_int_equal(lcal__tokenizer_cache_pack(t, root, key, &packed, NULL), LCAL_OK);
    lcal__tokenizer_close(&t);
    assert_int_equal(lcal__file_replace(found, packed.text, packed.length, NULL), LCAL_OK);
    t = open_with(&json, cache);
    assert_int_equal(lcal__tokenizer_size(t), 257);
    lcal__tokenizer_close(&t);
    json_decref(root);
    lcal__strbuf_free(&packed);
    lcal__strbuf_free(&other);
    lcal__strbuf_free(&json);
    lcal__free(cache);
}

/* Every damage is noticed, and mended by the way. */
static void test_damaged(void **state)
{
    (void)state;
    lcal__strbuf json = large_json("one");
    char *cache = below("cache");
    assert_good(&json, cache);
    assert_int_equal(count_files(), 1);
    unsigned char *good = NULL, *now = NULL;
    size_t size = 0, now_size = 0;
    assert_int_equal(lcal__file_read(found, SIZE_MAX / 2, &good, &size, NULL), LCAL_OK);
    const size_t places[] = {0, 7, 8, 39, 40, 71, 72, 80, 104, 200, size / 2, size - 1};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        good[places[i]] ^= 0x40;
        assert_int_equal(lcal__file_replace(found, good, size, NULL), LCAL_OK);
        good[places[i]] ^= 0x40;
        assert_good(&json, cache);
        assert_int_equal(lcal__file_read(found, SIZE_MAX / 2, &now, &now_size, NULL), LCAL_OK);
        assert_int_equal(now_size, size);
        assert_memory_equal(now, good, size);
        lcal__free(now);
    }
    const size_t cuts[] = {0, 1, 71, 72, 103, 104, size / 2, size - 1};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
        assert_int_equal(lcal__file_replace(found, good, cuts[i], NULL), LCAL_OK);
        assert_good(&json, cache);
    }
    lcal__free(good);
    lcal__free(cache);
    lcal__strbuf_free(&json);
}

static void test_not_writable(void **state)
{
    (void)state;
    lcal__strbuf json = large_json("one");
    assert_good(&json, "/dev/null/cache");
    assert_good(&json, "/proc/no/such/place");
    char *file = below("cache"); /* a file where the directory should be */
    assert_int_equal(lcal__file_replace(file, "x", 1, NULL), LCAL_OK);
    assert_good(&json, file);
    (void)unlink(file);
    lcal__free(file);
    lcal__strbuf_free(&json);
}

/* A refused tokenizer is not kept, small ones are not either. */
static void test_not_kept(void **state)
{
    (void)state;
    lcal__strbuf json = large_json("one"), little = fixture_json(NULL, 0, NULL, NULL);
    lcal__tokenizer *t = NULL;
    char *cache = below("cache"), *nfc = strstr(json.text, "NFC");
    assert_non_null(nfc);
    nfc[2] = 'X';
    assert_int_equal(lcal__tokenizer_parse_cached(json.text, json.length, "input", cache, &t, &err),
                     LCAL_UNSUPPORTED);
    t = open_with(&little, cache);
    lcal__tokenizer_close(&t);
    assert_int_equal(count_files(), 0);
    lcal__free(cache);
    lcal__strbuf_free(&little);
    lcal__strbuf_free(&json);
}

/* No more than the limit stay, the oldest go; a dead writer's file goes, others' files stay. */
static void test_limits(void **state)
{
    (void)state;
    char *cache = below("cache"), *foreign = below("cache/tokenizer-mine.cache");
    char abandoned[512] = "", first[256] = "";
    for (int i = 0; i < LCAL__CACHE_FILES + 3; i++) {
        char tag[16];
        snprintf(tag, sizeof(tag), "number%d", i);
        lcal__strbuf json = large_json(tag);
        lcal__tokenizer *t = open_with(&json, cache);
        lcal__tokenizer_close(&t);
        lcal__strbuf_free(&json);
        if (i == 0) { /* the oldest by far, with what its writer left */
            const struct utimbuf old = {1000, 1000};
            assert_int_equal(count_files(), 1);
            snprintf(first, sizeof(first), "%s", found);
            assert_int_equal(utime(first, &old), 0);
            snprintf(abandoned, sizeof(abandoned), "%s.tmp.1.1", first);
            assert_int_equal(lcal__file_replace(abandoned, "x", 1, NULL), LCAL_OK);
            assert_int_equal(utime(abandoned, &old), 0);
            assert_int_equal(lcal__file_replace(foreign, "x", 1, NULL), LCAL_OK);
            assert_int_equal(utime(foreign, &old), 0);
        }
    }
    assert_int_equal(count_files(), LCAL__CACHE_FILES + 1);
    assert_false(lcal__path_is_file(first));
    assert_false(lcal__path_is_file(abandoned));
    assert_true(lcal__path_is_file(foreign));
    lcal__free(foreign);
    lcal__free(cache);
}

/* The real thing: a file of 11 MB and its vectors are in test_tokenizer_vectors.c. */
static void test_real(void **state)
{
    static const char *const names[] = {"llama3.1", "qwen3"};
    const char *root = getenv("LCAL_TEST_DATA");
    (void)state;
    if (!root || !*root) {
        print_message("LCAL_TEST_DATA is not set: no large tokenizers\n");
        skip();
    }
    char *cache = below("cache");
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        lcal__tokenizer *t[3] = {NULL};
        snprintf(path, sizeof(path), "%s/tokenizers/%s", root, names[i]);
        assert_int_equal(lcal__tokenizer_open(path, NULL, &t[0], &err), LCAL_OK);
        assert_int_equal(lcal__tokenizer_open_cached(path, cache, NULL, &t[1], &err), LCAL_OK);
        assert_int_equal(count_files(), i + 1);
        assert_int_equal(lcal__tokenizer_open_cached(path, cache, NULL, &t[2], &err), LCAL_OK);
        for (size_t k = 1; k < 3; k++) {
            assert_same(t[0], t[k]);
            assert_int_equal(lcal__tokenizer_eos(t[0]), lcal__tokenizer_eos(t[k]));
        }
        for (size_t k = 0; k < 3; k++)
            lcal__tokenizer_close(&t[k]);
    }
    lcal__free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_makes_and_uses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_writable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_real, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
