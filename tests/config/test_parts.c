/* The parts alone: the table of keys, numbers as text, edit distance, quoting. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "config/config.h"
#include "config/number.h"
#include "config/options.h"
#include "config/quote.h"
#include "config/suggest.h"
#include "config/value.h"
#include "format/yaml.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_table(void **state)
{
    (void)state;
    static const char *const types[] = {"integer", "number", "boolean", "text",
                                        "path",    "choice", "list"};
    size_t count;
    const lcal_option *options = lcal_options(&count);
    const lcal__option *rows = lcal__option_rows();
    assert_int_equal(count, LCAL__OPTION_COUNT);
    for (size_t i = 0; i < count; ++i) {
        lcal__settings settings = {0};
        bool known = false;
        for (size_t j = 0; j < COUNT(types); ++j)
            known = known || strcmp(options[i].type, types[j]) == 0;
        assert_true(known);
        assert_string_equal(options[i].key, rows[i].shown.key);
        assert_string_equal(options[i].help, rows[i].shown.help);
        assert_int_equal(lcal__option_find(options[i].key), i);
        assert_true(strlen(options[i].key) < 32);
        /* A sentence or more, ended; no two rows in one field. */
        assert_true(strlen(options[i].help) > 20);
        assert_int_equal(options[i].help[strlen(options[i].help) - 1], '.');
        for (size_t j = 0; j < i; ++j) {
            assert_int_not_equal(rows[i].offset, rows[j].offset);
            assert_string_not_equal(options[i].key, options[j].key);
        }
        /* Every default is a value of its own row; choices and their range agree. */
        assert_true(lcal__value_reset(&rows[i], &settings));
        if (rows[i].kind != LCAL__OPTION_PATH && rows[i].kind != LCAL__OPTION_TEXT
            && rows[i].kind != LCAL__OPTION_ADAPTERS)
            assert_true(lcal__value_parse(&rows[i], options[i].fallback, &settings));
        for (size_t j = 0; rows[i].words[j]; ++j)
            assert_non_null(strstr(options[i].range, rows[i].words[j]));
        lcal__settings_free(&settings);
    }
    assert_int_equal(lcal__option_find("train"), LCAL__OPTION_COUNT);
    assert_string_equal(options[lcal__option_find("train.steps")].range, "1..1000000000");
    assert_string_equal(options[lcal__option_find("train.lr")].range, "(0, 10]");
    assert_string_equal(options[lcal__option_find("data.overlong")].range,
                        "drop | truncate | error");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(lcal__method_name(LCAL__METHOD_LC), "lc");
    assert_string_equal(lcal__method_name(LCAL__METHOD_LCPP), "lcpp");
    assert_string_equal(lcal__method_name(LCAL__METHOD_COLUMNS), "columns");
    assert_string_equal(lcal__method_name(LCAL__METHOD_LORA), "lora");
    assert_string_equal(lcal__method_name(LCAL__METHOD_BASE), "base");
    assert_string_equal(lcal__form_name(LCAL__FORM_BROADCAST), "broadcast");
    assert_string_equal(lcal__share_name(LCAL__SHARE_NONE), "none");
    assert_string_equal(lcal__store_name(LCAL__STORE_BF16), "bf16");
}

/* Every word of every choice, in the enum's order. */
static void test_choices(void **state)
{
    (void)state;
    static const struct {
        const char *key, *word;
        unsigned value;
    } words[] = {
        {"train.schedule", "cosine", LCAL__COSINE},
        {"train.schedule", "linear", LCAL__LINEAR},
        {"train.schedule", "constant", LCAL__CONSTANT},
        {"train.on_nonfinite", "skip", LCAL__NONFINITE_SKIP},
        {"train.memory", "low", LCAL__MEMORY_LOW},
        {"train.recompute", "never", LCAL__RECOMPUTE_NEVER},
        {"train.recompute", "always", LCAL__RECOMPUTE_ALWAYS},
        {"data.overlong", "truncate", LCAL__POLICY_TRUNCATE},
        {"data.overlong", "error", LCAL__POLICY_ERROR},
        {"calibration.dtype", "f32", LCAL__STORE_F32},
    };
    for (size_t i = 0; i < COUNT(words); ++i) {
        const lcal__option *option = &lcal__option_rows()[lcal__option_find(words[i].key)];
        lcal__settings settings = {0};
        unsigned value;
        assert_true(lcal__value_parse(option, words[i].word, &settings));
        memcpy(&value, lcal__option_value(option, &settings), sizeof(value));
        assert_int_equal(value, words[i].value);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      ".",   "-",   "+",       "e1",  "1e",  "1e+",
                                      "1.2.3", " 1",  "1 ",  "0x1",     "inf", "nan", ".inf",
                                      "1_0",   "1,5", "--1", "1e99999", ".e1"};
    double value = 7;
    uint64_t whole = 7;
    for (size_t i = 0; i < COUNT(bad); ++i) {
        assert_false(lcal__number_parse(bad[i], &value));
        assert_false(lcal__whole_parse(bad[i], &whole));
    }
    assert_true(value == 7 && whole == 7);
    assert_true(lcal__number_parse("-.5e-2", &value) && value == -0.005);
    assert_true(lcal__number_parse("+3.", &value) && value == 3);
    assert_true(lcal__whole_parse("18446744073709551615", &whole) && whole == UINT64_MAX);
    assert_false(lcal__whole_parse("18446744073709551616", &whole));
    assert_true(lcal__whole_parse("1.5e1", &whole) && whole == 15);
    assert_false(lcal__whole_parse("1.55e1", &whole));
    assert_false(lcal__whole_parse("-3", &whole));
    assert_false(lcal__whole_parse("1e300", &whole));
}

