/* Every allocation of a merge failed in turn: LCAL_NOMEM, and nothing leaked (run under ASan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/merge_rule.h"
#include "allocations.h"
#include "merge/adapters.h"

/* One module from opening to its sum with a weight. */
static lcal_status merge_module(const adapters *a, const char *rule, float *w, lcal_error *err)
{
    const lcal__exec exec = lcal__exec_init(1);
    lcal__merge_settings settings;
    lcal__merge merge = {0};
    lcal__merged merged = {0};
    LCAL_TRY(lcal__merge_parse(rule, rule, &settings, err));
    lcal_status status =
        lcal__merge_open(&settings, a->uses, a->count, &a->config, &exec, &merge, err);
    if (status == LCAL_OK)
        status = lcal__merge_prepare(&merge, err);
    if (status == LCAL_OK)
        status = lcal__merge_module(&merge, 0, LCAL__Q, &merged, err);
    if (status == LCAL_OK)
        status = lcal__merged_add(&merged, w, err);
    lcal__merged_free(&merged);
    lcal__merge_close(&merge);
    return status;
}

static void test_every_rule(void **state)
{
    (void)state;
    static const char *const rules[] = {"concat",    "ties",     "ties:scope=module", "dare-ties",
                                        "slerp",     "svd",      "magnitude-prune",   "peft-linear",
                                        "peft-ties", "peft-svd", "peft-dare-ties"};
    static const adapter_shape shapes[] = {{2, 1, 1, 0}, {2, 1, 1, 0}};
    const lcal__model_config config = {
        .layers = 1, .hidden = 4, .heads = 1, .kv_heads = 1, .head_dim = 4, .ffn = 3};
    adapters a;
    float w[16] = {0};
    adapters_open(&a, &config, shapes, 2, 1);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        size_t failed = 0;
        for (size_t n = 1;; n++) {
            lcal_error err = {0};
            allocations_left = n;
            const lcal_status status = merge_module(&a, rules[i], w, &err);
            const bool reached = allocations_left == 0;
            allocations_left = 0;
            if (!reached) {
                assert_int_equal(status, LCAL_OK);
                break;
            }
            assert_int_equal(status, LCAL_NOMEM);
            assert_int_equal(err.status, LCAL_NOMEM);
            failed++;
        }
        assert_true(failed >= 3);
    }
    adapters_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_rule)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
