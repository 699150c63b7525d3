#include "eval/score_batch.h"

/* Packing pays until the products are large; beyond it only costs memory. */
#define BATCH_TOKENS ((size_t)4096)
/* Logits kept until their example is handed out: 64 MiB, or one example's. */
#define KEPT_FLOATS ((size_t)16 << 20)

lcal__score_cut lcal__score_cut_init(const lcal__dataset *dataset, lcal_logits logits, size_t vocab)
{
    lcal__score_cut cut = {dataset, logits, SIZE_MAX};
    if (logits == LCAL_LOGITS_ALL)
        cut.documents_max = 1;
    if (logits == LCAL_LOGITS_LAST)
        cut.documents_max = vocab < KEPT_FLOATS ? KEPT_FLOATS / vocab : 1;
    return cut;
}

size_t lcal__score_cut_end(const lcal__score_cut *cut, size_t first)
{
    const lcal__example *examples = cut->dataset->examples;
    size_t end = first + 1, tokens = examples[first].length;
    while (end < cut->dataset->count && end - first < cut->documents_max
           && tokens + examples[end].length <= BATCH_TOKENS)
        tokens += examples[end++].length;
    return end;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

lcal__capacity lcal__score_capacity(const lcal__score_cut *cut, size_t *wanted)
{
    lcal__capacity most = {0};
    *wanted = 0;
    for (size_t first = 0, end; first < cut->dataset->count; first = end) {
        size_t tokens = 0, labelled = 0, logits = 0;
        end = lcal__score_cut_end(cut, first);
        for (size_t i = first; i < end; i++) {
            const lcal__example *example = &cut->dataset->examples[i];
            tokens += example->length;
            labelled += example->counted;
            most.longest = larger(most.longest, example->length);
        }
        if (cut->logits == LCAL_LOGITS_LAST)
            logits = end - first;
        size_t rows = labelled + logits;
        if (cut->logits == LCAL_LOGITS_ALL)
            rows = logits = tokens;
        most.tokens = larger(most.tokens, tokens);
        most.documents = larger(most.documents, end - first);
        most.rows = larger(most.rows, rows);
        *wanted = larger(*wanted, logits);
    }
    return most;
}

/* The last position of a document predicts no label of it, thus is no row yet, and comes after all
 * that are. */
static void add_last_row(lcal__batch *batch)
{
    batch->row_token[batch->rows] = (int32_t)(batch->tokens - 1);
    batch->row_target[batch->rows] = -1;
    batch->rows++;
}

void lcal__score_pack(const lcal__score_cut *cut, size_t first, size_t end, lcal__batch *batch)
{
    lcal__batch_clear(batch);
    for (size_t i = first; i < end; i++) {
        lcal__batch_add(batch, &cut->dataset->examples[i], cut->logits == LCAL_LOGITS_ALL);
        if (cut->logits == LCAL_LOGITS_LAST)
            add_last_row(batch);
    }
}
