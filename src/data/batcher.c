#include "base/mem.h"
#include "data/batch.h"

#define NO_EPOCH UINT64_MAX

lcal_status lcal__batcher_init(lcal__batcher *batcher, const lcal__dataset *dataset, bool shuffle,
                               uint64_t seed, size_t batch_tokens, size_t batch_size,
                               lcal_error *err)
{
    *batcher = (lcal__batcher){.dataset = dataset,
                               .shuffle = shuffle,
                               .seed = seed,
                               .batch_tokens = batch_tokens,
                               .batch_size = batch_size,
                               .order_epoch = NO_EPOCH};
    if (dataset->count == 0 || (batch_tokens == 0 && batch_size == 0))
        return lcal__fail(err, LCAL_INVALID,
                          "batches: expected examples and a limit of tokens or of examples, found "
                          "%zu examples, batch_tokens %zu, batch_size %zu",
                          dataset->count, batch_tokens, batch_size);
    batcher->order = lcal__calloc(dataset->count, sizeof(*batcher->order));
    return batcher->order ? LCAL_OK : lcal__fail_nomem(err, "the order of the examples");
}

static void order_epoch(lcal__batcher *batcher, uint64_t epoch)
{
    size_t count = batcher->dataset->count;
    for (size_t i = 0; i < count; i++)
        batcher->order[i] = (uint32_t)i;
    if (batcher->shuffle) {
        /* Each epoch is a stream of its own, so that any of them can be entered directly. */
        lcal__rng rng = {.seed = batcher->seed, .stream = lcal__rng_stream("shuffle") + epoch};
        lcal__rng_shuffle(&rng, batcher->order, count);
    }
    batcher->order_epoch = epoch;
}

static const lcal__example *example_at(lcal__batcher *batcher, uint64_t cursor)
{
    uint64_t epoch = cursor / batcher->dataset->count;
    if (epoch != batcher->order_epoch)
        order_epoch(batcher, epoch);
    return &batcher->dataset->examples[batcher->order[cursor % batcher->dataset->count]];
}

void lcal__batcher_next(lcal__batcher *batcher, lcal__batch *batch)
{
    lcal__batch_clear(batch);
    while (batcher->batch_size == 0 || batch->documents < batcher->batch_size) {
        const lcal__example *example = example_at(batcher, batcher->cursor);
        size_t room =
            batcher->batch_tokens > batch->tokens ? batcher->batch_tokens - batch->tokens : 0;
        /* The first one always goes in, whatever its length: a batch is never empty. */
        if (batch->documents > 0 && batcher->batch_tokens > 0 && example->length > room)
            break;
        lcal__batch_add(batch, example, false);
        batcher->cursor++;
    }
}

void lcal__batcher_capacity(const lcal__batcher *batcher, size_t *tokens, size_t *documents)
{
    const lcal__dataset *dataset = batcher->dataset;
    size_t shortest = dataset->longest;
    for (size_t i = 0; i < dataset->count; i++)
        if (dataset->examples[i].length < shortest)
            shortest = dataset->examples[i].length;
    *tokens = SIZE_MAX;
    *documents = SIZE_MAX;
    if (batcher->batch_size > 0) {
        *documents = batcher->batch_size;
        if (!lcal__size_mul(batcher->batch_size, dataset->longest, tokens))
            *tokens = SIZE_MAX;
    }
    if (batcher->batch_tokens > 0) {
        size_t most = batcher->batch_tokens / shortest;
        if (most < *documents)
            *documents = most ? most : 1;
        if (batcher->batch_tokens < *tokens)
            *tokens = batcher->batch_tokens;
        if (dataset->longest > *tokens)
            *tokens = dataset->longest;
    }
}

void lcal__batcher_free(lcal__batcher *batcher)
{
    lcal__free(batcher->order);
    *batcher = (lcal__batcher){0};
}
