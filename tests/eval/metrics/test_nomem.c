/* Every allocation of a metric failed in turn: LCAL_NOMEM, and nothing leaked (run under ASan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eval/metrics/bleu.h"
#include "eval/metrics/chrf.h"
#include "eval/metrics/rouge.h"
#include "allocations.h"

static const char reference[] = "The cat sat on the mat.\nIt purred.";
static const char candidate[] = "A cat was on the mat\nand it purred &amp; slept.";
#define TEXTS reference, sizeof(reference) - 1, candidate, sizeof(candidate) - 1

static lcal_status run_rouge(lcal_error *err)
{
    lcal__rouge out;
    return lcal__rouge_score(TEXTS, true, &out, err);
}

static lcal_status run_replies(lcal_error *err)
{
    double weighted;
    return lcal__rouge_replies(TEXTS, NULL, &weighted, err);
}

static lcal_status run_bleu(lcal_error *err)
{
    lcal__bleu counts = {0};
    return lcal__bleu_add(&counts, TEXTS, err);
}

static lcal_status run_chrf(lcal_error *err)
{
    lcal__chrf counts = {0};
    return lcal__chrf_add(&counts, TEXTS, err);
}

static void test_every_metric(void **state)
{
    (void)state;
    lcal_status (*const metrics[])(lcal_error * err) = {run_rouge, run_replies, run_bleu, run_chrf};
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        size_t failed = 0;
        for (size_t n = 1;; n++) {
            lcal_error err = {0};
            allocations_left = n;
            const lcal_status status = metrics[i](&err);
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
        assert_true(failed >= 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_metric)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
