/* include/lcal/merge.h: a merge compared with the exact sum of the updates. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "config/merge_rule.h"
#include "lcal/merge.h"
#include "merge/merge.h"
#include "model/adapter_names.h"
#include "num/gemm.h"

/* Rows of a block, so that it has about so many numbers. */
#define BLOCK_FLOATS ((size_t)1 << 18)

static const char *formula(lcal__merge_rule rule)
{
    switch (rule) {
    case LCAL__MERGE_CONCAT:
    case LCAL__MERGE_LINEAR:
        return "D = sum of w_i D_i, exactly: the pairs side by side";
    case LCAL__MERGE_TIES:
        return "each D_i keeps its largest elements; every element elects a sign; D is the mean of "
               "those that agree with it, times lambda";
    case LCAL__MERGE_DARE_LINEAR:
        return "D = sum of w_i times a random choice of the elements of D_i over density";
    case LCAL__MERGE_DARE_TIES:
        return "a random choice of the elements of D_i over density, then elected as in ties";
    case LCAL__MERGE_SLERP:
        return "D lies between D_1 and D_2 along a great circle, at t";
    case LCAL__MERGE_MAGNITUDE_PRUNE:
        return "D = sum of w_i times the largest elements of D_i";
    case LCAL__MERGE_SVD:
    case LCAL__MERGE_PEFT_SVD:
        return "D is the matrix of the given rank nearest to the sum of w_i D_i";
    case LCAL__MERGE_PEFT_LINEAR:
        return "D = (sum of sqrt(w_i s_i) B_i) (sum of sqrt(w_i s_i) A_i): the sum and all cross "
               "terms B_i A_j";
    case LCAL__MERGE_PEFT_TIES:
        return "ties on the A and on the B of the adapters, each for itself, then multiplied";
    case LCAL__MERGE_PEFT_DARE_LINEAR:
        return "dare-linear on the A and on the B of the adapters, each for itself, then "
               "multiplied";
    case LCAL__MERGE_PEFT_DARE_TIES:
        return "dare-ties on the A and on the B of the adapters, each for itself, then multiplied";
    case LCAL__MERGE_PEFT_MAGNITUDE_PRUNE:
        break;
    }
    return "the largest elements of the A and of the B of the adapters, then added and multiplied";
}

/* --- sums over elements ---------------------------------------------------------------------- */

/* Inner products <D_i, D_j>, and squares of D, S and D - S. */
typedef struct sums {
    double *products; /* [count, count] */
    double merged, sum, apart;
} sums;

/* A module on its way. */
typedef struct walk {
    const lcal__merge *merge;
    size_t layer;
    lcal__proj proj;
    size_t cols, block; /* rows of a block */
    float *rows;        /* [count, block, cols] of the adapters */
    double *sum;        /* [cols] */
    sums *found;
} walk;

static double dot(const float *a, const float *b, size_t n)
{
    double total = 0.0;
    for (size_t i = 0; i < n; i++)
        total += (double)a[i] * (double)b[i];
    return total;
}

/* rows[i] = rows first..first+count-1 of D_i, zeros where it leaves the module alone. */
static void make_rows(const walk *w, size_t i, size_t first, size_t count)
{
    const lcal__lora_pair *pair = lcal__adapter_pair(w->merge->uses[i].adapter, w->layer, w->proj);
    float *out = w->rows + i * w->block * w->cols;
    if (!pair->a)
        memset(out, 0, count * w->cols * sizeof(*out));
    else
        lcal__gemm(&w->merge->exec, false, false, count, w->cols, pair->rank, pair->scale,
                   pair->b + first * pair->rank, pair->rank, pair->a, w->cols, 0.0f, out, w->cols);
}

static void add_row(const walk *w, const float *merged, size_t row)
{
    const size_t stride = w->block * w->cols;
    memset(w->sum, 0, w->cols * sizeof(*w->sum));
    for (size_t i = 0; i < w->merge->count; i++) {
        const float *of_adapter = w->rows + i * stride + row * w->cols;
        const double weight = (double)w->merge->uses[i].weight;
        for (size_t c = 0; c < w->cols; c++)
            w->sum[c] += weight * (double)of_adapter[c];
    }
    for (size_t c = 0; c < w->cols; c++) {
        const double d = (double)merged[c], s = w->sum[c];
        w->found->merged += d * d;
        w->found->sum += s * s;
        w->found->apart += (d - s) * (d - s);
    }
}

static void add_block(const walk *w, size_t first, size_t count, const float *merged)
{
    const size_t n = w->merge->count, stride = w->block * w->cols;
    for (size_t i = 0; i < n; i++)
        make_rows(w, i, first, count);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            w->found->products[i * n + j] +=
                dot(w->rows + i * stride, w->rows + j * stride, count * w->cols);
    for (size_t r = 0; r < count; r++)
        add_row(w, merged + r * w->cols, r);
}

/* The merge's blocks are larger than ours. */
static void add_rows(void *context, size_t first, size_t count, const float *merged)
{
    const walk *w = context;
    for (size_t done = 0; done < count; done += w->block) {
        const size_t left = count - done;
        add_block(w, first + done, left < w->block ? left : w->block, merged + done * w->cols);
    }
}

/* --- facts ----------------------------------------------------------------------------------- */

static double ratio(double part, double whole)
{
    return whole > 0.0 ? part / whole : 0.0;
}

