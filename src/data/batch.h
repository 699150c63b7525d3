/*
 * A batch: documents packed one after another, never padded. Attention and loss stay inside a
 * document; positions start at 0 in each.
 */
#ifndef LCAL_DATA_BATCH_H
#define LCAL_DATA_BATCH_H

#include "base/rng.h"
#include "data/dataset.h"

/*
 * Rows are the positions whose prediction is wanted, ascending: those that predict a counted label
 * (row = label's position - 1), or any others for logits (target -1, no loss).
 */
typedef struct lcal__batch {
    size_t tokens;
    int32_t *ids;       /* [tokens] */
    int32_t *positions; /* [tokens], from 0 in each document */
    size_t documents;
    size_t *starts; /* [documents + 1], starts[documents] == tokens */
    size_t rows;
    int32_t *row_token;  /* [rows] index of the token whose hidden state predicts */
    int32_t *row_target; /* [rows] the predicted id, -1: no loss here */
    size_t counted;      /* rows with a target */
} lcal__batch;

/* Capacity for any batch of at most these many tokens and documents (rows up to tokens). */
lcal_status lcal__batch_init(lcal__batch *batch, size_t tokens, size_t documents, lcal_error *err);
void lcal__batch_clear(lcal__batch *batch);
/* Appends a document; the caller keeps to the capacity. all_rows: every position is a row. */
void lcal__batch_add(lcal__batch *batch, const lcal__example *example, bool all_rows);
void lcal__batch_free(lcal__batch *batch);

/*
 * The order of training: epoch after epoch, each a seeded permutation (or the file's order), cut
 * greedily into batches. State is the number of examples handed out so far, nothing else.
 */
typedef struct lcal__batcher {
    const lcal__dataset *dataset;
    bool shuffle;
    uint64_t seed;
    size_t batch_tokens; /* a batch ends before it would exceed this; 0: no limit */
    size_t batch_size;   /* ... or at this many examples; 0: no limit */
    uint64_t cursor;     /* examples handed out; epoch = cursor / count */
    uint32_t *order;     /* [count] permutation of the epoch order_epoch */
    uint64_t order_epoch;
} lcal__batcher;

lcal_status lcal__batcher_init(lcal__batcher *batcher, const lcal__dataset *dataset, bool shuffle,
                               uint64_t seed, size_t batch_tokens, size_t batch_size,
                               lcal_error *err);
/* Clears and fills the batch with the next examples (at least one). */
void lcal__batcher_next(lcal__batcher *batcher, lcal__batch *batch);
/* Largest number of tokens and of documents that a batch can have. */
void lcal__batcher_capacity(const lcal__batcher *batcher, size_t *tokens, size_t *documents);
void lcal__batcher_free(lcal__batcher *batcher);

#endif
