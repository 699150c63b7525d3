#include "eval/metrics/ngrams.h"

#include <stdlib.h>

#include "base/mem.h"

/* An n-gram is the (n-1)-gram at its start, by its number, and its last item. */
struct lcal__gram {
    uint64_t key;
    size_t at; /* in `names`: the reference's n-grams, then the candidate's */
};

lcal_status lcal__ngrams_open(lcal__sequence reference, lcal__sequence candidate, lcal__ngrams *out,
                              lcal_error *err)
{
    const size_t count = reference.count + candidate.count;
    *out = (lcal__ngrams){
        .reference = reference,
        .candidate = candidate,
        .names = lcal__calloc(count, sizeof(*out->names)),
        .grams = lcal__calloc(count, sizeof(*out->grams)),
    };
    if (out->names && out->grams)
        return LCAL_OK;
    lcal__ngrams_close(out);
    return lcal__fail_nomem(err, "n-grams");
}

void lcal__ngrams_close(lcal__ngrams *ngrams)
{
    lcal__free(ngrams->names);
    lcal__free(ngrams->grams);
    *ngrams = (lcal__ngrams){0};
}

static int compare(const void *x, const void *y)
{
    const uint64_t a = ((const lcal__gram *)x)->key, b = ((const lcal__gram *)y)->key;
    return (a > b) - (a < b);
}

/* Appends the n-grams of one side; `first` is where its names begin. */
static size_t collect(const lcal__ngrams *ngrams, lcal__sequence from, size_t first, size_t filled)
{
    const size_t n = ngrams->order;
    for (size_t i = 0; i + n <= from.count; i++)
        ngrams->grams[filled++] = (lcal__gram){
            (uint64_t)ngrams->names[first + i] << 32 | from.items[i + n - 1], first + i};
    return filled;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

lcal__overlap lcal__ngrams_next(lcal__ngrams *ngrams, bool distinct)
{
    lcal__overlap overlap = {0};
    const size_t border = ngrams->reference.count;
    ngrams->order++;
    size_t count = collect(ngrams, ngrams->reference, 0, 0);
    count = collect(ngrams, ngrams->candidate, border, count);
    if (count) /* qsort's array must not be empty */
        qsort(ngrams->grams, count, sizeof(*ngrams->grams), compare);
    uint32_t name = 0;
    for (size_t i = 0, end; i < count; i = end, name++) {
        size_t reference = 0, candidate = 0;
        for (end = i; end < count && ngrams->grams[end].key == ngrams->grams[i].key; end++) {
            ngrams->names[ngrams->grams[end].at] = name;
            if (ngrams->grams[end].at < border)
                reference++;
            else
                candidate++;
        }
        if (distinct) {
            reference = smaller(reference, 1);
            candidate = smaller(candidate, 1);
        }
        overlap.reference += reference;
        overlap.candidate += candidate;
        overlap.both += smaller(reference, candidate);
    }
    return overlap;
}