static void fill_facts(const sums *s, size_t adapters, lcal_merge_facts *out)
{
    out->norm = sqrt(s->merged);
    out->sum_norm = sqrt(s->sum);
    out->apart = sqrt(ratio(s->apart, s->sum));
    for (size_t i = 0; i < adapters; i++)
        for (size_t j = i + 1; j < adapters; j++) {
            const double norms =
                sqrt(s->products[i * adapters + i] * s->products[j * adapters + j]);
            const double cosine = ratio(s->products[i * adapters + j], norms);
            if (fabs(cosine) > fabs(out->cosine))
                out->cosine = cosine;
        }
}

static lcal_status measure(const lcal__merge *merge, const lcal__merged *merged, sums *found,
                           lcal_error *err)
{
    walk w = {.merge = merge,
              .layer = merged->layer,
              .proj = merged->proj,
              .cols = merged->cols,
              .block = BLOCK_FLOATS / merged->cols,
              .found = found};
    if (w.block == 0)
        w.block = 1;
    w.rows = lcal__alloc_aligned(merge->count * w.block, w.cols * sizeof(float));
    w.sum = lcal__calloc(w.cols, sizeof(double));
    lcal_status status = w.rows && w.sum ? lcal__merged_rows(merged, add_rows, &w, err)
                                         : lcal__fail_nomem(err, "rows of updates");
    lcal__free(w.rows);
    lcal__free(w.sum);
    return status;
}

static void add_sums(sums *all, const sums *one, size_t adapters)
{
    for (size_t i = 0; i < adapters * adapters; i++)
        all->products[i] += one->products[i];
    all->merged += one->merged;
    all->sum += one->sum;
    all->apart += one->apart;
}

/* `one` is scratch. */
static lcal_status explain_module(const lcal__merge *merge, size_t layer, lcal__proj proj,
                                  sums *one, lcal_merge_explanation *out, lcal_error *err)
{
    const lcal__merge_shape shape = lcal__merge_shape_of(merge, layer, proj);
    lcal_merge_facts *facts = &out->modules[out->count];
    lcal__merged merged;
    if (!shape.adapters)
        return LCAL_OK;
    LCAL_TRY(lcal__merge_module(merge, layer, proj, &merged, err));
    double *products = one->products;
    memset(products, 0, merge->count * merge->count * sizeof(*products));
    *one = (sums){.products = products};
    lcal_status status = measure(merge, &merged, one, err);
    facts->truncation = merged.truncation;
    lcal__merged_free(&merged);
    LCAL_TRY(status);
    char name[LCAL__MODULE_NAME_MAX];
    lcal__module_name(layer, proj, name);
    snprintf(facts->name, sizeof(facts->name), "%s", name);
    facts->adapters = shape.adapters;
    facts->rank = shape.rank;
    fill_facts(one, merge->count, facts);
    out->count++;
    return LCAL_OK;
}

static lcal_status explain_modules(const lcal__merge *merge, sums *one, sums *all,
                                   lcal_merge_explanation *out, lcal_error *err)
{
    double lost = 0.0;
    for (size_t layer = 0; layer < merge->config->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const size_t before = out->count;
            LCAL_TRY(explain_module(merge, layer, p, one, out, err));
            if (out->count == before)
                continue;
            const lcal_merge_facts *facts = &out->modules[before];
            add_sums(all, one, merge->count);
            lost += facts->truncation * facts->truncation * one->sum;
            if (facts->rank > out->all.rank)
                out->all.rank = facts->rank;
        }
    out->all.adapters = merge->count;
    fill_facts(all, merge->count, &out->all);
    out->all.truncation = sqrt(ratio(lost, all->sum));
    return LCAL_OK;
}

/* --- the whole ------------------------------------------------------------------------------- */

void lcal_merge_explanation_free(lcal_merge_explanation *explanation)
{
    lcal__free(explanation->rule);
    lcal__free(explanation->modules);
    *explanation = (lcal_merge_explanation){0};
}

static lcal_status explain(const lcal__merge *merge, lcal_merge_explanation *out, lcal_error *err)
{
    const size_t products = merge->count * merge->count;
    lcal__strbuf rule = {0};
    lcal__merge_print(&merge->settings, &rule);
    LCAL_TRY(lcal__strbuf_take(&rule, &out->rule, err));
    out->formula = formula(merge->settings.method);
    out->factored = lcal__merge_is_factored(merge->settings.method);
    out->modules = lcal__calloc(merge->config->layers * LCAL__PROJ_COUNT, sizeof(*out->modules));
    sums one = {.products = lcal__calloc(products, sizeof(double))};
    sums all = {.products = lcal__calloc(products, sizeof(double))};
    lcal_status status = out->modules && one.products && all.products
                             ? explain_modules(merge, &one, &all, out, err)
                             : lcal__fail_nomem(err, "the explanation of a merge");
    lcal__free(one.products);
    lcal__free(all.products);
    return status;
}

lcal_status lcal_merge_explain(lcal_model *model, lcal_merge_explanation *out, lcal_error *err)
{
    if (!model || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_merge_explain: model and out must be given");
    if (model->merged == 0)
        return lcal__fail(err, LCAL_INVALID, "there are no adapters to merge");
    lcal__merge merge;
    *out = (lcal_merge_explanation){0};
    LCAL_TRY(lcal__merge_open(&model->merge, model->adapters.uses, model->merged,
                              &model->base.config, &model->exec, &merge, err));
    lcal_status status = lcal__merge_prepare(&merge, err);
    if (status == LCAL_OK)
        status = explain(&merge, out, err);
    lcal__merge_close(&merge);
    if (status != LCAL_OK)
        lcal_merge_explanation_free(out);
    return status;
}
