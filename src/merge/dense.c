/* Updates of full rank, made a block of rows at a time. */
#include <stdio.h>

#include "base/mem.h"
#include "merge/combine.h"
#include "merge/parts.h"
#include "merge/prune.h"
#include "model/adapter_names.h"
#include "num/gemm.h"

/* 4 MiB an adapter. */
#define BLOCK_FLOATS ((size_t)1 << 20)

size_t lcal__delta_block(size_t rows, size_t cols)
{
    size_t most = BLOCK_FLOATS / (cols ? cols : 1);
    if (most == 0)
        most = 1;
    return most < rows ? most : rows;
}

void lcal__delta_rows(const lcal__exec *exec, const lcal__lora_pair *pair, float scale,
                      size_t first, size_t count, size_t cols, float *out)
{
    lcal__gemm(exec, false, false, count, cols, pair->rank, scale, pair->b + first * pair->rank,
               pair->rank, pair->a, cols, 0.0f, out, cols);
}

/* One block on its way: the adapters' rows become the merged ones. */
typedef struct block {
    const lcal__merge_settings *settings;
    const lcal__merge_part *parts;
    const float *thresholds; /* by adapter; NULL: elements are chosen at random, if at all */
    const uint64_t *streams; /* [combination.count] */
    lcal__combination how;
    size_t first, cols, stride;
    float *values; /* [combination.count, stride] */
    float *out;    /* [rows, cols] */
} block;

static void merge_rows(void *context, size_t first, size_t count, size_t worker)
{
    (void)worker;
    const block *b = context;
    const size_t start = first * b->cols, n = count * b->cols;
    for (size_t i = 0; i < b->how.count; i++) {
        float *values = b->values + i * b->stride + start;
        if (b->thresholds)
            lcal__prune_small(values, n, b->thresholds[b->parts[i].index]);
        else
            lcal__prune_random(values, n, (uint64_t)b->first * b->cols + start,
                               b->settings->density, b->settings->seed, b->streams[i]);
    }
    lcal__combine(&b->how, b->values + start, b->stride, n, b->out + start);
}

static bool is_elected(lcal__merge_rule rule)
{
    return rule == LCAL__MERGE_TIES || rule == LCAL__MERGE_DARE_TIES;
}

static bool is_random(lcal__merge_rule rule)
{
    return rule == LCAL__MERGE_DARE_LINEAR || rule == LCAL__MERGE_DARE_TIES;
}

static void run_blocks(const lcal__merged *merged, block *b, size_t most, lcal__merged_fn *fn,
                       void *context)
{
    const lcal__exec *exec = &merged->merge->exec;
    for (b->first = 0; b->first < merged->rows; b->first += most) {
        const size_t left = merged->rows - b->first, count = left < most ? left : most;
        for (size_t i = 0; i < b->how.count; i++)
            lcal__delta_rows(exec, b->parts[i].pair, b->parts[i].pair->scale, b->first, count,
                             b->cols, b->values + i * b->stride);
        lcal__for_rows(exec, count, b->cols, merge_rows, b);
        fn(context, b->first, count, b->out);
    }
}

lcal_status lcal__dense_rows(const lcal__merged *merged, lcal__merged_fn *fn, void *context,
                             lcal_error *err)
{
    const lcal__merge *merge = merged->merge;
    const lcal__merge_settings *settings = &merge->settings;
    const size_t most = lcal__delta_block(merged->rows, merged->cols);
    lcal__merge_part *parts = NULL;
    size_t count = 0;
    char module[LCAL__MODULE_NAME_MAX];
    LCAL_TRY(lcal__merge_parts(merge, merged->layer, merged->proj, &parts, &count, err));
    double *weights = lcal__calloc(count, sizeof(*weights));
    uint64_t *streams = lcal__calloc(count, sizeof(*streams));
    block b = {
        .settings = settings,
        .parts = parts,
        .thresholds = merged->thresholds ? merged->thresholds : merge->thresholds,
        .streams = streams,
        .how = {count, weights, is_elected(settings->method), settings->majority,
                settings->election, settings->lambda},
        .cols = merged->cols,
        .stride = most * merged->cols,
        .values = lcal__alloc_aligned(count, most * merged->cols * sizeof(float)),
        .out = lcal__alloc_aligned(most * merged->cols, sizeof(float)),
    };
    if (is_random(settings->method))
        b.thresholds = NULL;
    lcal_status status = LCAL_OK;
    if (weights && streams && b.values && b.out) {
        lcal__module_name(merged->layer, merged->proj, module);
        for (size_t i = 0; i < count; i++) {
            weights[i] = (double)parts[i].weight;
            streams[i] = lcal__prune_stream(parts[i].index, module);
        }
        run_blocks(merged, &b, most, fn, context);
    } else {
        status = lcal__fail_nomem(err, "rows of a dense update");
    }
    lcal__free(b.out);
    lcal__free(b.values);
    lcal__free(streams);
    lcal__free(weights);
    lcal__free(parts);
    return status;
}
