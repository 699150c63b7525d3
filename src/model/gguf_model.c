#include "model/gguf_model.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/ggml_type.h"
#include "model/gguf_config.h"
#include "model/gguf_names.h"
#include "model/interleave.h"
#include "model/listing.h"
#include "model/slots.h"
#include "model/storage.h"

/* State of the walks over the slots of the model being filled. */
typedef struct filling {
    const lcal__gguf *file;
    lcal__model *model;
    lcal__listing missing, misshapen;
    bool *used;  /* [file->tensor_count] tensors that are the model's */
    float *next; /* where the next vector goes */
    size_t floats;
} filling;

/* NULL where there is none; marks it as used. */
static const lcal__gguf_tensor *find(const filling *on, const char *name)
{
    const lcal__gguf_tensor *tensor = lcal__gguf_find_tensor(on->file, name);
    if (tensor)
        on->used[tensor - on->file->tensors] = true;
    return tensor;
}

/* Vectors begin at cache lines. */
static size_t vector_room(size_t length)
{
    const size_t line = LCAL_ALIGN / sizeof(float);
    return (length + line - 1) / line * line;
}

static bool has_shape(const lcal__gguf_tensor *tensor, const lcal__model_slot *slot)
{
    if (!slot->matrix)
        return tensor->dims == 1 && tensor->extent[0] == slot->rows;
    return tensor->dims == 2 && tensor->extent[0] == slot->cols && tensor->extent[1] == slot->rows;
}

static lcal_status check_slot(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    filling *on = context;
    char name[LCAL__GGUF_NAME_MAX + 1];
    lcal__gguf_name(slot->name, name);
    const lcal__gguf_tensor *tensor = find(on, name);
    if (!tensor) {
        lcal__listing_add(&on->missing, "%s", name);
        return LCAL_OK;
    }
    if (!lcal__ggml_known(tensor->type))
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tensor %s: expected F32, F16, BF16 or Q8_0, found %s; make a file "
                          "of one of these types",
                          on->file->source, name, tensor->type_name);
    if (!has_shape(tensor, slot))
        lcal__listing_add(&on->misshapen, "%s: expected %zu x %zu, found %zu x %zu", name,
                          slot->rows, slot->cols, tensor->extent[1], tensor->extent[0]);
    else if (slot->vector)
        on->floats += vector_room(slot->rows);
    return LCAL_OK;
}

/* Other programs do not pass them over either: a model that has them computes something else. */
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
        status = lcal__fail(err, LCAL_UNSUPPORTED, "%s: tensors that lcal's %s models lack: %s",
                            on->file->source, lcal__arch_name(on->model->config.arch),
                            lcal__listing_text(&others));
    lcal__listing_free(&others);
    return status;
}

static lcal_status check_slots(filling *on, lcal_error *err)
{
    LCAL_TRY(lcal__slots_walk(on->model, check_slot, on, err));
    if (on->missing.count)
        return lcal__fail(err, LCAL_FORMAT, "%s: missing tensors: %s", on->file->source,
                          lcal__listing_text(&on->missing));
    if (on->misshapen.count)
        return lcal__fail(err, LCAL_SHAPE, "%s: tensors of another shape: %s", on->file->source,
                          lcal__listing_text(&on->misshapen));
    return LCAL_OK;
}

/* --- placing ----------------------------------------------------------------------------- */

static lcal__dtype held_as(const lcal__gguf_tensor *tensor)
{
    return tensor->type == LCAL__GGML_F16    ? LCAL__F16
           : tensor->type == LCAL__GGML_BF16 ? LCAL__BF16
                                             : LCAL__F32;
}

/* Row after row into a buffer of our own, each from where it is stored. */
static void copy_rows(const lcal__gguf_tensor *tensor, size_t head_dim, void *out)
{
    const size_t rows = tensor->extent[1], cols = tensor->extent[0];
    const lcal__ggml_type type = (lcal__ggml_type)tensor->type;
    const size_t from = lcal__ggml_bytes(type, cols);
    const size_t to = cols * lcal__dtype_size(held_as(tensor));
    for (size_t row = 0; row < rows; row++) {
        const size_t stored = head_dim ? lcal__interleaved_row(row, head_dim) : row;
        const unsigned char *source = tensor->data + stored * from;
        unsigned char *target = (unsigned char *)out + row * to;
        if (type == LCAL__GGML_Q8_0)
            lcal__ggml_decode(type, source, (float *)(void *)target, cols);
        else
            memcpy(target, source, to);
    }
}

/* head_dim: of rows that are stored interleaved, else 0. */
static lcal_status place_matrix(const filling *on, const lcal__gguf_tensor *tensor, size_t head_dim,
                                lcal__weight *out, lcal_error *err)
{
    const lcal__dtype dtype = held_as(tensor);
    const size_t rows = tensor->extent[1], cols = tensor->extent[0];
    size_t elements;
    *out = (lcal__weight){rows, cols, dtype, tensor->data};
    const bool aligned = (uintptr_t)tensor->data % lcal__dtype_size(dtype) == 0;
    if (!head_dim && aligned && tensor->type != LCAL__GGML_Q8_0)
        return LCAL_OK;
    void *copy = lcal__size_mul(rows, cols, &elements)
                     ? lcal__storage_alloc(on->model->storage, elements, lcal__dtype_size(dtype))
                     : NULL;
    if (!copy)
        return lcal__fail_nomem(err, on->file->source);
    copy_rows(tensor, head_dim, copy);
    out->data = copy;
    return LCAL_OK;
}

