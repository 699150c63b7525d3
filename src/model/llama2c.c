#include "model/llama2c.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "model/interleave.h"
#include "model/slots.h"
#include "model/storage.h"

#define LCAL_HEADER 28
#define LCAL_LATER_MAGIC 0x616B3432u /* "ak42": versions 1 and 2 */
#define LCAL_ROPE_THETA 10000.0
#define LCAL_NORM_EPS 1e-5f
#define LCAL_BOS 1
#define LCAL_EOS 2

static int32_t read_i32(const unsigned char *at)
{
    const uint32_t bits =
        (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    int32_t value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The seven numbers of the header. */
enum { DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, POSITIONS, NUMBERS };

static lcal_status check_numbers(const int64_t n[NUMBERS], const char *source, lcal_error *err)
{
    static const char *const names[NUMBERS] = {"dim",        "hidden_dim", "n_layers", "n_heads",
                                               "n_kv_heads", "vocab_size", "seq_len"};
    for (size_t i = 0; i < NUMBERS; i++)
        if (n[i] <= 0)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: no model of llama2.c: %s: expected at least 1, found %lld",
                              source, names[i], (long long)n[i]);
    if (n[DIM] % n[HEADS] || n[DIM] / n[HEADS] % 2 || n[HEADS] % n[KV_HEADS])
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: no model of llama2.c: dim %lld, n_heads %lld, n_kv_heads %lld: "
                          "expected each to divide the one before, and heads of even size",
                          source, (long long)n[DIM], (long long)n[HEADS], (long long)n[KV_HEADS]);
    return LCAL_OK;
}

static lcal_status read_config(const unsigned char *bytes, size_t size, const char *source,
                               lcal__model_config *out, lcal_error *err)
{
    int64_t n[NUMBERS];
    if (size < LCAL_HEADER)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: no model of llama2.c: expected a header of %d bytes, found %zu",
                          source, LCAL_HEADER, size);
    if ((uint32_t)read_i32(bytes) == LCAL_LATER_MAGIC)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: llama2.c's format version %ld: expected the legacy one; export with "
                          "export.py --version 0",
                          source, (long)read_i32(bytes + 4));
    for (size_t i = 0; i < NUMBERS; i++)
        n[i] = read_i32(bytes + 4 * i);
    const bool tied = n[VOCAB] > 0;
    n[VOCAB] = tied ? n[VOCAB] : -n[VOCAB];
    LCAL_TRY(check_numbers(n, source, err));
    *out = (lcal__model_config){.arch = LCAL__ARCH_LLAMA,
                                .layers = (size_t)n[LAYERS],
                                .hidden = (size_t)n[DIM],
                                .heads = (size_t)n[HEADS],
                                .kv_heads = (size_t)n[KV_HEADS],
                                .head_dim = (size_t)(n[DIM] / n[HEADS]),
                                .ffn = (size_t)n[HIDDEN],
                                .vocab = (size_t)n[VOCAB],
                                .max_positions = (size_t)n[POSITIONS],
                                .norm = LCAL__NORM_RMS,
                                .norm_eps = LCAL_NORM_EPS,
                                .tied = tied,
                                .bos = LCAL_BOS,
                                .eos = {LCAL_EOS},
                                .eos_count = 1};
    out->rope.kind = LCAL__ROPE_DEFAULT;
    out->rope.dims = out->head_dim;
    out->rope.theta = LCAL_ROPE_THETA;
    return lcal__model_config_check(out, source, err);
}

/* The floats not yet given out; short once more was asked for than there is. */
typedef struct cursor {
    const float *next;
    size_t left;
    bool small;
} cursor;

/* count tensors of [rows, cols], one after the other; NULL where they are not there. */
static const float *take(cursor *from, size_t count, size_t rows, size_t cols)
{
    const float *at = from->next;
    size_t floats;
    if (from->small || !lcal__size_mul(rows, cols, &floats)
        || !lcal__size_mul(floats, count, &floats) || floats > from->left) {
        from->small = true;
        return NULL;
    }
    from->next += floats;
    from->left -= floats;
    return at;
}

/* Where each tensor, or each stack of all layers' tensors, begins. */
typedef struct places {
    const float *embedding, *attention_norm, *mlp_norm, *final_norm, *head;
    const float *proj[LCAL__PROJ_COUNT];
} places;

