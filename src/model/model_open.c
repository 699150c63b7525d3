#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/gguf_model.h"
#include "model/listing.h"
#include "model/slots.h"
#include "model/storage.h"

/* A config.json is some kilobytes. */
#define LCAL_CONFIG_MAX ((size_t)1 << 20)

/* State of the walks over the slots of the model being opened. */
typedef struct opening {
    lcal__storage *storage;
    lcal__listing missing, misshapen;
    size_t floats; /* of all vectors, each rounded up to a cache line */
    float *next;   /* where the next vector goes */
} opening;

static size_t vector_room(size_t length)
{
    const size_t line = LCAL_ALIGN / sizeof(float);
    return (length + line - 1) / line * line;
}

static void describe_shape(const lcal__tensor *tensor, lcal__strbuf *text)
{
    for (size_t i = 0; i < tensor->rank; i++)
        lcal__strbuf_printf(text, "%s%zu", i ? ", " : "", tensor->shape[i]);
}

static bool has_shape(const lcal__tensor *tensor, const lcal__model_slot *slot)
{
    return tensor->rank == (slot->matrix ? 2u : 1u) && tensor->shape[0] == slot->rows
           && (!slot->matrix || tensor->shape[1] == slot->cols);
}

static void add_misshapen(opening *on, const lcal__model_slot *slot, const lcal__tensor *tensor)
{
    lcal__strbuf found = {0};
    describe_shape(tensor, &found);
    const char *text = found.text ? found.text : "";
    if (slot->matrix)
        lcal__listing_add(&on->misshapen, "%s: expected [%zu, %zu], found [%s]", slot->name,
                          slot->rows, slot->cols, text);
    else
        lcal__listing_add(&on->misshapen, "%s: expected [%zu], found [%s]", slot->name, slot->rows,
                          text);
    lcal__strbuf_free(&found);
}

static bool is_floating(lcal__dtype dtype)
{
    return dtype != LCAL__I64 && dtype != LCAL__I32;
}

static lcal_status check_slot(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    opening *on = context;
    const lcal__tensor *tensor = lcal__weight_files_find(&on->storage->files, slot->name);
    if (!tensor) {
        bool head = strcmp(slot->name, "lm_head.weight") == 0;
        lcal__listing_add(&on->missing, "%s%s", slot->name,
                          head ? " (tie_word_embeddings is not true)" : "");
        return LCAL_OK;
    }
    if (!is_floating(tensor->dtype))
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tensor %s: expected F32, F16, BF16 or F64, found %s",
                          on->storage->files.source, slot->name, lcal__dtype_name(tensor->dtype));
    if (!has_shape(tensor, slot))
        add_misshapen(on, slot, tensor);
    else if (slot->vector)
        on->floats += vector_room(slot->rows);
    return LCAL_OK;
}

static lcal_status check_slots(lcal__model *model, opening *on, lcal_error *err)
{
    const char *source = on->storage->files.source;
    LCAL_TRY(lcal__slots_walk(model, check_slot, on, err));
    if (on->missing.count)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: missing tensors: %s; is this the model that config.json describes?",
                          source, lcal__listing_text(&on->missing));
    if (on->misshapen.count)
        return lcal__fail(err, LCAL_SHAPE, "%s: tensors of another shape: %s", source,
                          lcal__listing_text(&on->misshapen));
    return LCAL_OK;
}

/* In place where kernels can read it there, else in a buffer of our own. */
static lcal_status place_matrix(lcal__storage *storage, const lcal__tensor *tensor,
                                lcal__weight *out, lcal_error *err)
{
    size_t size = lcal__dtype_size(tensor->dtype);
    *out = (lcal__weight){tensor->shape[0], tensor->shape[1], tensor->dtype, tensor->data};
    if (tensor->dtype != LCAL__F64 && (uintptr_t)tensor->data % size == 0)
        return LCAL_OK;
    if (tensor->dtype == LCAL__F64) {
        out->dtype = LCAL__F32;
        size = sizeof(float);
    }
    void *copy = lcal__storage_alloc(storage, tensor->elements, size);
    if (!copy)
        return lcal__fail_nomem(err, tensor->name);
    if (tensor->dtype == LCAL__F64)
        lcal__convert_to_f32(LCAL__F64, tensor->data, copy, tensor->elements);
    else
        memcpy(copy, tensor->data, tensor->elements * size);
    out->data = copy;
    return LCAL_OK;
}

