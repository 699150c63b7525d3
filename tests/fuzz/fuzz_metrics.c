/* Two texts, parted by the first zero byte: scores stay in range, and change sides as they must. */
#include <math.h>
#include <string.h>

#include "eval/metrics/bleu.h"
#include "eval/metrics/chrf.h"
#include "eval/metrics/rouge.h"
#include "fuzz.h"

#define TEXT_MAX 4096 /* subsequences take the square of it */

lcal_error fuzz_error;

static void check_range(const lcal__prf *score)
{
    FUZZ_REQUIRE(score->precision >= 0.0 && score->precision <= 1.0);
    FUZZ_REQUIRE(score->recall >= 0.0 && score->recall <= 1.0);
    FUZZ_REQUIRE(score->f >= 0.0 && score->f <= 1.0);
}

static void check_swapped(const lcal__prf *one, const lcal__prf *other)
{
    check_range(one);
    FUZZ_REQUIRE(one->precision == other->recall && one->recall == other->precision);
}

static void check_rouge(const char *a, size_t an, const char *b, size_t bn, bool stem)
{
    lcal__rouge one, other, same;
    FUZZ_REQUIRE(lcal__rouge_score(a, an, b, bn, stem, &one, &fuzz_error) == LCAL_OK);
    FUZZ_REQUIRE(lcal__rouge_score(b, bn, a, an, stem, &other, &fuzz_error) == LCAL_OK);
    FUZZ_REQUIRE(lcal__rouge_score(a, an, a, an, stem, &same, &fuzz_error) == LCAL_OK);
    for (int n = 0; n < 3; n++) {
        check_swapped(&one.n[n], &other.n[n]);
        FUZZ_REQUIRE(same.n[n].f == 0.0 || same.n[n].f == 1.0);
    }
    check_swapped(&one.longest, &other.longest);
    check_range(&one.summary);
    FUZZ_REQUIRE(same.longest.f == same.n[0].f && same.summary.f == same.n[0].f);
}

static void check_others(const char *a, size_t an, const char *b, size_t bn)
{
    lcal__bleu bleu = {0};
    lcal__chrf chrf = {0}, same = {0};
    lcal__prf n[3];
    double weighted;
    FUZZ_REQUIRE(lcal__bleu_add(&bleu, a, an, b, bn, &fuzz_error) == LCAL_OK);
    FUZZ_REQUIRE(lcal__chrf_add(&chrf, a, an, b, bn, &fuzz_error) == LCAL_OK);
    FUZZ_REQUIRE(lcal__chrf_add(&same, a, an, a, an, &fuzz_error) == LCAL_OK);
    FUZZ_REQUIRE(lcal__rouge_replies(a, an, b, bn, n, &weighted, &fuzz_error) == LCAL_OK);
    const double scores[] = {lcal__bleu_score(&bleu, true), lcal__bleu_score(&bleu, false),
                             lcal__chrf_score(&chrf), 100.0 * weighted};
    for (int i = 0; i < 4; i++)
        FUZZ_REQUIRE(scores[i] >= 0.0 && scores[i] <= 100.0 + 1e-9);
    const double whole = lcal__chrf_score(&same);
    FUZZ_REQUIRE(whole == 0.0 || fabs(whole - 100.0) < 1e-9);
    for (int i = 0; i < 3; i++)
        check_range(&n[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_error = (lcal_error){0};
    if (size == 0 || size > TEXT_MAX)
        return 0;
    const uint8_t *border = memchr(data, 0, size);
    const size_t first = border ? (size_t)(border - data) : size / 2;
    const char *text = (const char *)data;
    check_rouge(text, first, text + first, size - first, false);
    check_rouge(text, first, text + first, size - first, true);
    check_others(text, first, text + first, size - first);
    return 0;
}
