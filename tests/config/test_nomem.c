/* Every allocation of ours failed in turn: LCAL_NOMEM, and nothing leaked (run under ASan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocations.h"
#include "fixture.h"

static const char *const overrides[] = {"train.lr=1e-2", "out=there", "adapters.0=../b:2",
                                        "adapters.1.path=../a", NULL};
static const char valid[] =
    FIXTURE_REQUIRED "adapters: [a:1, {path: b}]\ntrain: {steps: 3}\nlora: {targets: [q_proj]}\n";

static void test_parse_and_dump(void **state)
{
    (void)state;
    size_t failed = 0;
    for (size_t n = 1;; ++n) {
        lcal_config *config = NULL;
        lcal_error err = {0};
        char *text = NULL;
        allocations_left = n;
        lcal_status status = fixture_parse(valid, overrides, &config, &err);
        if (status == LCAL_OK)
            status = lcal_config_dump(config, &text, &err);
        size_t unused = allocations_left;
        allocations_left = 0;
        lcal_text_free(text);
        lcal_config_close(&config);
        if (unused > 0) {
            assert_int_equal(status, LCAL_OK);
            break;
        }
        assert_int_equal(status, LCAL_NOMEM);
        assert_int_equal(err.status, LCAL_NOMEM);
        ++failed;
    }
    print_message("%zu allocations failed in turn\n", failed);
    assert_true(failed > 50);
}

/* Running out of memory while problems are collected must not hide that it did. */
static void test_problems(void **state)
{
    (void)state;
    for (size_t n = 1;; ++n) {
        lcal_config *config = NULL;
        lcal_error err = {0};
        allocations_left = n;
        lcal_status status = fixture_parse("train: {lr: x, lrr: 1}\nadapters: [no, {a: 1}]\n",
                                           overrides, &config, &err);
        size_t unused = allocations_left;
        allocations_left = 0;
        assert_null(config);
        assert_int_equal(status, unused ? LCAL_CONFIG : LCAL_NOMEM);
        if (unused)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_dump),
        cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, fixture_make, fixture_remove);
}