static lcal_status place_slot(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    filling *on = context;
    const lcal__model_config *config = &on->model->config;
    const bool interleaved = lcal__gguf_interleaves_slot(config->arch, slot->name);
    const size_t head_dim = interleaved ? config->head_dim : 0;
    char name[LCAL__GGUF_NAME_MAX + 1];
    lcal__gguf_name(slot->name, name);
    const lcal__gguf_tensor *tensor = find(on, name);
    if (slot->matrix)
        return place_matrix(on, tensor, head_dim, slot->matrix, err);
    const lcal__ggml_type type = (lcal__ggml_type)tensor->type;
    for (size_t i = 0; i < slot->rows && head_dim; i++)
        lcal__ggml_decode(
            type, tensor->data + lcal__interleaved_row(i, head_dim) * lcal__ggml_bytes(type, 1),
            on->next + i, 1);
    if (!head_dim)
        lcal__ggml_decode(type, tensor->data, on->next, slot->rows);
    *slot->vector = on->next;
    on->next += vector_room(slot->rows);
    return LCAL_OK;
}

static lcal_status place_factors(filling *on, lcal_error *err)
{
    const size_t count = on->model->config.rope.dims / 2;
    const lcal__gguf_tensor *tensor = find(on, LCAL__GGUF_ROPE_FACTORS);
    if (!tensor)
        return LCAL_OK;
    if (tensor->type != LCAL__GGML_F32 || tensor->dims != 1 || tensor->extent[0] != count)
        return lcal__fail(err, LCAL_SHAPE,
                          "%s: tensor " LCAL__GGUF_ROPE_FACTORS ": expected %zu of F32, found "
                          "%zu x %zu of %s",
                          on->file->source, count, tensor->extent[1], tensor->extent[0],
                          tensor->type_name);
    float *factors = lcal__storage_alloc(on->model->storage, count, sizeof(float));
    if (!factors)
        return lcal__fail_nomem(err, on->file->source);
    lcal__ggml_decode(LCAL__GGML_F32, tensor->data, factors, count);
    for (size_t i = 0; i < count; i++)
        if (!(factors[i] > 0.0f && isfinite(factors[i])))
            return lcal__fail(err, LCAL_NUMERIC,
                              "%s: tensor " LCAL__GGUF_ROPE_FACTORS
                              ": element %zu: expected a number above 0, found %g",
                              on->file->source, i, (double)factors[i]);
    on->model->config.rope.factors = factors;
    return LCAL_OK;
}

/* --- a model ----------------------------------------------------------------------------- */

static lcal_status fill(filling *on, lcal_error *err)
{
    lcal__model *model = on->model;
    on->used = lcal__calloc(on->file->tensor_count, sizeof(*on->used));
    if (!on->used)
        return lcal__fail_nomem(err, on->file->source);
    LCAL_TRY(lcal__layers_alloc(model, err));
    LCAL_TRY(check_slots(on, err));
    LCAL_TRY(place_factors(on, err));
    LCAL_TRY(refuse_others(on, err));
    on->next = lcal__storage_alloc(model->storage, on->floats, sizeof(float));
    if (!on->next)
        return lcal__fail_nomem(err, "the norms and biases of a model");
    LCAL_TRY(lcal__slots_walk(model, place_slot, on, err));
    if (model->config.tied)
        model->head = model->embedding;
    return LCAL_OK;
}

/* Into a model whose storage there is. */
static lcal_status fill_model(const lcal__gguf *file, lcal__model *model, lcal_error *err)
{
    filling on = {.file = file, .model = model};
    LCAL_TRY(lcal__gguf_config(file, &model->config, err));
    lcal_status status = fill(&on, err);
    lcal__listing_free(&on.missing);
    lcal__listing_free(&on.misshapen);
    lcal__free(on.used);
    return status;
}

lcal_status lcal__gguf_model_fill(const lcal__gguf *file, lcal__model *out, lcal_error *err)
{
    lcal__model model = {.storage = lcal__calloc(1, sizeof(lcal__storage))};
    lcal_status status =
        model.storage ? fill_model(file, &model, err) : lcal__fail_nomem(err, file->source);
    if (status == LCAL_OK)
        *out = model;
    else
        lcal__model_close(&model);
    return status;
}

/* --- from a file ------------------------------------------------------------------------- */

static lcal_status open_file(const char *path, lcal__model *model, lcal_error *err)
{
    lcal__gguf file = {0};
    model->directory = lcal__strdup(path);
    model->storage = lcal__calloc(1, sizeof(lcal__storage));
    if (!model->directory || !model->storage)
        return lcal__fail_nomem(err, path);
    lcal__weight_files *held = &((lcal__storage *)model->storage)->files;
    LCAL_TRY(lcal__weight_files_hold(path, held, err));
    const lcal__map *map = &held->shards[0].map;
    LCAL_TRY(lcal__gguf_parse(map->data, map->size, path, &file, err));
    lcal_status status = fill_model(&file, model, err);
    lcal__gguf_free(&file);
    LCAL_TRY(status);
    model->mapped_bytes = lcal__weight_files_bytes(held);
    return lcal__weight_files_hash(held, model->sha256, err);
}

lcal_status lcal__gguf_model_open(const char *path, lcal__model *out, lcal_error *err)
{
    lcal__model model = {0};
    lcal_status status = open_file(path, &model, err);
    if (status == LCAL_OK)
        *out = model;
    else
        lcal__model_close(&model);
    return status;
}
