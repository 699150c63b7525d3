/* YAML as a tree with places; what is refused, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/strbuf.h"
#include "format/yaml.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static lcal__yaml *parse(const char *text)
{
    lcal__yaml *root = NULL;
    lcal_error err = {0};
    if (lcal__yaml_parse(text, strlen(text), "x.yaml", &root, &err) != LCAL_OK)
        print_error("%s\n", err.message);
    assert_non_null(root);
    return root;
}

static void check_place(const lcal__yaml *node, size_t line, size_t column)
{
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void test_tree_and_places(void **state)
{
    (void)state;
    lcal__yaml *root = parse("# comment\na: 1\nb\xC3\xA9: {c: [x, 'y z'], d: \"q\\n\"}\nlist:\n"
                             "  - one\n  - k: v\n");
    assert_int_equal(root->kind, LCAL__YAML_MAP);
    assert_null(root->next);
    const lcal__yaml *a = root->first, *b = a->next, *list = b->next;
    assert_string_equal(a->key, "a");
    assert_string_equal(a->text, "1");
    assert_int_equal(a->key_line, 2);
    assert_int_equal(a->key_column, 1);
    check_place(a, 2, 4);
    assert_string_equal(b->key, "b\xC3\xA9");
    assert_int_equal(b->kind, LCAL__YAML_MAP);
    check_place(b, 3, 5); /* columns are characters */
    const lcal__yaml *c = b->first, *d = c->next;
    assert_int_equal(c->kind, LCAL__YAML_LIST);
    assert_string_equal(c->first->text, "x");
    assert_string_equal(c->first->next->text, "y z");
    check_place(c->first->next, 3, 13);
    assert_null(c->first->next->next);
    assert_null(c->first->key);
    assert_string_equal(d->text, "q\n");
    assert_int_equal(d->key_column, 21);
    assert_null(d->next);
    assert_int_equal(list->kind, LCAL__YAML_LIST);
    assert_null(list->next);
    check_place(list->first->next, 6, 5);
    assert_string_equal(list->first->next->first->key, "k");
    lcal__yaml_close(&root);
    assert_null(root);
    lcal__yaml_close(&root);
    lcal__yaml_close(NULL);
}

