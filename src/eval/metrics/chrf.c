#include "eval/metrics/chrf.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "eval/metrics/words.h"

#define BETA_SQUARED 4.0

/* Characters but white space, as the number that their bytes make. */
static lcal_status read_characters(const char *text, size_t size, uint32_t **items, size_t *count,
                                   lcal_error *err)
{
    *count = 0;
    *items = lcal__calloc(size, sizeof(**items));
    if (!*items)
        return lcal__fail_nomem(err, "characters");
    for (size_t at = 0, step; at < size; at += step) {
        uint32_t character = 0;
        step = lcal__space_length(text + at, size - at);
        if (step)
            continue;
        step = lcal__utf8_valid(text + at, size - at);
        if (step == 0)
            step = 1;
        for (size_t i = 0; i < step; i++)
            character = character << 8 | (unsigned char)text[at + i];
        (*items)[(*count)++] = character;
    }
    return LCAL_OK;
}

static lcal_status count(lcal__chrf *chrf, lcal__sequence reference, lcal__sequence candidate,
                         lcal_error *err)
{
    lcal__ngrams ngrams;
    LCAL_TRY(lcal__ngrams_open(reference, candidate, &ngrams, err));
    for (size_t n = 0; n < LCAL__CHRF_ORDERS; n++) {
        const lcal__overlap overlap = lcal__ngrams_next(&ngrams, false);
        chrf->matches[n] += overlap.both;
        chrf->reference[n] += overlap.reference;
        chrf->candidate[n] += overlap.reference ? overlap.candidate : 0;
    }
    lcal__ngrams_close(&ngrams);
    return LCAL_OK;
}

lcal_status lcal__chrf_add(lcal__chrf *chrf, const char *reference, size_t reference_size,
                           const char *candidate, size_t candidate_size, lcal_error *err)
{
    uint32_t *r = NULL, *c = NULL;
    size_t rn, cn;
    lcal_status status = read_characters(reference, reference_size, &r, &rn, err);
    if (status == LCAL_OK)
        status = read_characters(candidate, candidate_size, &c, &cn, err);
    if (status == LCAL_OK)
        status = count(chrf, (lcal__sequence){r, rn}, (lcal__sequence){c, cn}, err);
    lcal__free(r);
    lcal__free(c);
    return status;
}

double lcal__chrf_score(const lcal__chrf *chrf)
{
    double precision = 0.0, recall = 0.0, orders = 0.0;
    for (size_t n = 0; n < LCAL__CHRF_ORDERS; n++) {
        if (!chrf->candidate[n] || !chrf->reference[n])
            continue;
        precision += (double)chrf->matches[n] / (double)chrf->candidate[n];
        recall += (double)chrf->matches[n] / (double)chrf->reference[n];
        orders += 1.0;
    }
    if (precision + recall <= 0.0)
        return 0.0;
    precision /= orders;
    recall /= orders;
    return 100.0 * (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall);
}
