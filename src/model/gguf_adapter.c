#include "model/gguf_adapter.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/ggml_type.h"
#include "model/gguf_config.h"
#include "model/gguf_names.h"
#include "model/interleave.h"
#include "model/listing.h"
#include "model/storage.h"

/* What is needed while an adapter is filled. */
typedef struct filling {
    const lcal__gguf *file;
    const lcal__model_config *base;
    lcal__adapter *out;
    double alpha;
    bool *used; /* [file->tensor_count] */
    size_t pairs;
} filling;

static lcal_status check_keys(filling *on, lcal_error *err)
{
    lcal__arch arch;
    const char *source = on->file->source;
    lcal__gguf_string type = {"", 0};
    if (!lcal__gguf_is_adapter(on->file))
        return lcal__fail(err, LCAL_INVALID, "%s: key general.type: expected adapter", source);
    LCAL_TRY(lcal__gguf_get_string(on->file, "adapter.type", &type, err));
    if (type.length != 4 || memcmp(type.text, "lora", 4) != 0)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: key adapter.type: expected lora, found \"%.*s\"", source,
                          type.length < 100 ? (int)type.length : 100, type.text);
    LCAL_TRY(lcal__gguf_arch(on->file, &arch, err));
    if (arch != on->base->arch)
        return lcal__fail(err, LCAL_INVALID, "%s: made for a %s model: expected one for %s", source,
                          lcal__arch_name(arch), lcal__arch_name(on->base->arch));
    on->alpha = NAN;
    LCAL_TRY(lcal__gguf_get_real(on->file, "adapter.lora.alpha", &on->alpha, err));
    if (!isfinite((float)on->alpha))
        return lcal__fail(err, LCAL_FORMAT, "%s: key adapter.lora.alpha: expected a number",
                          source);
    return LCAL_OK;
}

/* One half, NULL where it is absent; checked against `cols` x `rows`, 0: any. */
static lcal_status find_half(const filling *on, const char *name, size_t rows, size_t cols,
                             const lcal__gguf_tensor **out, lcal_error *err)
{
    const lcal__gguf_tensor *tensor = lcal__gguf_find_tensor(on->file, name);
    *out = tensor;
    if (!tensor)
        return LCAL_OK;
    on->used[tensor - on->file->tensors] = true;
    if (!lcal__ggml_known(tensor->type) || tensor->type == LCAL__GGML_Q8_0)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tensor %s: expected F32, F16 or BF16, found %s", on->file->source,
                          name, tensor->type_name);
    if (tensor->dims == 2 && (!rows || tensor->extent[1] == rows)
        && (!cols || tensor->extent[0] == cols))
        return LCAL_OK;
    return lcal__fail(err, LCAL_SHAPE,
                      "%s: tensor %s: expected %s of %zu (the base's width), found %zu x %zu",
                      on->file->source, name, rows ? "rows" : "columns", rows ? rows : cols,
                      tensor->extent[1], tensor->extent[0]);
}

/* Converts one half to f32 of our own; head_dim: of rows stored interleaved, else 0. */
static lcal_status take_half(const filling *on, const lcal__gguf_tensor *tensor, size_t head_dim,
                             const float **out, lcal_error *err)
{
    const size_t rows = tensor->extent[1], cols = tensor->extent[0];
    const lcal__ggml_type type = (lcal__ggml_type)tensor->type;
    float *values = lcal__storage_alloc(on->out->storage, rows * cols, sizeof(float));
    if (!values)
        return lcal__fail_nomem(err, on->file->source);
    for (size_t row = 0; row < rows; row++) {
        const size_t stored = head_dim ? lcal__interleaved_row(row, head_dim) : row;
        lcal__ggml_decode(type, tensor->data + stored * lcal__ggml_bytes(type, cols),
                          values + row * cols, cols);
    }
    for (size_t i = 0; i < rows * cols; i++)
        if (!isfinite(values[i]))
            return lcal__fail(err, LCAL_NUMERIC, "%s: tensor %.*s: element %zu is %s",
                              on->file->source, (int)tensor->name.length, tensor->name.text, i,
                              isnan(values[i]) ? "NaN" : "infinite");
    *out = values;
    return LCAL_OK;
}

