/*
 * What PEFT's add_weighted_adapter computes for equal ranks: its rules work on the factors, A and B
 * each for itself, and the product of the results has cross terms B_i A_j.
 *
 *   c_i = sqrt(|w_i s_i|), A = rule of (sgn(w_i s_i) c_i, A_i), B = rule of (c_i, B_i), D = B A
 *
 * Here the largest c is taken out of the factors, its square into the scale of the pair, so that
 * one adapter comes back as it is. rsLoRA scales are honoured.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "merge/combine.h"
#include "merge/parts.h"
#include "merge/prune.h"
#include "merge/select.h"
#include "model/adapter_names.h"

/* The rule at work on one factor of all adapters. */
typedef struct factor {
    const lcal__merge *merge;
    const lcal__merge_part *parts;
    lcal__combination how;
    char name[LCAL__MODULE_NAME_MAX + 8]; /* of the tensor, for DARE */
    bool is_b;
    size_t rows, cols;
    float *values; /* [how.count, rows * cols] copies to prune */
} factor;

static bool prunes_small(lcal__merge_rule rule)
{
    return rule == LCAL__MERGE_PEFT_TIES || rule == LCAL__MERGE_PEFT_MAGNITUDE_PRUNE;
}

static bool prunes_random(lcal__merge_rule rule)
{
    return rule == LCAL__MERGE_PEFT_DARE_LINEAR || rule == LCAL__MERGE_PEFT_DARE_TIES;
}

static bool elects(lcal__merge_rule rule)
{
    return rule == LCAL__MERGE_PEFT_TIES || rule == LCAL__MERGE_PEFT_DARE_TIES;
}

/* PEFT takes linear for a single adapter, whatever was asked for. */
static lcal__merge_rule rule_of(const lcal__merge *merge)
{
    return merge->count == 1 ? LCAL__MERGE_PEFT_LINEAR : merge->settings.method;
}

static lcal_status prune(const factor *f, size_t i, lcal_error *err)
{
    const lcal__merge_settings *settings = &f->merge->settings;
    const size_t n = f->rows * f->cols;
    float *values = f->values + i * n;
    if (prunes_random(rule_of(f->merge)))
        lcal__prune_random(values, n, 0, settings->density, settings->seed,
                           lcal__prune_stream(f->parts[i].index, f->name));
    if (!prunes_small(rule_of(f->merge)) || settings->density >= 1.0)
        return LCAL_OK;
    lcal__select select;
    LCAL_TRY(lcal__select_open(&select, 1, lcal__select_count(settings->density, n), err));
    for (int pass = 0; pass < LCAL__SELECT_PASSES; pass++) {
        lcal__select_add(&select, values, n, 0);
        lcal__select_next(&select);
    }
    lcal__prune_small(values, n, select.threshold);
    lcal__select_close(&select);
    return LCAL_OK;
}

static lcal_status merge_factor(factor *f, float *out, lcal_error *err)
{
    const size_t n = f->rows * f->cols;
    lcal_status status = LCAL_OK;
    f->values = lcal__alloc_aligned(f->how.count, n * sizeof(float));
    if (!f->values)
        return lcal__fail_nomem(err, f->name);
    for (size_t i = 0; i < f->how.count && status == LCAL_OK; i++) {
        const lcal__lora_pair *pair = f->parts[i].pair;
        memcpy(f->values + i * n, f->is_b ? pair->b : pair->a, n * sizeof(float));
        status = prune(f, i, err);
    }
    if (status == LCAL_OK)
        lcal__combine(&f->how, f->values, n, n, out);
    lcal__free(f->values);
    return status;
}

static lcal_status merge_factors(const lcal__merge_part *parts, size_t count, double *weights,
                                 lcal__merged *out, lcal_error *err)
{
    const lcal__merge_settings *settings = &out->merge->settings;
    const size_t rank = parts[0].pair->rank;
    float *a = out->values, *b = a + rank * out->cols;
    char module[LCAL__MODULE_NAME_MAX];
    double largest = 0.0;
    lcal__module_name(out->layer, out->proj, module);
    for (size_t half = LCAL__LORA_A; half <= LCAL__LORA_B; half++) {
        factor f = {.merge = out->merge, .parts = parts, .is_b = half == LCAL__LORA_B};
        for (size_t i = 0; i < count; i++) {
            const double product = (double)parts[i].weight * (double)parts[i].pair->scale;
            weights[i] = product;
            largest = fmax(largest, fabs(product));
        }
        for (size_t i = 0; i < count && largest > 0.0; i++) {
            const double c = sqrt(fabs(weights[i]) / largest);
            weights[i] = weights[i] < 0.0 && !f.is_b ? -c : c;
        }
        f.how = (lcal__combination){
            count, weights, elects(rule_of(out->merge)), settings->majority, LCAL__ELECTION_PLAIN,
            1.0};
        f.rows = f.is_b ? out->rows : rank;
        f.cols = f.is_b ? rank : out->cols;
        snprintf(f.name, sizeof(f.name), "%s.lora_%c", module, f.is_b ? 'B' : 'A');
        LCAL_TRY(merge_factor(&f, f.is_b ? b : a, err));
    }
    out->pairs[0] = (lcal__lora_pair){a, b, rank, (float)largest};
    out->count = 1;
    return LCAL_OK;
}

lcal_status lcal__merge_peft(const lcal__merge_part *parts, size_t count, lcal__merged *out,
                             lcal_error *err)
{
    const size_t rank = parts[0].pair->rank;
    out->pairs = lcal__calloc(1, sizeof(*out->pairs));
    out->values = lcal__alloc_aligned(rank, (out->rows + out->cols) * sizeof(float));
    double *weights = lcal__calloc(count, sizeof(*weights));
    lcal_status status = out->pairs && out->values && weights
                             ? merge_factors(parts, count, weights, out, err)
                             : lcal__fail_nomem(err, "merged factors");
    lcal__free(weights);
    return status;
}
