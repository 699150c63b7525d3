#include "merge/merge.h"

#include <string.h>

#include "base/mem.h"
#include "config/merge_rule.h"
#include "merge/cut.h"
#include "merge/parts.h"
#include "model/adapter_names.h"
#include "num/gemm.h"

bool lcal__merge_is_factored(lcal__merge_rule rule)
{
    switch (rule) {
    case LCAL__MERGE_TIES:
    case LCAL__MERGE_DARE_LINEAR:
    case LCAL__MERGE_DARE_TIES:
    case LCAL__MERGE_MAGNITUDE_PRUNE:
        return false;
    case LCAL__MERGE_CONCAT:
    case LCAL__MERGE_LINEAR:
    case LCAL__MERGE_SLERP:
    case LCAL__MERGE_SVD:
    case LCAL__MERGE_PEFT_LINEAR:
    case LCAL__MERGE_PEFT_TIES:
    case LCAL__MERGE_PEFT_DARE_LINEAR:
    case LCAL__MERGE_PEFT_DARE_TIES:
    case LCAL__MERGE_PEFT_MAGNITUDE_PRUNE:
    case LCAL__MERGE_PEFT_SVD:
        break;
    }
    return true;
}

static bool is_svd(lcal__merge_rule rule)
{
    return rule == LCAL__MERGE_SVD || rule == LCAL__MERGE_PEFT_SVD;
}

/* Rules that do factor arithmetic element by element. */
static bool is_peft(lcal__merge_rule rule)
{
    return rule >= LCAL__MERGE_PEFT_LINEAR && rule <= LCAL__MERGE_PEFT_MAGNITUDE_PRUNE;
}

static bool has_thresholds(const lcal__merge_settings *settings)
{
    return settings->method == LCAL__MERGE_TIES || settings->method == LCAL__MERGE_MAGNITUDE_PRUNE;
}

/* --- opening ----------------------------------------------------------------------------- */

static lcal_status check_ranks(const lcal__merge *merge, lcal_error *err)
{
    for (size_t layer = 0; layer < merge->config->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__lora_pair *first = NULL;
            for (size_t i = 0; i < merge->count; i++) {
                const lcal__lora_pair *pair = lcal__adapter_pair(merge->uses[i].adapter, layer, p);
                char module[LCAL__MODULE_NAME_MAX];
                if (!pair->a)
                    continue;
                if (!first)
                    first = pair;
                if (pair->rank == first->rank)
                    continue;
                lcal__module_name(layer, p, module);
                return lcal__fail(err, LCAL_INVALID,
                                  "merge.method: %s adds factors of one rank, but %s has ranks %zu "
                                  "and %zu; use concat, ties or another rule on products",
                                  lcal__merge_rule_name(merge->settings.method), module,
                                  first->rank, pair->rank);
            }
        }
    return LCAL_OK;
}

/* Only a sum says what becomes of biases. */
static lcal_status check_biases(const lcal__merge *merge, lcal_error *err)
{
    for (size_t i = 0; i < merge->count; i++) {
        const lcal__adapter *adapter = merge->uses[i].adapter;
        for (size_t p = 0; p < adapter->layers * LCAL__PROJ_COUNT; p++)
            if (adapter->pairs[p].bias)
                return lcal__fail(err, LCAL_INVALID,
                                  "merge.method: %s merges matrices, but the adapter %s has biases "
                                  "(lora_bias); use concat or linear",
                                  lcal__merge_rule_name(merge->settings.method),
                                  adapter->directory ? adapter->directory : "given");
    }
    return LCAL_OK;
}

lcal_status lcal__merge_open(const lcal__merge_settings *settings, const lcal__adapter_use *uses,
                             size_t count, const lcal__model_config *config, const lcal__exec *exec,
                             lcal__merge *out, lcal_error *err)
{
    *out = (lcal__merge){.uses = uses, .count = count, .config = config, .exec = *exec};
    if (settings)
        out->settings = *settings;
    if (out->settings.method == LCAL__MERGE_SLERP && count != 2)
        return lcal__fail(err, LCAL_INVALID,
                          "merge.method: slerp lies between two adapters, found %zu", count);
    if (out->settings.method != LCAL__MERGE_CONCAT && out->settings.method != LCAL__MERGE_LINEAR)
        LCAL_TRY(check_biases(out, err));
    return is_peft(out->settings.method) ? check_ranks(out, err) : LCAL_OK;
}

void lcal__merge_close(lcal__merge *merge)
{
    lcal__free(merge->thresholds);
    *merge = (lcal__merge){0};
}

