#include "train/passes.h"

#include <string.h>

#include "base/mem.h"

/* --- sizes ------------------------------------------------------------------------------ */

/* A bound on the labels in any `tokens` tokens of a dataset: the share of its densest example. */
static size_t rows_bound(const lcal__dataset *dataset, size_t tokens)
{
    size_t most = 1;
    for (size_t i = 0; i < dataset->count; i++) {
        const lcal__example *example = &dataset->examples[i];
        double share = (double)example->counted / (double)example->length;
        size_t rows = (size_t)(share * (double)tokens) + 1;
        if (rows > most)
            most = rows;
    }
    return most < tokens ? most : tokens;
}

static size_t shortest(const lcal__dataset *dataset)
{
    size_t length = dataset->longest;
    for (size_t i = 0; i < dataset->count; i++)
        if (dataset->examples[i].length < length)
            length = dataset->examples[i].length;
    return length;
}

static lcal_status init_validation(lcal__passes *passes, const lcal__dataset *valid,
                                   size_t train_tokens, lcal_error *err)
{
    /* As large as a training pass, so that validation fits the same workspace. */
    size_t tokens = valid->longest > train_tokens ? valid->longest : train_tokens;
    if (valid->tokens < tokens)
        tokens = valid->tokens;
    size_t documents = tokens / shortest(valid);
    passes->valid_data = valid;
    passes->valid_tokens = tokens;
    passes->valid_options = (lcal__tape_options){
        .capacity = {tokens, documents, rows_bound(valid, tokens), valid->longest}};
    return lcal__batch_init(&passes->valid_batch, tokens, documents, err);
}

lcal_status lcal__passes_init(lcal__passes *passes, const lcal__settings *settings,
                              const lcal__batcher *batcher, const lcal__dataset *valid,
                              lcal_error *err)
{
    const lcal__dataset *data = batcher->dataset;
    size_t tokens, documents;
    *passes = (lcal__passes){.accumulate = (size_t)settings->train.accumulate};
    lcal__batcher_capacity(batcher, &tokens, &documents);
    LCAL_TRY(lcal__batch_init(&passes->batch, tokens, documents, err));
    passes->batch_capacity = (lcal__capacity){.tokens = tokens, .documents = documents};
    if (!settings->data.pack) {
        tokens = data->longest;
        documents = 1;
        LCAL_TRY(lcal__batch_init(&passes->single, tokens, documents, err));
    }
    passes->train_options = (lcal__tape_options){
        .capacity = {tokens, documents, rows_bound(data, tokens), data->longest}, .training = true};
    return valid ? init_validation(passes, valid, tokens, err) : LCAL_OK;
}

static size_t batch_bytes(const lcal__batch *batch, const lcal__capacity *capacity)
{
    return batch->ids
               ? capacity->tokens * 4 * sizeof(int32_t) + (capacity->documents + 1) * sizeof(size_t)
               : 0;
}

size_t lcal__passes_batch_bytes(const lcal__passes *passes)
{
    return batch_bytes(&passes->batch, &passes->batch_capacity)
           + batch_bytes(&passes->single, &passes->train_options.capacity)
           + batch_bytes(&passes->valid_batch, &passes->valid_options.capacity);
}

/* --- tapes ------------------------------------------------------------------------------ */

static lcal_status choose_recompute(lcal__passes *passes, const lcal__settings *settings,
                                    const lcal__network *network, const lcal__exec *exec,
                                    size_t budget, lcal_error *err)
{
    size_t workspace;
    switch (settings->train.recompute) {
    case LCAL__RECOMPUTE_NEVER:
        passes->train_options.recompute_blocks = 0;
        break;
    case LCAL__RECOMPUTE_ALWAYS:
        passes->train_options.recompute_blocks = network->config.layers;
        break;
    case LCAL__RECOMPUTE_AUTO:
        return lcal__tape_choose_recompute(network, exec, &passes->train_options, budget,
                                           &passes->train_options.recompute_blocks, &workspace,
                                           err);
    }
    return LCAL_OK;
}

lcal_status lcal__passes_plan(lcal__passes *passes, const lcal__settings *settings,
                              const lcal__network *network, const lcal__exec *exec, size_t budget,
                              lcal_error *err)
{
    LCAL_TRY(choose_recompute(passes, settings, network, exec, budget, err));
    LCAL_TRY(lcal__tape_record(network, exec, &passes->train_options, &passes->train, err));
    passes->workspace_bytes = lcal__tape_workspace(passes->train);
    if (!passes->valid_data)
        return LCAL_OK;
    LCAL_TRY(lcal__tape_record(network, exec, &passes->valid_options, &passes->valid, err));
    if (lcal__tape_workspace(passes->valid) > passes->workspace_bytes)
        passes->workspace_bytes = lcal__tape_workspace(passes->valid);
    return LCAL_OK;
}

