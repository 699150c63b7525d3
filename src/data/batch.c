#include "data/batch.h"

#include "base/mem.h"

lcal_status lcal__batch_init(lcal__batch *batch, size_t tokens, size_t documents, lcal_error *err)
{
    *batch = (lcal__batch){0};
    if (tokens > INT32_MAX)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "a batch of %zu tokens: expected at most %d; lower train.batch_tokens, "
                          "train.batch_size or data.max_length",
                          tokens, INT32_MAX);
    batch->ids = lcal__calloc(tokens, sizeof(*batch->ids));
    batch->positions = lcal__calloc(tokens, sizeof(*batch->positions));
    batch->row_token = lcal__calloc(tokens, sizeof(*batch->row_token));
    batch->row_target = lcal__calloc(tokens, sizeof(*batch->row_target));
    if (documents < SIZE_MAX)
        batch->starts = lcal__calloc(documents + 1, sizeof(*batch->starts));
    if (batch->ids && batch->positions && batch->row_token && batch->row_target && batch->starts)
        return LCAL_OK;
    lcal__batch_free(batch);
    return lcal__fail_nomem(err, "a batch");
}

void lcal__batch_clear(lcal__batch *batch)
{
    batch->tokens = batch->documents = batch->rows = batch->counted = 0;
    batch->starts[0] = 0;
}

void lcal__batch_add(lcal__batch *batch, const lcal__example *example, bool all_rows)
{
    size_t first = batch->tokens;
    for (size_t t = 0; t < example->length; t++) {
        int32_t target = t + 1 < example->length ? example->labels[t + 1] : LCAL__LABEL_IGNORE;
        bool counts = target != LCAL__LABEL_IGNORE;
        batch->ids[first + t] = example->ids[t];
        batch->positions[first + t] = (int32_t)t;
        if (!counts && !all_rows)
            continue;
        batch->row_token[batch->rows] = (int32_t)(first + t);
        batch->row_target[batch->rows] = counts ? target : -1;
        batch->rows++;
        batch->counted += counts;
    }
    batch->tokens += example->length;
    batch->starts[++batch->documents] = batch->tokens;
}

void lcal__batch_free(lcal__batch *batch)
{
    lcal__free(batch->ids);
    lcal__free(batch->positions);
    lcal__free(batch->starts);
    lcal__free(batch->row_token);
    lcal__free(batch->row_target);
    *batch = (lcal__batch){0};
}
