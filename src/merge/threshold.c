/* How small an element may be and still belong to the largest of its adapter. */
#include "base/mem.h"
#include "merge/parts.h"
#include "merge/select.h"

/* One adapter's elements on their way through the passes. */
typedef struct scan {
    const lcal__exec *exec;
    lcal__select select;
    const float *block;
    size_t cols;
} scan;

static void count_rows(void *context, size_t first, size_t count, size_t worker)
{
    scan *s = context;
    lcal__select_add(&s->select, s->block + first * s->cols, count * s->cols, worker);
}

static lcal_status scan_module(scan *s, const lcal__lora_pair *pair, size_t rows, size_t cols,
                               lcal_error *err)
{
    const size_t most = lcal__delta_block(rows, cols);
    float *block = lcal__alloc_aligned(most * cols, sizeof(float));
    if (!block)
        return lcal__fail_nomem(err, "rows of a dense update");
    s->block = block;
    s->cols = cols;
    for (size_t first = 0; first < rows; first += most) {
        const size_t count = rows - first < most ? rows - first : most;
        lcal__delta_rows(s->exec, pair, pair->scale, first, count, cols, block);
        lcal__for_rows(s->exec, count, cols, count_rows, s);
    }
    lcal__free(block);
    return LCAL_OK;
}

static lcal_status scan_adapter(scan *s, const lcal__merge *merge, const lcal__adapter *adapter,
                                lcal_error *err)
{
    for (size_t layer = 0; layer < adapter->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__lora_pair *pair = lcal__adapter_pair(adapter, layer, p);
            if (pair->a)
                LCAL_TRY(scan_module(s, pair, lcal__proj_out(merge->config, p),
                                     lcal__proj_in(merge->config, p), err));
        }
    return LCAL_OK;
}

static uint64_t count_elements(const lcal__merge *merge, const lcal__adapter *adapter)
{
    uint64_t elements = 0;
    for (size_t layer = 0; layer < adapter->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
            if (lcal__adapter_pair(adapter, layer, p)->a)
                elements +=
                    (uint64_t)lcal__proj_out(merge->config, p) * lcal__proj_in(merge->config, p);
    return elements;
}

/* Of an adapter as a whole, or of one pair of extents [rows, cols]. */
static lcal_status find(const lcal__merge *merge, const lcal__adapter *adapter,
                        const lcal__lora_pair *pair, size_t rows, size_t cols, float *threshold,
                        lcal_error *err)
{
    const double density = merge->settings.density;
    const uint64_t elements = adapter ? count_elements(merge, adapter) : (uint64_t)rows * cols;
    scan s = {.exec = &merge->exec};
    *threshold = 0.0f;
    if (density >= 1.0)
        return LCAL_OK;
    lcal_status status = lcal__select_open(&s.select, merge->exec.threads,
                                           lcal__select_count(density, elements), err);
    for (int pass = 0; pass < LCAL__SELECT_PASSES && status == LCAL_OK; pass++) {
        status = adapter ? scan_adapter(&s, merge, adapter, err)
                         : scan_module(&s, pair, rows, cols, err);
        lcal__select_next(&s.select);
    }
    *threshold = s.select.threshold;
    lcal__select_close(&s.select);
    return status;
}

lcal_status lcal__thresholds_module(const lcal__merge *merge, const lcal__merge_part *parts,
                                    size_t count, size_t rows, size_t cols, float *thresholds,
                                    lcal_error *err)
{
    for (size_t i = 0; i < count; i++)
        LCAL_TRY(find(merge, NULL, parts[i].pair, rows, cols, &thresholds[parts[i].index], err));
    return LCAL_OK;
}

lcal_status lcal__thresholds_model(const lcal__merge *merge, float *thresholds, lcal_error *err)
{
    for (size_t i = 0; i < merge->count; i++)
        LCAL_TRY(find(merge, merge->uses[i].adapter, NULL, 0, 0, &thresholds[i], err));
    return LCAL_OK;
}
