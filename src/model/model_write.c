#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/safetensors.h"
#include "model/slots.h"

/* The list of tensors being gathered; names, and converted data, are ours. */
typedef struct gathering {
    lcal__tensor *tensors;
    void **owned; /* names and converted data */
    size_t count, capacity, owned_count, owned_capacity;
    lcal__dtype dtype;
} gathering;

/* Takes a buffer over, also where it is NULL or cannot be kept: then false. */
static bool own(gathering *to, void *buffer)
{
    if (buffer
        && lcal__grow((void **)&to->owned, &to->owned_capacity, to->owned_count + 1,
                      sizeof(*to->owned))) {
        to->owned[to->owned_count++] = buffer;
        return true;
    }
    lcal__free(buffer);
    return false;
}

static void convert(lcal__dtype from, const void *src, lcal__dtype to, void *dst, size_t count)
{
    float chunk[1024];
    const size_t step = sizeof(chunk) / sizeof(chunk[0]);
    for (size_t i = 0; i < count; i += step) {
        size_t n = count - i < step ? count - i : step;
        lcal__convert_to_f32(from, (const char *)src + i * lcal__dtype_size(from), chunk, n);
        lcal__convert_from_f32(to, chunk, (char *)dst + i * lcal__dtype_size(to), n);
    }
}

static lcal_status gather(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    gathering *to = context;
    char *name = lcal__strdup(slot->name);
    if (!own(to, name)
        || !lcal__grow((void **)&to->tensors, &to->capacity, to->count + 1, sizeof(*to->tensors)))
        return lcal__fail_nomem(err, slot->name);
    size_t elements = slot->rows * slot->cols;
    lcal__dtype dtype = slot->matrix ? slot->matrix->dtype : LCAL__F32;
    const void *data = slot->matrix ? slot->matrix->data : *slot->vector;
    if (dtype != to->dtype) {
        void *converted = lcal__alloc_aligned(elements, lcal__dtype_size(to->dtype));
        if (!own(to, converted))
            return lcal__fail_nomem(err, slot->name);
        convert(dtype, data, to->dtype, converted, elements);
        data = converted;
    }
    to->tensors[to->count++] = (lcal__tensor){.name = name,
                                              .dtype = to->dtype,
                                              .rank = slot->matrix ? 2 : 1,
                                              .shape = {slot->rows, slot->cols},
                                              .elements = elements,
                                              .data = data};
    return LCAL_OK;
}

static lcal_status write_weights(const lcal__model *model, lcal__dtype dtype, const char *path,
                                 lcal_error *err)
{
    gathering to = {.dtype = dtype};
    lcal__model view = *model; /* slots point into a model that may be changed */
    lcal_status status = lcal__slots_walk(&view, gather, &to, err);
    if (status == LCAL_OK)
        status = lcal__safetensors_write(path, to.tensors, to.count, NULL, 0, err);
    for (size_t i = 0; i < to.owned_count; i++)
        lcal__free(to.owned[i]);
    lcal__free(to.owned);
    lcal__free(to.tensors);
    return status;
}

static lcal_status write_config(const lcal__model *model, lcal__dtype dtype, const char *path,
                                lcal_error *err)
{
    const char *name = dtype == LCAL__F32 ? "float32" : dtype == LCAL__F16 ? "float16" : "bfloat16";
    char *text = NULL;
    LCAL_TRY(lcal__model_config_write(&model->config, name, &text, err));
    lcal_status status = lcal__file_replace(path, text, strlen(text), err);
    lcal__free(text);
    return status;
}

lcal_status lcal__model_write(const lcal__model *model, lcal__dtype dtype, const char *directory,
                              lcal_error *err)
{
    if (dtype != LCAL__F32 && dtype != LCAL__F16 && dtype != LCAL__BF16)
        return lcal__fail(err, LCAL_INVALID, "%s: a model is written as F32, F16 or BF16, not %s",
                          directory, lcal__dtype_name(dtype));
    LCAL_TRY(lcal__dir_make(directory, err));
    char *config = lcal__path_join(directory, "config.json");
    char *weights = lcal__path_join(directory, "model.safetensors");
    lcal_status status = config && weights ? LCAL_OK : lcal__fail_nomem(err, directory);
    if (status == LCAL_OK)
        status = write_weights(model, dtype, weights, err);
    if (status == LCAL_OK)
        status = write_config(model, dtype, config, err);
    lcal__free(config);
    lcal__free(weights);
    return status;
}
