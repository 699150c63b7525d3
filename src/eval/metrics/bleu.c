#include "eval/metrics/bleu.h"

#include <math.h>

#include "eval/metrics/bleu_words.h"
#include "eval/metrics/ngrams.h"

static lcal_status count(lcal__bleu *bleu, lcal__sequence reference, lcal__sequence candidate,
                         lcal_error *err)
{
    lcal__ngrams ngrams;
    LCAL_TRY(lcal__ngrams_open(reference, candidate, &ngrams, err));
    for (size_t n = 0; n < LCAL__BLEU_ORDERS; n++) {
        const lcal__overlap overlap = lcal__ngrams_next(&ngrams, false);
        bleu->matches[n] += overlap.both;
        bleu->candidate[n] += overlap.candidate;
    }
    lcal__ngrams_close(&ngrams);
    bleu->reference_words += reference.count;
    bleu->candidate_words += candidate.count;
    return LCAL_OK;
}

lcal_status lcal__bleu_add(lcal__bleu *bleu, const char *reference, size_t reference_size,
                           const char *candidate, size_t candidate_size, lcal_error *err)
{
    lcal__lexicon lexicon = {0};
    lcal__words r = {0}, c = {0};
    lcal_status status = lcal__bleu_words(reference, reference_size, &lexicon, &r, err);
    if (status == LCAL_OK)
        status = lcal__bleu_words(candidate, candidate_size, &lexicon, &c, err);
    if (status == LCAL_OK)
        status = count(bleu, lcal__words_sequence(&r), lcal__words_sequence(&c), err);
    lcal__words_free(&r);
    lcal__words_free(&c);
    lcal__lexicon_free(&lexicon);
    return status;
}

double lcal__bleu_score(const lcal__bleu *bleu, bool sentence)
{
    double logs = 0.0, smoothing = 1.0;
    size_t orders = 0;
    bool any = false;
    for (; orders < LCAL__BLEU_ORDERS && bleu->candidate[orders]; orders++) {
        double matches = (double)bleu->matches[orders];
        any = any || bleu->matches[orders];
        if (bleu->matches[orders] == 0) {
            smoothing *= 2.0;
            matches = 1.0 / smoothing;
        }
        logs += log(100.0 * matches / (double)bleu->candidate[orders]);
    }
    if (!any || (!sentence && orders < LCAL__BLEU_ORDERS))
        return 0.0;
    double brevity = 1.0;
    if (bleu->candidate_words < bleu->reference_words)
        brevity = exp(1.0 - (double)bleu->reference_words / (double)bleu->candidate_words);
    return brevity * exp(logs / (double)orders);
}