static void check_round_trips(void)
{
    lcal__rng rng = {.seed = 3};
    for (int i = 0; i < 20000; ++i) {
        char text[LCAL__NUMBER_TEXT_MAX];
        uint64_t bits = lcal__rng_u64(&rng);
        double value, back;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        lcal__number_print(value, text);
        assert_true(lcal__number_parse(text, &back));
        assert_memory_equal(&back, &value, sizeof(value));
    }
}

static void test_numbers_round_trip(void **state)
{
    (void)state;
    char text[LCAL__NUMBER_TEXT_MAX];
    check_round_trips();
    lcal__number_print(0.1, text);
    assert_string_equal(text, "0.1");
    lcal__number_print(1.0, text);
    assert_string_equal(text, "1");
    lcal__number_print(0.1 + 0.2, text);
    assert_string_equal(text, "0.30000000000000004");
}

static void test_numbers_in_a_locale_with_commas(void **state)
{
    (void)state;
    double value;
    char text[LCAL__NUMBER_TEXT_MAX];
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "de_DE.utf8")) {
        print_message("skipped: the locale de_DE.UTF-8 is not installed\n");
        skip();
    }
    bool read = lcal__number_parse("0.25", &value);
    lcal__number_print(0.25, text);
    setlocale(LC_NUMERIC, "C");
    assert_true(read && value == 0.25);
    assert_string_equal(text, "0.25");
}

/* The definition, without a table: exponential, for short words. */
static size_t slow_distance(const char *a, size_t n, const char *b, size_t m)
{
    if (n == 0 || m == 0)
        return n + m;
    size_t best = slow_distance(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
    size_t other = slow_distance(a, n - 1, b, m) + 1;
    best = other < best ? other : best;
    other = slow_distance(a, n, b, m - 1) + 1;
    best = other < best ? other : best;
    if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1]) {
        other = slow_distance(a, n - 2, b, m - 2) + 1;
        best = other < best ? other : best;
    }
    return best;
}

static void test_edit_distance(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 5};
    for (int i = 0; i < 500; ++i) {
        char a[7] = {0}, b[7] = {0};
        size_t n = lcal__rng_below(&rng, 7), m = lcal__rng_below(&rng, 7);
        for (size_t j = 0; j < n; ++j)
            a[j] = (char)('a' + lcal__rng_below(&rng, 3));
        for (size_t j = 0; j < m; ++j)
            b[j] = (char)('a' + lcal__rng_below(&rng, 3));
        assert_int_equal(lcal__edit_distance(a, b), slow_distance(a, n, b, m));
        assert_int_equal(lcal__edit_distance(b, a), slow_distance(a, n, b, m));
    }
    char longest[LCAL__SUGGEST_LENGTH_MAX + 2] = {0};
    memset(longest, 'x', LCAL__SUGGEST_LENGTH_MAX);
    assert_int_equal(lcal__edit_distance(longest, ""), LCAL__SUGGEST_LENGTH_MAX);
    assert_int_equal(lcal__edit_distance(longest, longest), 0);
    longest[LCAL__SUGGEST_LENGTH_MAX] = 'x';
    assert_true(lcal__edit_distance(longest, "") == SIZE_MAX);
}

static void test_near_miss(void **state)
{
    (void)state;
    size_t best = SIZE_MAX;
    assert_false(lcal__is_near_miss("zebra", "train", &best));
    assert_true(lcal__is_near_miss("trian.stepz", "train.steps", &best));
    assert_int_equal(best, 2);
    assert_false(lcal__is_near_miss("train.step", "train.stepzz", &best));
    assert_true(lcal__is_near_miss("train.step", "train.steps", &best));
    assert_int_equal(best, 1);
}

/* Whatever is quoted reads back, and stays on one line. */
static void test_quote(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 9};
    static const char *const pieces[] = {"a",
                                         " ",
                                         "\"",
                                         "\\",
                                         "\n",
                                         "\t",
                                         "\x01",
                                         "\x7F",
                                         "\xC2\x85",
                                         "\xC2\xA0",
                                         "\xC3\xA9",
                                         "\xE2\x80\xA8",
                                         "\xE2\x80\xA9",
                                         "\xEF\xBB\xBF",
                                         "\xEF\xBF\xBF",
                                         "\xEF\xBF\xBE",
                                         "\xF0\x9F\x98\x80",
                                         ": ",
                                         " #",
                                         "'",
                                         "\r",
                                         "%",
                                         "{",
                                         ","};
    for (int i = 0; i < 2000; ++i) {
        lcal__strbuf text = {0}, quoted = {0};
        lcal__yaml *node = NULL;
        lcal_error err = {0};
        lcal__strbuf_add(&text, "");
        for (size_t n = lcal__rng_below(&rng, 8); n > 0; --n)
            lcal__strbuf_add(&text, pieces[lcal__rng_below(&rng, COUNT(pieces))]);
        assert_true(lcal__is_utf8(text.text));
        lcal__quote(text.text, &quoted);
        assert_null(strchr(quoted.text, '\n'));
        if (lcal__yaml_parse(quoted.text, quoted.length, "quoted", &node, &err) != LCAL_OK)
            fail_msg("%s: %s", quoted.text, err.message);
        assert_string_equal(node->text, text.text);
        assert_false(node->null);
        lcal__yaml_close(&node);
        lcal__strbuf_free(&text);
        lcal__strbuf_free(&quoted);
    }
    assert_false(lcal__is_utf8("caf\xE9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_round_trip),
        cmocka_unit_test(test_numbers_in_a_locale_with_commas),
        cmocka_unit_test(test_edit_distance),
        cmocka_unit_test(test_near_miss),
        cmocka_unit_test(test_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