static void test_nulls(void **state)
{
    (void)state;
    lcal__yaml *root = parse("a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: Null\n");
    const lcal__yaml *node = root->first;
    for (size_t i = 0; i < 6; ++i, node = node->next)
        assert_int_equal(node->null, i < 3);
    lcal__yaml_close(&root);
    static const char *const empty[] = {"", "\n\n", "# nothing\n", "---\n...\n", "\xEF\xBB\xBF"};
    for (size_t i = 0; i < COUNT(empty); ++i) {
        root = parse(empty[i]);
        assert_true(root->kind == LCAL__YAML_SCALAR && root->null && root->line >= 1);
        lcal__yaml_close(&root);
    }
    root = parse("\xEF\xBB\xBF"
                 "a: 1\n");
    assert_string_equal(root->first->key, "a");
    lcal__yaml_close(&root);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        size_t size; /* 0: up to the zero */
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", "x.yaml:3:1: key a given again, first in line 1", 0},
        {"z: {b: 1, a: 2, b: 3}\n", "x.yaml:1:17: key b given again, first in line 1", 0},
        {"a: &x 1\n", "x.yaml:1:4: anchors", 0},
        {"a: &x [1]\n", "x.yaml:1:4: anchors", 0},
        {"&k a: 1\n", "x.yaml:1:1: anchors", 0},
        {"a: *x\n", "x.yaml:1:4: aliases", 0},
        {"a: !!str 1\n", "x.yaml:1:4: tags", 0},
        {"a: !x {b: 1}\n", "x.yaml:1:4: tags", 0},
        {"a: 1\n---\nb: 1\n", "x.yaml:2:1: a second document", 0},
        {"? [a]\n: 1\n", "x.yaml:1:3: a key must be a word", 0},
        {"{a: 1}: 2\n", "x.yaml:1:1: a key must be a word", 0},
        {"a: \"x\\0y\"\n", "x.yaml:1:4: a zero byte", 0},
        {"a: b\0c", "x.yaml:1:5: control characters", 6},
        {"a: 1\nb: \xFF\n", "x.yaml:2:4: invalid leading UTF-8 octet", 0},
        {"\xC3\xA9: \xC3\n", "x.yaml:1:5: invalid trailing UTF-8 octet", 0},
        {"a: \xED\xA0\x80\n", "x.yaml:1:4: ", 0},
        {"\xFF\xFE"
         "a\0",
         "x.yaml:1:1: ", 4},
        {"a: [1, 2\nb: 1\n", "x.yaml:2:2: ", 0},
        {"a: 'open\n", "x.yaml:2:1: ", 0},
        {"a: b: c\n", "x.yaml:1:5: ", 0},
        {"a: 1\n b: 2\n", "x.yaml:2:3: ", 0},
        {"a: @x\n", "x.yaml:1:4: ", 0},
    };
    for (size_t i = 0; i < COUNT(rows); ++i) {
        lcal__yaml *root = NULL;
        lcal_error err = {0};
        size_t size = rows[i].size ? rows[i].size : strlen(rows[i].text);
        assert_int_equal(lcal__yaml_parse(rows[i].text, size, "x.yaml", &root, &err), LCAL_FORMAT);
        assert_int_equal(err.status, LCAL_FORMAT);
        assert_null(root);
        if (strncmp(err.message, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("expected \"%s\", found \"%s\"", rows[i].says, err.message);
    }
}

static lcal_status parse_repeated(const char *head, const char *piece, size_t count,
                                  const char *tail, lcal_error *err)
{
    lcal__strbuf text = {0};
    lcal__yaml *root = NULL;
    lcal__strbuf_add(&text, head);
    for (size_t i = 0; i < count; ++i)
        lcal__strbuf_add(&text, piece);
    lcal__strbuf_add(&text, tail);
    lcal_status status = lcal__yaml_parse(text.text, text.length, "x.yaml", &root, err);
    lcal__strbuf_free(&text);
    lcal__yaml_close(&root);
    return status;
}

static void test_limits(void **state)
{
    (void)state;
    lcal_error err = {0};
    char close[LCAL__YAML_DEPTH_MAX + 1] = {0};
    memset(close, ']', LCAL__YAML_DEPTH_MAX);
    assert_int_equal(parse_repeated("", "[", LCAL__YAML_DEPTH_MAX, close, &err), LCAL_OK);
    assert_int_equal(parse_repeated("", "[", LCAL__YAML_DEPTH_MAX + 1, "", &err), LCAL_FORMAT);
    assert_string_equal(err.message, "x.yaml:1:33: lists and maps nested deeper than 32");
    assert_int_equal(parse_repeated("", "[", 100000, "", &err), LCAL_FORMAT);
    assert_int_equal(parse_repeated("", "- ", 100, "", &err), LCAL_FORMAT);
    /* The list itself is a node too. */
    assert_int_equal(parse_repeated("", "- x\n", LCAL__YAML_NODES_MAX - 1, "", &err), LCAL_OK);
    assert_int_equal(parse_repeated("", "- x\n", LCAL__YAML_NODES_MAX, "", &err), LCAL_FORMAT);
    assert_string_equal(err.message, "x.yaml:100000:3: more entries than the 100000 that are read");
}

/* Many keys, one of them twice, in any order: found, and not by comparing all pairs. */
static void test_repeated_key_among_many(void **state)
{
    (void)state;
    lcal__strbuf text = {0};
    lcal__yaml *root = NULL;
    lcal_error err = {0};
    for (unsigned i = 0; i < 50000; ++i)
        lcal__strbuf_printf(&text, "k%u: %u\n", i * 7919u % 50000u, i);
    assert_int_equal(lcal__yaml_parse(text.text, text.length, "x.yaml", &root, &err), LCAL_OK);
    lcal__yaml_close(&root);
    lcal__strbuf_add(&text, "k0: 1\nk7919: 2\n");
    assert_int_equal(lcal__yaml_parse(text.text, text.length, "x.yaml", &root, &err), LCAL_FORMAT);
    assert_string_equal(err.message, "x.yaml:50001:1: key k0 given again, first in line 1");
    lcal__strbuf_free(&text);
}

/* Any bytes: a tree or an error, nothing leaked, nothing read outside. */
static void test_random_bytes(void **state)
{
    (void)state;
    static const char alphabet[] = "ab:-[]{},&*!|>'\"%@#?~\n\n  \t\\\xC3\xA9\xFF";
    lcal__rng rng = {.seed = 4};
    size_t taken = 0;
    for (int i = 0; i < 8000; ++i) {
        char text[24];
        size_t size = lcal__rng_below(&rng, sizeof(text));
        lcal__yaml *root = NULL;
        lcal_error err = {0};
        for (size_t j = 0; j < size; ++j)
            text[j] = alphabet[lcal__rng_below(&rng, sizeof(alphabet) - 1)];
        lcal_status status = lcal__yaml_parse(text, size, "x", &root, &err);
        assert_true(status == LCAL_OK ? root != NULL : status == LCAL_FORMAT && root == NULL);
        assert_true(status == LCAL_OK || strncmp(err.message, "x:", 2) == 0);
        taken += status == LCAL_OK;
        lcal__yaml_close(&root);
    }
    print_message("%zu of 8000 random texts were YAML\n", taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_and_places),
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_repeated_key_among_many),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