lcal_status lcal__merge_prepare(lcal__merge *merge, lcal_error *err)
{
    if (merge->thresholds || !has_thresholds(&merge->settings)
        || merge->settings.scope == LCAL__SCOPE_MODULE)
        return LCAL_OK;
    merge->thresholds = lcal__calloc(merge->count, sizeof(*merge->thresholds));
    if (!merge->thresholds)
        return lcal__fail_nomem(err, "thresholds of adapters");
    return lcal__thresholds_model(merge, merge->thresholds, err);
}

/* --- a module ---------------------------------------------------------------------------- */

lcal_status lcal__merge_parts(const lcal__merge *merge, size_t layer, lcal__proj proj,
                              lcal__merge_part **parts, size_t *count, lcal_error *err)
{
    *parts = lcal__calloc(merge->count, sizeof(**parts));
    *count = 0;
    if (!*parts)
        return lcal__fail_nomem(err, "the adapters of a module");
    for (size_t i = 0; i < merge->count; i++) {
        const lcal__lora_pair *pair = lcal__adapter_pair(merge->uses[i].adapter, layer, proj);
        if (pair->a)
            (*parts)[(*count)++] = (lcal__merge_part){pair, i, merge->uses[i].weight};
    }
    return LCAL_OK;
}

static size_t largest_rank(const lcal__adapter *adapter)
{
    size_t rank = 0;
    for (size_t i = 0; i < adapter->layers * LCAL__PROJ_COUNT; i++)
        if (adapter->pairs[i].a && adapter->pairs[i].rank > rank)
            rank = adapter->pairs[i].rank;
    return rank;
}

/* Rank that svd cuts a module to; 0: its adapters' pairs have no more than wanted as they are. */
static size_t cut_rank(const lcal__merge *merge, size_t layer, lcal__proj proj)
{
    size_t total = 0, largest = 0, wanted = (size_t)merge->settings.rank;
    for (size_t i = 0; i < merge->count; i++) {
        const lcal__adapter *adapter = merge->uses[i].adapter;
        const lcal__lora_pair *pair = lcal__adapter_pair(adapter, layer, proj);
        size_t rank = pair->a ? pair->rank : 0;
        total += rank;
        if (merge->settings.method == LCAL__MERGE_PEFT_SVD)
            rank = largest_rank(adapter);
        if (rank > largest)
            largest = rank;
    }
    if (wanted == 0)
        wanted = largest;
    const size_t rows = lcal__proj_out(merge->config, proj);
    const size_t cols = lcal__proj_in(merge->config, proj);
    if (total <= wanted)
        return 0;
    if (wanted > rows)
        wanted = rows;
    return wanted < cols ? wanted : cols;
}

lcal__merge_shape lcal__merge_shape_of(const lcal__merge *merge, size_t layer, lcal__proj proj)
{
    const lcal__merge_rule rule = merge->settings.method;
    const size_t width = lcal__proj_out(merge->config, proj) + lcal__proj_in(merge->config, proj);
    lcal__merge_shape shape = {0};
    size_t one = 0;
    for (size_t i = 0; i < merge->count; i++) {
        const lcal__lora_pair *pair = lcal__adapter_pair(merge->uses[i].adapter, layer, proj);
        if (!pair->a)
            continue;
        shape.adapters++;
        shape.rank += pair->rank;
        one = pair->rank;
    }
    if (!lcal__merge_is_factored(rule) || shape.adapters == 0)
        return (lcal__merge_shape){.adapters = shape.adapters};
    shape.pairs = shape.adapters;
    if (is_svd(rule))
        one = cut_rank(merge, layer, proj);
    if (is_peft(rule) || (is_svd(rule) && one)) {
        shape.pairs = 1;
        shape.rank = one;
        shape.floats = one * width;
    }
    return shape;
}

lcal_status lcal__merge_sum(const lcal__merge_part *parts, size_t count, lcal__merged *out,
                            lcal_error *err)
{
    out->pairs = lcal__calloc(count, sizeof(*out->pairs));
    if (!out->pairs)
        return lcal__fail_nomem(err, "merged factors");
    for (size_t i = 0; i < count; i++) {
        out->pairs[i] = *parts[i].pair;
        out->pairs[i].scale *= parts[i].weight;
    }
    out->count = count;
    return LCAL_OK;
}

/* The exact sum cut to a rank. */
static lcal_status cut_sum(const lcal__merge_part *parts, size_t count, size_t rank,
                           lcal__merged *out, lcal_error *err)
{
    lcal__cut cut;
    LCAL_TRY(lcal__merge_sum(parts, count, out, err));
    LCAL_TRY(lcal__cut_pairs(&out->merge->exec, out->pairs, count, out->rows, out->cols, rank, &cut,
                             err));
    out->pairs[0] = cut.pair;
    out->count = 1;
    out->values = cut.values;
    out->truncation = cut.truncation;
    return LCAL_OK;
}