lcal_status lcal__passes_allocate(lcal__passes *passes, lcal_error *err)
{
    passes->workspace = lcal__alloc_aligned(passes->workspace_bytes, 1);
    if (!passes->workspace)
        return lcal__fail(err, LCAL_NOMEM,
                          "out of memory: the workspace of %zu MiB cannot be allocated; lower "
                          "train.batch_tokens or set train.recompute: always",
                          passes->workspace_bytes >> 20);
    lcal__tape_bind(passes->train, passes->workspace);
    if (passes->valid)
        lcal__tape_bind(passes->valid, passes->workspace);
    return LCAL_OK;
}

void lcal__passes_free(lcal__passes *passes)
{
    lcal__tape_close(&passes->train);
    lcal__tape_close(&passes->valid);
    lcal__batch_free(&passes->batch);
    lcal__batch_free(&passes->single);
    lcal__batch_free(&passes->valid_batch);
    lcal__free(passes->workspace);
    *passes = (lcal__passes){0};
}

/* --- running ---------------------------------------------------------------------------- */

static double run_tape(lcal__tape *tape, const lcal__batch *batch, size_t labels)
{
    lcal__feed feed = {.batch = batch, .row_weight = (float)(1.0 / (double)labels)};
    lcal__tape_run(tape, &feed);
    return feed.loss_sum;
}

static double run_training(const lcal__passes *passes, const lcal__batch *batch, size_t labels)
{
    lcal__feed feed = {.batch = batch, .row_weight = (float)(1.0 / (double)labels)};
    if (passes->teach)
        passes->teach(passes->teach_user, batch, &feed);
    lcal__tape_run(passes->train, &feed);
    return feed.loss_sum;
}

/* Document `index` of a batch alone. *row is the batch's first row of that document, and then of
 * the next one. */
static void take_document(const lcal__batch *batch, size_t index, size_t *row, lcal__batch *out)
{
    const size_t first = batch->starts[index], end = batch->starts[index + 1];
    lcal__batch_clear(out);
    out->tokens = end - first;
    memcpy(out->ids, batch->ids + first, out->tokens * sizeof(*out->ids));
    memcpy(out->positions, batch->positions + first, out->tokens * sizeof(*out->positions));
    for (; *row < batch->rows && (size_t)batch->row_token[*row] < end; ++*row) {
        out->row_token[out->rows] = batch->row_token[*row] - (int32_t)first;
        out->row_target[out->rows] = batch->row_target[*row];
        out->counted += batch->row_target[*row] >= 0;
        out->rows++;
    }
    out->documents = 1;
    out->starts[1] = out->tokens;
}

static double run_batch(lcal__passes *passes, size_t labels)
{
    double loss = 0.0;
    if (!passes->single.ids)
        return run_training(passes, &passes->batch, labels);
    for (size_t d = 0, row = 0; d < passes->batch.documents; d++) {
        take_document(&passes->batch, d, &row, &passes->single);
        loss += run_training(passes, &passes->single, labels);
    }
    return loss;
}

lcal__pass_sums lcal__passes_step(lcal__passes *passes, lcal__batcher *batcher)
{
    lcal__pass_sums sums = {0};
    const uint64_t cursor = batcher->cursor;
    /* The weight of a label is known only once all labels of the step are: batches are cheap to
     * make, so they are made twice rather than kept. */
    for (size_t a = 0; a < passes->accumulate; a++) {
        lcal__batcher_next(batcher, &passes->batch);
        sums.labels += passes->batch.counted;
        sums.tokens += passes->batch.tokens;
    }
    if (passes->accumulate > 1)
        batcher->cursor = cursor;
    for (size_t a = 0; a < passes->accumulate; a++) {
        if (passes->accumulate > 1)
            lcal__batcher_next(batcher, &passes->batch);
        sums.loss += run_batch(passes, sums.labels);
    }
    sums.loss /= (double)sums.labels;
    if (passes->penalty)
        sums.loss += passes->penalty(passes->teach_user);
    return sums;
}

double lcal__passes_validate(lcal__passes *passes)
{
    const lcal__dataset *data = passes->valid_data;
    lcal__batch *batch = &passes->valid_batch;
    double loss = 0.0;
    for (size_t next = 0; next < data->count;) {
        lcal__batch_clear(batch);
        do
            lcal__batch_add(batch, &data->examples[next++], false);
        while (next < data->count
               && data->examples[next].length <= passes->valid_tokens - batch->tokens);
        loss += run_tape(passes->valid, batch, data->counted);
    }
    return loss / (double)data->counted;
}