static lcal_status place_slot(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    opening *on = context;
    const lcal__tensor *tensor = lcal__weight_files_find(&on->storage->files, slot->name);
    if (slot->matrix)
        return place_matrix(on->storage, tensor, slot->matrix, err);
    lcal__convert_to_f32(tensor->dtype, tensor->data, on->next, tensor->elements);
    *slot->vector = on->next;
    on->next += vector_room(slot->rows);
    return LCAL_OK;
}

/* A head that was saved although it is the embedding: harmless where it is equal. */
static void check_tied_head(const lcal__weight_files *files, const lcal_log *log)
{
    const lcal__tensor *head = lcal__weight_files_find(files, "lm_head.weight");
    const lcal__tensor *embedding = lcal__weight_files_find(files, "model.embed_tokens.weight");
    if (!head || !embedding)
        return;
    if (head->dtype != embedding->dtype || head->elements != embedding->elements
        || memcmp(head->data, embedding->data, head->elements * lcal__dtype_size(head->dtype)) != 0)
        lcal__log(log, LCAL_LOG_NOTICE,
                  "%s: ignored lm_head.weight: config.json ties the head to the embedding, but "
                  "they differ",
                  files->source);
}

static lcal_status place_slots(lcal__model *model, opening *on, const lcal_log *log,
                               lcal_error *err)
{
    on->next = lcal__storage_alloc(on->storage, on->floats, sizeof(float));
    if (!on->next)
        return lcal__fail_nomem(err, "the norms and biases of a model");
    LCAL_TRY(lcal__slots_walk(model, place_slot, on, err));
    if (model->config.tied) {
        model->head = model->embedding;
        check_tied_head(&on->storage->files, log);
    }
    lcal__weight_files_report_unused(&on->storage->files, log);
    return LCAL_OK;
}

static lcal_status open_weights(lcal__model *model, const lcal_log *log, lcal_error *err)
{
    lcal__storage *storage = lcal__calloc(1, sizeof(*storage));
    if (!storage)
        return lcal__fail_nomem(err, model->directory);
    model->storage = storage;
    LCAL_TRY(lcal__layers_alloc(model, err));
    LCAL_TRY(lcal__weight_files_open(model->directory, log, &storage->files, err));
    opening on = {.storage = storage};
    lcal_status status = check_slots(model, &on, err);
    if (status == LCAL_OK)
        status = place_slots(model, &on, log, err);
    lcal__listing_free(&on.missing);
    lcal__listing_free(&on.misshapen);
    LCAL_TRY(status);
    model->mapped_bytes = lcal__weight_files_bytes(&storage->files);
    return lcal__weight_files_hash(&storage->files, model->sha256, err);
}

lcal_status lcal__model_open_config(const char *directory, lcal__model_config *out, lcal_error *err)
{
    unsigned char *text = NULL;
    size_t size;
    char *path = lcal__path_join(directory, "config.json");
    if (!path)
        return lcal__fail_nomem(err, directory);
    lcal_status status = lcal__file_read(path, LCAL_CONFIG_MAX, &text, &size, err);
    if (status == LCAL_OK)
        status = lcal__model_config_parse((const char *)text, size, path, out, err);
    lcal__free(text);
    lcal__free(path);
    return status;
}

lcal_status lcal__model_open(const char *directory, const lcal_log *log, lcal__model *out,
                             lcal_error *err)
{
    lcal__model model = {0};
    if (lcal__path_is_file(directory))
        return lcal__gguf_model_open(directory, out, err);
    if (!lcal__path_is_dir(directory))
        return lcal__fail(err, LCAL_IO, "%s: cannot open: no such directory or GGUF file",
                          directory);
    LCAL_TRY(lcal__model_open_config(directory, &model.config, err));
    model.directory = lcal__strdup(directory);
    lcal_status status =
        model.directory ? open_weights(&model, log, err) : lcal__fail_nomem(err, directory);
    if (status == LCAL_OK)
        *out = model;
    else
        lcal__model_close(&model);
    return status;
}
