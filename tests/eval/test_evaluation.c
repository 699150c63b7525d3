/* Test cases, scores of answers, intervals of means: against values by hand and their laws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "eval/bootstrap.h"
#include "eval/cases.h"
#include "eval/scores.h"

#define CLOSE 1e-9

static lcal_error err;

static void near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("expected %.12g, found %.12g", expected, found);
}

/* --- cases ------------------------------------------------------------------------------ */

static lcal__cases parse(const char *text, size_t limit)
{
    lcal__cases cases = {0};
    err.message[0] = '\0';
    if (lcal__cases_parse(text, strlen(text), "FILE", limit, &cases, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return cases;
}

static const char rows[] =
    "{\"prompt\":\"a\",\"completion\":\"b\",\"n\":1,\"s\":\"x\"}\n\n"
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"q\"},"
    "{\"role\":\"assistant\",\"content\":\"r\"}]}\n"
    "{\"instruction\":\"i\",\"input\":\"j\",\"completions\":[\"c\",\"d\"]}\n";

static void test_cases(void **state)
{
    (void)state;
    lcal__cases cases = parse(rows, 0);
    assert_int_equal(cases.count, 3);
    assert_string_equal(cases.items[0].references[0], "b");
    assert_int_equal(cases.items[1].line, 3);
    assert_int_equal(cases.items[1].message_count, 2);
    assert_string_equal(cases.items[1].messages[0].role, "system");
    assert_string_equal(lcal__case_question(&cases.items[1]), "q");
    assert_string_equal(cases.items[1].references[0], "r");
    assert_string_equal(lcal__case_question(&cases.items[2]), "i\n\nj");
    assert_int_equal(cases.items[2].reference_count, 2);
    assert_string_equal(cases.items[2].references[1], "d");
    const char *text = "";
    assert_int_equal(lcal__case_string(&cases.items[0], "FILE", "s", &text, &err), LCAL_OK);
    assert_string_equal(text, "x");
    assert_int_equal(lcal__case_string(&cases.items[0], "FILE", "t", &text, &err), LCAL_OK);
    assert_null(text);
    assert_int_equal(lcal__case_string(&cases.items[0], "FILE", "n", &text, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "FILE:1: key n"));
    lcal__cases_free(&cases);
    cases = parse(rows, 1);
    assert_int_equal(cases.count, 1);
    lcal__cases_free(&cases);
}

/* --- scores ----------------------------------------------------------------------------- */

static double score_of(const char *name, const double scores[LCAL__SCORES])
{
    for (size_t i = 0; i < LCAL__SCORES; i++)
        if (strcmp(lcal__score_name(i), name) == 0)
            return scores[i];
    fail_msg("no score %s", name);
    return NAN;
}

static void score(const char *const *references, size_t count, const char *text, bool stem,
                  double out[LCAL__SCORES])
{
    lcal__corpus corpus = {0};
    assert_int_equal(lcal__scores_add(&corpus, (char *const *)references, count, text, strlen(text),
                                      stem, out, &err),
                     LCAL_OK);
}

static void test_scores(void **state)
{
    (void)state;
    double s[LCAL__SCORES];
    const char *one[] = {"the cat sat on the mat"};
    score(one, 1, "the cat ran to the mat", false, s);
    /* the, cat, the, mat of 6 and 6; the cat, the mat of 5 and 5; none of 4 and 4. */
    near(score_of("rouge1", s), 100.0 * 4 / 6, CLOSE);
    near(score_of("rouge2", s), 100.0 * 2 / 5, CLOSE);
    near(score_of("rouge3", s), 0.0, CLOSE);
    near(score_of("rougeL", s), 100.0 * 4 / 6, CLOSE);
    near(score_of("weighted_rouge", s), 100.0 * (4.0 / 36 + 2.0 / 15), CLOSE);
    near(score_of("exact_match", s), 0.0, CLOSE);
    score(one, 1, " \n\xC2\xA0the cat sat on the mat\xE2\x80\x83\n", false, s);
    near(score_of("exact_match", s), 100.0, CLOSE);
    near(score_of("bleu", s), 100.0, 1e-6);
    near(score_of("chrf", s), 100.0, 1e-6);
    const char *stems[] = {"cats running"};
    score(stems, 1, "cat runs", false, s);
    near(score_of("rouge1", s), 0.0, CLOSE);
    score(stems, 1, "cat runs", true, s);
    near(score_of("rouge1", s), 100.0, CLOSE);
}

static void test_references(void **state)
{
    (void)state;
    double best[LCAL__SCORES], a[LCAL__SCORES], b[LCAL__SCORES];
    const char *both[] = {"one two three four", "a b c d two"};
    score(both, 2, "a b c d one", false, best);
    score(both, 1, "a b c d one", false, a);
    score(both + 1, 1, "a b c d one", false, b);
    for (size_t i = 0; i < LCAL__SCORES; i++)
        near(best[i], fmax(a[i], b[i]), CLOSE);
    assert_true(score_of("rouge1", b) > score_of("rouge1", a));
    /* The corpus takes the reference that chrF finds nearest. */
    lcal__corpus corpus = {0};
    assert_int_equal(
        lcal__scores_add(&corpus, (char *const *)both, 2, "a b c d one", 11, false, best, &err),
        LCAL_OK);
    near(lcal__chrf_score(&corpus.chrf), score_of("chrf", b), CLOSE);
}

/* --- intervals -------------------------------------------------------------------------- */

#define ROWS 400

static void test_bootstrap(void **state)
{
    (void)state;
    static double values[ROWS][3];
    lcal__interval a[3], b[3], c[3];
    for (size_t i = 0; i < ROWS; i++) {
        values[i][0] = i % 4 == 0 ? 100.0 : 0.0;
        values[i][1] = values[i][0] + 1.0;
        values[i][2] = 7.0;
    }
    assert_int_equal(lcal__bootstrap(values[0], ROWS, 3, 2000, 1, a, &err), LCAL_OK);
    near(a[0].mean, 25.0, CLOSE);
    /* The normal interval of a share: 25 -+ 1.96 sqrt(25 * 75 / 400). */
    near(a[0].low, 25.0 - 4.24, 0.75);
    near(a[0].high, 25.0 + 4.24, 0.75);
    /* One resample is of all columns. */
    near(a[1].low, a[0].low + 1.0, CLOSE);
    near(a[1].high, a[0].high + 1.0, CLOSE);
    near(a[2].low, 7.0, CLOSE);
    near(a[2].high, 7.0, CLOSE);
    assert_int_equal(lcal__bootstrap(values[0], ROWS, 3, 2000, 1, b, &err), LCAL_OK);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(lcal__bootstrap(values[0], ROWS, 3, 2000, 2, c, &err), LCAL_OK);
    assert_true(memcmp(a, c, sizeof(a)) != 0);
    /* One row, one resample: all is that row. */
    assert_int_equal(lcal__bootstrap(values[0], 1, 3, 1, 1, a, &err), LCAL_OK);
    near(a[0].low, 100.0, CLOSE);
    near(a[0].high, 100.0, CLOSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_bootstrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
