/*
 * Decoding with cached keys and values against models/MODEL/reference_logits.jsonl: every row, with
 * its adapters folded and factored, token after token and in a few cuts.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/decoder.h"
#include "format/lines.h"
#include "golden/fixture.h"

#define LOGIT_BAR 2e-4 /* of the row's range */
#define NLL_BAR 2e-4   /* nats */

typedef struct row {
    json_t *json;
    int32_t *ids;
    size_t count;
    const double *logits; /* of the last token */
    lcal__adapter_use uses[2];
    size_t use_count;
} row;

static double *numbers_of(const json_t *list)
{
    double *numbers = calloc(json_array_size(list) + 1, sizeof(double));
    assert_non_null(numbers);
    for (size_t i = 0; i < json_array_size(list); i++)
        numbers[i] = json_number_value(json_array_get(list, i));
    return numbers;
}

static void row_open(row *r, const fixture *f, const char *text, size_t length)
{
    *r = (row){0};
    assert_int_equal(lcal__json_parse_object(text, length, f->name, &r->json, NULL), LCAL_OK);
    const json_t *ids = json_object_get(r->json, "ids"), *adapter;
    r->count = json_array_size(ids);
    assert_true(r->count > 1);
    r->ids = calloc(r->count, sizeof(int32_t));
    assert_non_null(r->ids);
    for (size_t i = 0; i < r->count; i++)
        r->ids[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    r->logits = numbers_of(json_object_get(r->json, "logits_last"));
    size_t index;
    json_array_foreach(json_object_get(r->json, "adapters"), index, adapter)
    {
        const char *name = json_string_value(json_array_get(adapter, 0));
        const double weight = json_number_value(json_array_get(adapter, 1));
        assert_true(index < 2);
        r->uses[r->use_count++] =
            (lcal__adapter_use){&f->adapters[strcmp(name, "lora_b") == 0], (float)weight};
    }
}

static void row_close(row *r)
{
    free(r->ids);
    free((void *)(uintptr_t)r->logits);
    json_decref(r->json);
}

static double nll(const float *logits, size_t vocab, size_t target)
{
    double max = logits[0], sum = 0.0;
    for (size_t c = 1; c < vocab; c++)
        max = logits[c] > max ? (double)logits[c] : max;
    for (size_t c = 0; c < vocab; c++)
        sum += exp(logits[c] - max);
    return log(sum) - (logits[target] - max);
}

static void check_last(const fixture *f, const row *r, const float *got)
{
    const size_t vocab = f->model.config.vocab;
    double low = r->logits[0], high = low, worst = 0.0;
    size_t best = 0, wanted = 0;
    for (size_t c = 0; c < vocab; c++) {
        low = fmin(low, r->logits[c]);
        high = fmax(high, r->logits[c]);
        worst = fmax(worst, fabs(got[c] - r->logits[c]));
        best = got[c] > got[best] ? c : best;
        wanted = r->logits[c] > r->logits[wanted] ? c : wanted;
    }
    if (!(worst <= LOGIT_BAR * (high - low)))
        fail_msg("%s: logits differ by %.3g of their range", f->name, worst / (high - low));
    assert_int_equal(best, wanted);
}

static void check_row(const fixture *f, const row *r, lcal__memory memory)
{
    const size_t vocab = f->model.config.vocab;
    const lcal__exec exec = lcal__exec_init(2);
    const lcal__assembly_options plain = {.memory = memory};
    const lcal__decoder_options options = {2, r->count, r->count};
    const json_t *expected = json_object_get(r->json, "nll_per_token");
    lcal__assembly assembly;
    lcal__decoder *decoder;
    float *logits = calloc(2 * vocab, sizeof(float));
    assert_non_null(logits);
    assert_int_equal(
        lcal__assemble(&f->model, r->uses, r->use_count, &plain, &exec, &assembly, NULL), LCAL_OK);
    assert_int_equal(lcal__decoder_open(&assembly.network, &exec, &options, &decoder, NULL),
                     LCAL_OK);
    assert_int_equal(json_array_size(expected), r->count - 1);
    for (size_t t = 0; t < r->count; t++) {
        lcal__decoder_run(decoder, &(lcal__decode_input){0, r->ids + t, 1}, 1, logits);
        if (t + 1 == r->count)
            break;
        const double want = json_number_value(json_array_get(expected, t));
        const double got = nll(logits, vocab, (size_t)r->ids[t + 1]);
        if (!(fabs(got - want) <= NLL_BAR))
            fail_msg("%s: token %zu: got %.8g nats, expected %.8g", f->name, t + 1, got, want);
    }
    check_last(f, r, logits);
    for (size_t cut = 0, end; cut < r->count; cut = end) {
        end = cut + 1 + r->count / 3 < r->count ? cut + 1 + r->count / 3 : r->count;
        lcal__decoder_run(decoder, &(lcal__decode_input){1, r->ids + cut, end - cut}, 1,
                          end == r->count ? logits + vocab : NULL);
    }
    assert_memory_equal(logits + vocab, logits, vocab * sizeof(float));
    free(logits);
    lcal__decoder_close(&decoder);
    lcal__assembly_free(&assembly);
}

static void test_reference_logits(void **state)
{
    (void)state;
    for (size_t m = 0; m < FIXTURE_MODELS; m++) {
        fixture f;
        lcal__map map;
        lcal__lines *lines;
        const char *text;
        size_t length, rows = 0;
        fixture_open(&f, fixture_names[m]);
        const char *path = fixture_path("models/%s/reference_logits.jsonl", f.name);
        assert_int_equal(lcal__map_open(path, &map, NULL), LCAL_OK);
        assert_int_equal(lcal__lines_open(map.data, map.size, "", &lines, NULL), LCAL_OK);
        while (lcal__lines_next(lines, &text, &length, NULL) == LCAL_OK && text) {
            row r;
            row_open(&r, &f, text, length);
            check_row(&f, &r, LCAL__MEMORY_FAST);
            check_row(&f, &r, LCAL__MEMORY_LOW);
            row_close(&r);
            rows++;
        }
        assert_true(rows >= 10);
        lcal__lines_close(&lines);
        lcal__map_close(&map);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference_logits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
