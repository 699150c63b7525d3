#include "eval/scores.h"

#include <string.h>

#include "eval/metrics/rouge.h"
#include "eval/metrics/words.h"

static const char *const names[LCAL__SCORES] = {
    "rouge1",
    "rouge2",
    "rouge3",
    "rougeL",
    "rougeLsum",
    "weighted_rouge",
    "weighted_rouge_replies",
    "bleu",
    "chrf",
    "exact_match",
};
#define CHRF 8 /* its place in names */

const char *lcal__score_name(size_t index)
{
    return names[index];
}

/* Without the white space around it. */
static void trim(const char **text, size_t *size)
{
    size_t step;
    while ((step = lcal__space_length(*text, *size)) > 0) {
        *text += step;
        *size -= step;
    }
    /* White space of several bytes ends in a byte that begins no character: look back for it. */
    for (bool more = true; more && *size;) {
        more = false;
        for (size_t back = 1; back <= 3 && back <= *size && !more; back++)
            if (lcal__space_length(*text + *size - back, back) == back) {
                *size -= back;
                more = true;
            }
    }
}

static bool is_exact(const char *reference, const char *text, size_t size)
{
    size_t reference_size = strlen(reference);
    trim(&reference, &reference_size);
    trim(&text, &size);
    return reference_size == size && memcmp(reference, text, size) == 0;
}

static lcal_status score(const char *reference, const char *text, size_t size, bool stem,
                         double out[LCAL__SCORES], lcal_error *err)
{
    const size_t length = strlen(reference);
    lcal__rouge rouge;
    lcal__bleu bleu = {0};
    lcal__chrf chrf = {0};
    double replies;
    LCAL_TRY(lcal__rouge_score(reference, length, text, size, stem, &rouge, err));
    LCAL_TRY(lcal__rouge_replies(reference, length, text, size, NULL, &replies, err));
    LCAL_TRY(lcal__bleu_add(&bleu, reference, length, text, size, err));
    LCAL_TRY(lcal__chrf_add(&chrf, reference, length, text, size, err));
    const double all[LCAL__SCORES] = {
        100.0 * rouge.n[0].f,    100.0 * rouge.n[1].f,
        100.0 * rouge.n[2].f,    100.0 * rouge.longest.f,
        100.0 * rouge.summary.f, 100.0 * lcal__rouge_weighted(&rouge),
        100.0 * replies,         lcal__bleu_score(&bleu, true),
        lcal__chrf_score(&chrf), is_exact(reference, text, size) ? 100.0 : 0.0,
    };
    memcpy(out, all, sizeof(all));
    return LCAL_OK;
}

lcal_status lcal__scores_add(lcal__corpus *corpus, char *const *references, size_t count,
                             const char *text, size_t size, bool stem, double out[LCAL__SCORES],
                             lcal_error *err)
{
    size_t nearest = 0;
    for (size_t i = 0; i < count; i++) {
        double one[LCAL__SCORES];
        LCAL_TRY(score(references[i], text, size, stem, one, err));
        if (i == 0 || one[CHRF] > out[CHRF])
            nearest = i;
        for (size_t k = 0; k < LCAL__SCORES; k++)
            out[k] = i == 0 || one[k] > out[k] ? one[k] : out[k];
    }
    const char *reference = references[nearest];
    LCAL_TRY(lcal__bleu_add(&corpus->bleu, reference, strlen(reference), text, size, err));
    return lcal__chrf_add(&corpus->chrf, reference, strlen(reference), text, size, err);
}
