#include "methods/factors.h"

#include "base/mem.h"
#include "calib/composition_parts.h"

static const lcal__model_config *config_of(const lcal__factors *f)
{
    return &lcal__composition_base(f->model)->config;
}

/* The first adapter's pair; of a module that it leaves alone, the first there is, or an empty one.
 */
static const lcal__lora_pair *pattern(const lcal__factors *f, size_t layer, lcal__proj proj)
{
    const lcal__lora_pair *pair = lcal__adapter_pair(f->adapters.owned[0], layer, proj);
    for (size_t i = 1; i < f->adapters.count && !pair->a; i++)
        pair = lcal__adapter_pair(f->adapters.owned[i], layer, proj);
    return pair;
}

/* Pairs of every adapter alike in rank and without biases; adds up the sizes. */
static lcal_status check_module(lcal__factors *f, size_t layer, lcal__proj proj, lcal_error *err)
{
    const lcal__lora_pair *first = pattern(f, layer, proj);
    for (size_t i = 0; i < f->adapters.count; i++) {
        const lcal__adapter *adapter = f->adapters.owned[i];
        const lcal__lora_pair *pair = lcal__adapter_pair(adapter, layer, proj);
        if (pair->a && pair->rank != first->rank)
            return lcal__fail(err, LCAL_INVALID,
                              "%s: layer %zu %s: lorahub adds factors up, which needs one rank: "
                              "expected %zu as of another adapter, found %zu",
                              adapter->directory, layer, lcal__proj_name(proj), first->rank,
                              pair->rank);
        if (pair->a && pair->bias)
            return lcal__fail(err, LCAL_UNSUPPORTED,
                              "%s: layer %zu %s: lorahub knows no biases (lora_bias)",
                              adapter->directory, layer, lcal__proj_name(proj));
    }
    if (first->a)
        f->count +=
            first->rank * (lcal__proj_in(config_of(f), proj) + lcal__proj_out(config_of(f), proj));
    return LCAL_OK;
}

static lcal_status check(lcal__factors *f, lcal_error *err)
{
    const size_t layers = config_of(f)->layers;
    for (size_t layer = 0; layer < layers; layer++)
        for (int proj = 0; proj < LCAL__PROJ_COUNT; proj++)
            LCAL_TRY(check_module(f, layer, (lcal__proj)proj, err));
    return LCAL_OK;
}

/* The scale of the first adapter where it changes anything. */
static float first_scale(const lcal__factors *f)
{
    const lcal__lora_pair *pairs = f->adapters.owned[0]->pairs;
    size_t i = 0;
    while (i + 1 < config_of(f)->layers * LCAL__PROJ_COUNT && !pairs[i].a)
        i++;
    return pairs[i].scale;
}

/* Points the model's pairs into the values. */
static void place(lcal__factors *f)
{
    const float scale = first_scale(f);
    float *next = f->values;
    for (size_t i = 0; i < config_of(f)->layers * LCAL__PROJ_COUNT; i++) {
        lcal__lora_pair *pair = &f->pairs[i];
        const lcal__proj proj = (lcal__proj)(i % LCAL__PROJ_COUNT);
        if (!pair->a) {
            *pair = *pattern(f, i / LCAL__PROJ_COUNT, proj);
            pair->scale = scale;
        }
        if (!pair->a)
            continue;
        pair->a = next;
        next += pair->rank * lcal__proj_in(config_of(f), proj);
        pair->b = next;
        next += pair->rank * lcal__proj_out(config_of(f), proj);
    }
}

lcal_status lcal__factors_open(const lcal__settings *settings, lcal_model *model,
                               const lcal_log *log, lcal__factors *out, lcal_error *err)
{
    lcal__factors f = {.model = model, .pairs = model->adapters.owned[0]->pairs};
    lcal_status status =
        lcal__adapter_list_open_all(&f.adapters, settings, config_of(&f), log, err);
    if (status == LCAL_OK)
        status = check(&f, err);
    if (status == LCAL_OK) {
        f.values = lcal__calloc(f.count, sizeof(*f.values));
        status = f.values ? LCAL_OK : lcal__fail_nomem(err, "sums of adapters");
    }
    if (status == LCAL_OK) {
        place(&f);
        *out = f;
    } else {
        lcal__adapter_list_free(&f.adapters);
    }
    return status;
}

static void add(float *to, const float *from, size_t count, double weight)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (float)(to[i] + weight * (double)from[i]);
}

void lcal__factors_weigh(lcal__factors *f, const double *weights)
{
    for (size_t i = 0; i < f->count; i++)
        f->values[i] = 0.0F;
    for (size_t n = 0; n < f->adapters.count; n++) {
        float *to = f->values;
        for (size_t i = 0; i < config_of(f)->layers * LCAL__PROJ_COUNT; i++) {
            const lcal__lora_pair *from = &f->adapters.owned[n]->pairs[i];
            const lcal__proj proj = (lcal__proj)(i % LCAL__PROJ_COUNT);
            const size_t rank = f->pairs[i].a ? f->pairs[i].rank : 0;
            const size_t a = rank * lcal__proj_in(config_of(f), proj);
            const size_t b = rank * lcal__proj_out(config_of(f), proj);
            if (from->a) {
                add(to, from->a, a, weights[n]);
                add(to + a, from->b, b, weights[n]);
            }
            to += a + b;
        }
    }
    /* What is folded in is stale. */
    lcal__assembly_free(&f->model->assembly);
    f->model->assembled = false;
}

lcal_status lcal__factors_write(const lcal__factors *f, const char *directory,
                                const char *base_name, lcal_error *err)
{
    const size_t layers = config_of(f)->layers;
    size_t rank = 0;
    double scale = 0.0;
    for (size_t i = 0; i < layers * LCAL__PROJ_COUNT && !rank; i++)
        if (f->pairs[i].a) {
            rank = f->pairs[i].rank;
            scale = (double)f->pairs[i].scale;
        }
    return lcal__adapter_write(directory, base_name, f->pairs, layers, config_of(f), rank,
                               scale * (double)rank, err);
}

void lcal__factors_close(lcal__factors *f)
{
    lcal__free(f->values);
    lcal__adapter_list_free(&f->adapters);
    *f = (lcal__factors){0};
}
