#include "eval/metrics/rouge.h"

#include <string.h>

#include "base/mem.h"
#include "eval/metrics/rouge_words.h"

static lcal__prf prf_of(double precision, double recall)
{
    const double sum = precision + recall;
    return (lcal__prf){precision, recall, sum > 0.0 ? 2.0 * precision * recall / sum : 0.0};
}

static double share(size_t hits, size_t count)
{
    return (double)hits / (double)(count ? count : 1);
}

static lcal_status score_ngrams(lcal__sequence reference, lcal__sequence candidate,
                                lcal__prf out[3], lcal_error *err)
{
    lcal__ngrams ngrams;
    LCAL_TRY(lcal__ngrams_open(reference, candidate, &ngrams, err));
    for (size_t n = 0; n < 3; n++) {
        const lcal__overlap overlap = lcal__ngrams_next(&ngrams, false);
        out[n] =
            prf_of(share(overlap.both, overlap.candidate), share(overlap.both, overlap.reference));
    }
    lcal__ngrams_close(&ngrams);
    return LCAL_OK;
}

/* --- longest common subsequences ------------------------------------------------------------- */

/* Lengths [reference + 1, candidate + 1] of the longest common subsequences of all beginnings. */
typedef struct lcs_table {
    uint32_t *lengths;
    size_t cols;
} lcs_table;

static lcal_status fill_table(lcal__sequence reference, lcal__sequence candidate, lcs_table *out,
                              lcal_error *err)
{
    out->cols = candidate.count + 1;
    out->lengths = lcal__calloc(reference.count + 1, out->cols * sizeof(*out->lengths));
    if (!out->lengths)
        return lcal__fail_nomem(err, "a longest common subsequence");
    for (size_t i = 1; i <= reference.count; i++) {
        const uint32_t *above = out->lengths + (i - 1) * out->cols;
        uint32_t *row = out->lengths + i * out->cols;
        for (size_t j = 1; j < out->cols; j++)
            row[j] = reference.items[i - 1] == candidate.items[j - 1] ? above[j - 1] + 1
                     : above[j] > row[j - 1]                          ? above[j]
                                                                      : row[j - 1];
    }
    return LCAL_OK;
}

static lcal_status score_longest(lcal__sequence reference, lcal__sequence candidate, lcal__prf *out,
                                 lcal_error *err)
{
    lcs_table table;
    LCAL_TRY(fill_table(reference, candidate, &table, err));
    const size_t length = table.lengths[reference.count * table.cols + candidate.count];
    lcal__free(table.lengths);
    *out = prf_of(share(length, candidate.count), share(length, reference.count));
    return LCAL_OK;
}

/* Marks the words of the line that one longest common subsequence takes; where several do, the one
 * that rouge_score's walk back finds: left only where that is strictly longer. */
static lcal_status mark_common(lcal__sequence line, lcal__sequence other, bool *marks,
                               lcal_error *err)
{
    lcs_table table;
    LCAL_TRY(fill_table(line, other, &table, err));
    for (size_t i = line.count, j = other.count; i > 0 && j > 0;) {
        if (line.items[i - 1] == other.items[j - 1]) {
            marks[i - 1] = true;
            i--;
            j--;
        } else if (table.lengths[i * table.cols + j - 1]
                   > table.lengths[(i - 1) * table.cols + j]) {
            j--;
        } else {
            i--;
        }
    }
    lcal__free(table.lengths);
    return LCAL_OK;
}

/* How often each word is left to be hit on either side. */
typedef struct stock {
    size_t *reference, *candidate; /* [words] */
    bool *marks;                   /* [words of the reference] */
} stock;

static lcal_status count_hits(const lcal__rouge_text *reference, const lcal__rouge_text *candidate,
                              stock *left, size_t *hits, lcal_error *err)
{
    for (size_t i = 0; i < reference->words.count; i++)
        left->reference[reference->words.items[i]]++;
    for (size_t i = 0; i < candidate->words.count; i++)
        left->candidate[candidate->words.items[i]]++;
    *hits = 0;
    for (size_t l = 0; l < reference->line_count; l++) {
        const lcal__sequence line = lcal__rouge_line(reference, l);
        memset(left->marks, 0, line.count * sizeof(*left->marks));
        for (size_t c = 0; c < candidate->line_count; c++)
            LCAL_TRY(mark_common(line, lcal__rouge_line(candidate, c), left->marks, err));
        for (size_t i = 0; i < line.count; i++) {
            const uint32_t word = line.items[i];
            if (!left->marks[i] || !left->reference[word] || !left->candidate[word])
                continue;
            left->reference[word]--;
            left->candidate[word]--;
            ++*hits;
        }
    }
    return LCAL_OK;
}