static lcal_status take_pair(filling *on, size_t layer, lcal__proj proj, lcal_error *err)
{
    char name_a[LCAL__GGUF_NAME_MAX + 1], name_b[LCAL__GGUF_NAME_MAX + 1];
    const lcal__gguf_tensor *a, *b;
    lcal__gguf_module_name(layer, proj, "weight.lora_a", name_a);
    lcal__gguf_module_name(layer, proj, "weight.lora_b", name_b);
    LCAL_TRY(find_half(on, name_a, 0, lcal__proj_in(on->base, proj), &a, err));
    LCAL_TRY(find_half(on, name_b, lcal__proj_out(on->base, proj), 0, &b, err));
    if (!a && !b)
        return LCAL_OK;
    if (!a || !b)
        return lcal__fail(err, LCAL_FORMAT, "%s: missing tensor %s", on->file->source,
                          a ? name_b : name_a);
    const size_t rank = b->extent[0];
    if (a->extent[1] != rank)
        return lcal__fail(err, LCAL_SHAPE, "%s: tensor %s: rank %zu, but that of %s is %zu",
                          on->file->source, name_a, a->extent[1], name_b, rank);
    const size_t head_dim = lcal__gguf_interleaves(on->base->arch, proj) ? on->base->head_dim : 0;
    lcal__lora_pair *pair = &on->out->pairs[layer * LCAL__PROJ_COUNT + proj];
    LCAL_TRY(take_half(on, a, 0, &pair->a, err));
    LCAL_TRY(take_half(on, b, head_dim, &pair->b, err));
    pair->rank = rank;
    pair->scale = on->alpha != 0.0 ? (float)(on->alpha / (double)rank) : 1.0f;
    on->out->parameters += rank * (a->extent[0] + b->extent[1]);
    on->pairs++;
    return LCAL_OK;
}

static lcal_status refuse_others(const filling *on, lcal_error *err)
{
    lcal__listing others = {0};
    lcal_status status = LCAL_OK;
    for (size_t i = 0; i < on->file->tensor_count; i++) {
        const lcal__gguf_string *name = &on->file->tensors[i].name;
        if (!on->used[i])
            lcal__listing_add(&others, "%.*s", (int)name->length, name->text);
    }
    if (others.count)
        status = lcal__fail(err, LCAL_UNSUPPORTED,
                            "%s: tensors for no projection of the base's %zu layers: %s",
                            on->file->source, on->base->layers, lcal__listing_text(&others));
    else if (!on->pairs)
        status = lcal__fail(err, LCAL_FORMAT, "%s: no tensors", on->file->source);
    lcal__listing_free(&others);
    return status;
}

static lcal_status fill(filling *on, lcal_error *err)
{
    lcal__adapter *out = on->out;
    LCAL_TRY(check_keys(on, err));
    out->layers = on->base->layers;
    out->pairs = lcal__calloc(out->layers * LCAL__PROJ_COUNT, sizeof(*out->pairs));
    out->storage = lcal__calloc(1, sizeof(lcal__storage));
    on->used = lcal__calloc(on->file->tensor_count, sizeof(*on->used));
    if (!out->pairs || !out->storage || !on->used)
        return lcal__fail_nomem(err, on->file->source);
    for (size_t layer = 0; layer < out->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
            LCAL_TRY(take_pair(on, layer, p, err));
    return refuse_others(on, err);
}

lcal_status lcal__gguf_adapter_fill(const lcal__gguf *file, const lcal__model_config *base,
                                    lcal__adapter *out, lcal_error *err)
{
    lcal__adapter adapter = {0};
    filling on = {.file = file, .base = base, .out = &adapter};
    lcal_status status = fill(&on, err);
    lcal__free(on.used);
    if (status == LCAL_OK)
        *out = adapter;
    else
        lcal__adapter_close(&adapter);
    return status;
}

static lcal_status open_map(const lcal__map *map, const char *path, const lcal__model_config *base,
                            lcal__adapter *out, lcal_error *err)
{
    lcal__gguf file = {0};
    LCAL_TRY(lcal__gguf_parse(map->data, map->size, path, &file, err));
    lcal_status status = lcal__gguf_adapter_fill(&file, base, out, err);
    lcal__gguf_free(&file);
    LCAL_TRY(status);
    out->directory = lcal__strdup(path);
    return out->directory ? lcal__sha256(map->data, map->size, out->sha256, err)
                          : lcal__fail_nomem(err, path);
}

lcal_status lcal__gguf_adapter_open(const char *path, const lcal__model_config *base,
                                    lcal__adapter *out, lcal_error *err)
{
    lcal__map map = {0};
    lcal__adapter adapter = {0};
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = open_map(&map, path, base, &adapter, err);
    lcal__map_close(&map);
    if (status == LCAL_OK)
        *out = adapter;
    else
        lcal__adapter_close(&adapter);
    return status;
}