static lcal_status factor(const lcal__merge_part *parts, size_t count, lcal__merged *out,
                          lcal_error *err)
{
    const lcal__merge_rule rule = out->merge->settings.method;
    if (is_peft(rule))
        return lcal__merge_peft(parts, count, out, err);
    if (rule == LCAL__MERGE_SLERP)
        return lcal__merge_slerp(parts, count, out, err);
    const size_t rank = is_svd(rule) ? cut_rank(out->merge, out->layer, out->proj) : 0;
    return rank ? cut_sum(parts, count, rank, out, err) : lcal__merge_sum(parts, count, out, err);
}

static lcal_status find_thresholds(const lcal__merge_part *parts, size_t count, lcal__merged *out,
                                   lcal_error *err)
{
    const lcal__merge *merge = out->merge;
    if (!has_thresholds(&merge->settings) || merge->settings.scope == LCAL__SCOPE_MODEL)
        return LCAL_OK;
    out->thresholds = lcal__calloc(merge->count, sizeof(*out->thresholds));
    if (!out->thresholds)
        return lcal__fail_nomem(err, "thresholds of a module");
    return lcal__thresholds_module(merge, parts, count, out->rows, out->cols, out->thresholds, err);
}

lcal_status lcal__merge_module(const lcal__merge *merge, size_t layer, lcal__proj proj,
                               lcal__merged *out, lcal_error *err)
{
    lcal__merge_part *parts;
    size_t count;
    *out = (lcal__merged){
        .merge = merge,
        .layer = layer,
        .proj = proj,
        .rows = lcal__proj_out(merge->config, proj),
        .cols = lcal__proj_in(merge->config, proj),
        .factored = true,
    };
    lcal_status status = lcal__merge_parts(merge, layer, proj, &parts, &count, err);
    if (status == LCAL_OK && count) {
        out->factored = lcal__merge_is_factored(merge->settings.method);
        status = out->factored ? factor(parts, count, out, err)
                               : find_thresholds(parts, count, out, err);
    }
    lcal__free(parts);
    if (status != LCAL_OK)
        lcal__merged_free(out);
    return status;
}

void lcal__merged_free(lcal__merged *merged)
{
    lcal__free(merged->pairs);
    lcal__free(merged->values);
    lcal__free(merged->thresholds);
    *merged = (lcal__merged){0};
}

/* --- its update as numbers --------------------------------------------------------------- */

lcal_status lcal__merged_rows(const lcal__merged *merged, lcal__merged_fn *fn, void *context,
                              lcal_error *err)
{
    if (!merged->factored)
        return lcal__dense_rows(merged, fn, context, err);
    const size_t most = lcal__delta_block(merged->rows, merged->cols), cols = merged->cols;
    const lcal__exec *exec = &merged->merge->exec;
    float *block = lcal__alloc_aligned(most * cols, sizeof(float));
    if (!block)
        return lcal__fail_nomem(err, "rows of a dense update");
    for (size_t first = 0; first < merged->rows; first += most) {
        const size_t left = merged->rows - first, count = left < most ? left : most;
        memset(block, 0, count * cols * sizeof(*block));
        for (size_t i = 0; i < merged->count; i++) {
            const lcal__lora_pair *pair = &merged->pairs[i];
            lcal__gemm(exec, false, false, count, cols, pair->rank, pair->scale,
                       pair->b + first * pair->rank, pair->rank, pair->a, cols, i ? 1.0f : 0.0f,
                       block, cols);
        }
        fn(context, first, count, block);
    }
    lcal__free(block);
    return LCAL_OK;
}

typedef struct addition {
    const lcal__exec *exec;
    float *w;
    size_t cols;
} addition;

static void add_block(void *context, size_t first, size_t count, const float *rows)
{
    const addition *a = context;
    a->exec->kernels->add(a->w + first * a->cols, rows, count * a->cols);
}

lcal_status lcal__merged_add(const lcal__merged *merged, float *w, lcal_error *err)
{
    if (!merged->merge || (merged->factored && merged->count == 0))
        return LCAL_OK;
    const lcal__exec *exec = &merged->merge->exec;
    for (size_t i = 0; merged->factored && i < merged->count; i++) {
        const lcal__lora_pair *pair = &merged->pairs[i];
        lcal__gemm(exec, false, false, merged->rows, merged->cols, pair->rank, pair->scale, pair->b,
                   pair->rank, pair->a, merged->cols, 1.0f, w, merged->cols);
    }
    addition a = {exec, w, merged->cols};
    return merged->factored ? LCAL_OK : lcal__merged_rows(merged, add_block, &a, err);
}