static lcal_status score_summary(const lcal__rouge_text *reference,
                                 const lcal__rouge_text *candidate, size_t words, lcal__prf *out,
                                 lcal_error *err)
{
    size_t hits = 0;
    stock left = {
        .reference = lcal__calloc(words, sizeof(size_t)),
        .candidate = lcal__calloc(words, sizeof(size_t)),
        .marks = lcal__calloc(reference->words.count, sizeof(bool)),
    };
    lcal_status status = left.reference && left.candidate && left.marks
                             ? count_hits(reference, candidate, &left, &hits, err)
                             : lcal__fail_nomem(err, "ROUGE-Lsum");
    lcal__free(left.reference);
    lcal__free(left.candidate);
    lcal__free(left.marks);
    *out = prf_of(share(hits, candidate->words.count), share(hits, reference->words.count));
    return status;
}

/* --- the whole ------------------------------------------------------------------------------- */

static lcal_status score(const lcal__rouge_text *reference, const lcal__rouge_text *candidate,
                         size_t words, lcal__rouge *out, lcal_error *err)
{
    const lcal__sequence r = lcal__words_sequence(&reference->words);
    const lcal__sequence c = lcal__words_sequence(&candidate->words);
    LCAL_TRY(score_ngrams(r, c, out->n, err));
    LCAL_TRY(score_longest(r, c, &out->longest, err));
    return score_summary(reference, candidate, words, &out->summary, err);
}

lcal_status lcal__rouge_score(const char *reference, size_t reference_size, const char *candidate,
                              size_t candidate_size, bool stem, lcal__rouge *out, lcal_error *err)
{
    lcal__lexicon lexicon = {0};
    lcal__rouge_text r = {0}, c = {0};
    *out = (lcal__rouge){0};
    lcal_status status = lcal__rouge_read(reference, reference_size, stem, &lexicon, &r, err);
    if (status == LCAL_OK)
        status = lcal__rouge_read(candidate, candidate_size, stem, &lexicon, &c, err);
    if (status == LCAL_OK)
        status = score(&r, &c, lexicon.count, out, err);
    lcal__rouge_text_free(&r);
    lcal__rouge_text_free(&c);
    lcal__lexicon_free(&lexicon);
    return status;
}

static double weigh(const lcal__prf n[3])
{
    return n[0].f / 6.0 + n[1].f / 3.0 + n[2].f / 2.0;
}

double lcal__rouge_weighted(const lcal__rouge *rouge)
{
    return weigh(rouge->n);
}

/* --- replies --------------------------------------------------------------------------------- */

static lcal_status score_replies(lcal__sequence reference, lcal__sequence candidate,
                                 lcal__prf out[3], lcal_error *err)
{
    lcal__ngrams ngrams;
    LCAL_TRY(lcal__ngrams_open(reference, candidate, &ngrams, err));
    for (size_t n = 0; n < 3; n++) {
        const lcal__overlap overlap = lcal__ngrams_next(&ngrams, true);
        const double p = share(overlap.both, overlap.candidate);
        const double r = share(overlap.both, overlap.reference);
        out[n] = (lcal__prf){p, r, 2.0 * (p * r / (p + r + 1e-8))};
    }
    lcal__ngrams_close(&ngrams);
    return LCAL_OK;
}

lcal_status lcal__rouge_replies(const char *reference, size_t reference_size, const char *candidate,
                                size_t candidate_size, lcal__prf n[3], double *weighted,
                                lcal_error *err)
{
    lcal__lexicon lexicon = {0};
    lcal__words r = {0}, c = {0};
    lcal__prf scores[3] = {{0}};
    lcal_status status = lcal__rouge_reply_words(reference, reference_size, &lexicon, &r, err);
    if (status == LCAL_OK)
        status = lcal__rouge_reply_words(candidate, candidate_size, &lexicon, &c, err);
    if (status == LCAL_OK)
        status = score_replies(lcal__words_sequence(&r), lcal__words_sequence(&c), scores, err);
    lcal__words_free(&r);
    lcal__words_free(&c);
    lcal__lexicon_free(&lexicon);
    if (n)
        memcpy(n, scores, sizeof(scores));
    *weighted = weigh(scores);
    return status;
}
