#include "base/mem.h"
#include "base/rng.h"
#include "model/slots.h"
#include "model/storage.h"

/* Half the width of a uniform distribution with standard deviation 0.02: 0.02 sqrt(3). */
#define LCAL_RANDOM_BOUND 0.0346410161513775f

/* The walks: first without `next`, to count, then to fill. */
typedef struct filling {
    uint64_t seed;
    size_t floats;
    float *next;
} filling;

static size_t slot_room(const lcal__model_slot *slot)
{
    const size_t line = LCAL_ALIGN / sizeof(float);
    return (slot->rows * slot->cols + line - 1) / line * line;
}

/* Four values a block; the block's number is the counter, so a value depends on its place alone. */
static void fill_uniform(float *out, size_t count, uint64_t seed, uint64_t stream)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const float scale = LCAL_RANDOM_BOUND * 0x1p-31f;
    for (size_t i = 0; i < count; i += 4) {
        uint64_t block = i / 4;
        const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                                     (uint32_t)(stream >> 32)};
        uint32_t words[4];
        lcal__philox(counter, key, words);
        for (size_t k = 0; k < 4 && i + k < count; k++)
            out[i + k] = (float)(int32_t)words[k] * scale;
    }
}

static void fill_constant(float *out, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        out[i] = value;
}

static lcal_status count_slot(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    filling *on = context;
    (void)err;
    on->floats += slot_room(slot);
    return LCAL_OK;
}

static lcal_status fill_slot(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    filling *on = context;
    float *values = on->next;
    (void)err;
    on->next += slot_room(slot);
    if (slot->matrix) {
        fill_uniform(values, slot->rows * slot->cols, on->seed, lcal__rng_stream(slot->name));
        *slot->matrix = (lcal__weight){slot->rows, slot->cols, LCAL__F32, values};
    } else {
        fill_constant(values, slot->rows, slot->kind == LCAL__SLOT_NORM ? 1.0f : 0.0f);
        *slot->vector = values;
    }
    return LCAL_OK;
}

static lcal_status fill_model(lcal__model *model, uint64_t seed, lcal_error *err)
{
    lcal__storage *storage = lcal__calloc(1, sizeof(*storage));
    if (!storage)
        return lcal__fail_nomem(err, "a random model");
    model->storage = storage;
    LCAL_TRY(lcal__layers_alloc(model, err));
    filling on = {.seed = seed};
    LCAL_TRY(lcal__slots_walk(model, count_slot, &on, err));
    on.next = lcal__storage_alloc(storage, on.floats, sizeof(float));
    if (!on.next)
        return lcal__fail_nomem(err, "the weights of a random model");
    LCAL_TRY(lcal__slots_walk(model, fill_slot, &on, err));
    if (model->config.tied)
        model->head = model->embedding;
    return LCAL_OK;
}

lcal_status lcal__model_random(const lcal__model_config *config, uint64_t seed, lcal__model *out,
                               lcal_error *err)
{
    LCAL_TRY(lcal__model_config_check(config, "random model", err));
    lcal__model model = {.config = *config};
    lcal_status status = fill_model(&model, seed, err);
    if (status == LCAL_OK)
        *out = model;
    else
        lcal__model_close(&model);
    return status;
}
