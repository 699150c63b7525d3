#include "model/model.h"

#include "base/mem.h"
#include "model/slots.h"
#include "model/storage.h"

/* What a visit hands on. */
typedef struct visit {
    lcal__model_visit_fn *fn;
    void *context;
} visit;

static lcal_status visit_slot(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    const visit *on = context;
    if (slot->matrix)
        return on->fn(on->context, slot->name, slot->rows, slot->cols, slot->matrix->dtype,
                      slot->matrix->data, err);
    return on->fn(on->context, slot->name, slot->rows, slot->cols, LCAL__F32, *slot->vector, err);
}

lcal_status lcal__model_visit(const lcal__model *model, lcal__model_visit_fn *fn, void *context,
                              lcal_error *err)
{
    lcal__model view = *model; /* slots point into a model that may be changed */
    visit on = {fn, context};
    return lcal__slots_walk(&view, visit_slot, &on, err);
}

void lcal__model_close(lcal__model *model)
{
    lcal__storage_close(&model->storage);
    lcal__free(model->layers);
    lcal__free(model->directory);
    *model = (lcal__model){0};
}

void lcal__model_release(const lcal__model *model, const void *data, size_t bytes)
{
    const lcal__storage *storage = model->storage;
    if (storage)
        lcal__weight_files_release(&storage->files, data, bytes);
}
