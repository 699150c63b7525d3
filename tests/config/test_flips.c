/* Damaged configurations: whatever the bytes, an answer; what is taken dumps and reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "fixture.h"

static const char valid[] =
    "# a comment\n" FIXTURE_REQUIRED "adapters:\n  - {path: a, weight: 1.0}\n  - b:0.5\n"
    "merge: {method: concat}\nmethod: lcpp\n"
    "calibration: {form: output, rank: 4, scale: 1.0, share: layers, targets: [q_proj, o_proj]}\n"
    "lora: {rank: 32, alpha: 32, targets: all}\n"
    "train:\n  steps: 500\n  lr: 3.0e-3\n  schedule: cosine\n  keep_best: true\n"
    "  eps: 1.0e-8\n  seed: 12\n";

static void check_round_trip(lcal_config *config)
{
    char *first = NULL, *second = NULL;
    lcal_config *again = NULL;
    lcal_error err = {0};
    assert_int_equal(lcal_config_dump(config, &first, NULL), LCAL_OK);
    if (fixture_parse(first, NULL, &again, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(lcal_config_dump(again, &second, NULL), LCAL_OK);
    assert_string_equal(first, second);
    assert_int_equal(lcal__config_diff(config, again, NULL, 0), 0);
    lcal_text_free(first);
    lcal_text_free(second);
    lcal_config_close(&again);
}

/* In a buffer of exactly this size, so that a read past the end is seen. */
static int try_bytes(const char *bytes, size_t size)
{
    lcal_config *config = NULL;
    lcal_error err = {0};
    char *exact = lcal__strndup(bytes, size);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    lcal_status status =
        lcal__config_parse(exact, size, "c.yaml", fixture_root(), NULL, 0, &config, &err);
    lcal__free(exact);
    if (status != LCAL_OK) {
        assert_int_equal(status, LCAL_CONFIG);
        assert_int_equal(err.status, LCAL_CONFIG);
        assert_memory_equal(err.message, "c.yaml:", 7);
        return 0;
    }
    check_round_trip(config);
    lcal_config_close(&config);
    return 1;
}

static void test_flips(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 1};
    char text[sizeof(valid)];
    int taken = 0;
    const int rounds = 4000;
    assert_int_equal(try_bytes(valid, sizeof(valid) - 1), 1);
    for (int i = 0; i < rounds; ++i) {
        memcpy(text, valid, sizeof(valid));
        for (uint64_t n = 1 + lcal__rng_below(&rng, 3); n > 0; --n) {
            size_t at = lcal__rng_below(&rng, sizeof(valid) - 1);
            unsigned bit = lcal__rng_below(&rng, 3) ? 1u << lcal__rng_below(&rng, 8)
                                                    : (unsigned)lcal__rng_below(&rng, 256);
            text[at] = (char)((unsigned char)text[at] ^ bit);
        }
        taken += try_bytes(text, sizeof(valid) - 1);
    }
    print_message("%d of %d damaged configurations were still valid\n", taken, rounds);
}

static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(valid) - 1; ++size)
        try_bytes(valid, size);
}

static void test_flipped_overrides(void **state)
{
    (void)state;
    static const char *const seeds[] = {"adapters=[../a, {path: ../b, weight: 0.5}]",
                                        "adapters.1.weight=0.5", "train={lr: 0.1, steps: 3}",
                                        "lora.targets=[q_proj, k_proj]"};
    lcal__rng rng = {.seed = 2};
    for (int i = 0; i < 4000; ++i) {
        char text[64] = {0};
        const char *seed = seeds[lcal__rng_below(&rng, 4)];
        const char *overrides[] = {text, NULL};
        strncpy(text, seed, sizeof(text) - 1);
        size_t at = lcal__rng_below(&rng, strlen(seed));
        text[at] = (char)((unsigned char)text[at] ^ 1u << lcal__rng_below(&rng, 8));
        lcal_config *config = NULL;
        lcal_error err = {0};
        if (fixture_parse(valid, overrides, &config, &err) == LCAL_OK)
            check_round_trip(config);
        else
            assert_memory_equal(err.message, "override 1 (", 12);
        lcal_config_close(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_flipped_overrides),
    };
    return cmocka_run_group_tests(tests, fixture_make, fixture_remove);
}