static lcal_status find_places(const lcal__model_config *c, cursor from, const char *source,
                               places *out, lcal_error *err)
{
    static const lcal__proj before[] = {LCAL__Q, LCAL__K, LCAL__V, LCAL__O};
    static const lcal__proj behind[] = {LCAL__GATE, LCAL__DOWN, LCAL__UP};
    const size_t whole = from.left;
    out->embedding = take(&from, 1, c->vocab, c->hidden);
    out->attention_norm = take(&from, c->layers, c->hidden, 1);
    for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
        out->proj[before[i]] =
            take(&from, c->layers, lcal__proj_out(c, before[i]), lcal__proj_in(c, before[i]));
    out->mlp_norm = take(&from, c->layers, c->hidden, 1);
    for (size_t i = 0; i < sizeof(behind) / sizeof(*behind); i++)
        out->proj[behind[i]] =
            take(&from, c->layers, lcal__proj_out(c, behind[i]), lcal__proj_in(c, behind[i]));
    out->final_norm = take(&from, 1, c->hidden, 1);
    (void)take(&from, 2, c->max_positions, c->head_dim / 2); /* cosines and sines */
    out->head = c->tied ? out->embedding : take(&from, 1, c->vocab, c->hidden);
    if (from.small || from.left)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: no model of llama2.c: expected %s than the %zu numbers behind the "
                          "header",
                          source, from.small ? "more" : "fewer", whole);
    return LCAL_OK;
}

/* rows [heads * head_dim, cols] of pairs (2i, 2i + 1) as rows of pairs (i, i + head_dim / 2). */
static void split_pairs(const float *from, size_t heads, size_t head_dim, size_t cols, float *to)
{
    for (size_t row = 0; row < heads * head_dim; row++)
        memcpy(to + row * cols, from + lcal__interleaved_row(row, head_dim) * cols,
               cols * sizeof(*to));
}

static lcal_status set_layer(lcal__model *model, const places *at, size_t index, lcal_error *err)
{
    const lcal__model_config *c = &model->config;
    lcal__layer_weights *layer = &model->layers[index];
    layer->attention_norm.weight = at->attention_norm + index * c->hidden;
    layer->mlp_norm.weight = at->mlp_norm + index * c->hidden;
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        const size_t rows = lcal__proj_out(c, p), cols = lcal__proj_in(c, p);
        const float *values = at->proj[p] + index * rows * cols;
        if (p == LCAL__Q || p == LCAL__K) {
            float *split = lcal__storage_alloc(model->storage, rows * cols, sizeof(*split));
            if (!split)
                return lcal__fail_nomem(err, "the layers of a model");
            split_pairs(values, rows / c->head_dim, c->head_dim, cols, split);
            values = split;
        }
        layer->proj[p].weight = (lcal__weight){rows, cols, LCAL__F32, values};
    }
    return LCAL_OK;
}

static lcal_status fill(lcal__model *model, const places *at, lcal_error *err)
{
    const lcal__model_config *c = &model->config;
    model->storage = lcal__calloc(1, sizeof(lcal__storage));
    if (!model->storage)
        return lcal__fail_nomem(err, "the layers of a model");
    LCAL_TRY(lcal__layers_alloc(model, err));
    model->embedding = (lcal__weight){c->vocab, c->hidden, LCAL__F32, at->embedding};
    model->head = (lcal__weight){c->vocab, c->hidden, LCAL__F32, at->head};
    model->final_norm.weight = at->final_norm;
    for (size_t i = 0; i < c->layers; i++)
        LCAL_TRY(set_layer(model, at, i, err));
    return LCAL_OK;
}

lcal_status lcal__llama2c_parse(const void *bytes, size_t size, const char *source,
                                lcal__model *out, lcal_error *err)
{
    lcal__model model = {0};
    places at = {0};
    LCAL_TRY(read_config(bytes, size, source, &model.config, err));
    if ((uintptr_t)bytes % sizeof(float))
        return lcal__fail(err, LCAL_INVALID, "%s: bytes of a model not aligned to %zu", source,
                          sizeof(float));
    if ((size - LCAL_HEADER) % sizeof(float))
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: no model of llama2.c: expected whole numbers of 4 bytes behind the "
                          "header, found %zu bytes",
                          source, size - LCAL_HEADER);
    const void *floats = (const unsigned char *)bytes + LCAL_HEADER;
    const cursor from = {.next = floats, .left = (size - LCAL_HEADER) / sizeof(float)};
    LCAL_TRY(find_places(&model.config, from, source, &at, err));
    lcal_status status = fill(&model, &at, err);
    if (status == LCAL_OK)
        *out = model;
    else
        lcal__model_close(&model);
    return status;
}
