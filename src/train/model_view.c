#include "train/model_view.h"

#include "base/mem.h"
#include "model/slots.h"

typedef struct trained_values {
    const lcal__params *params;
    const float *values;
} trained_values;

static lcal_status point_at_trained(void *context, const lcal__model_slot *slot, lcal_error *err)
{
    const trained_values *trained = context;
    const lcal__param *param = lcal__params_find(trained->params, slot->name);
    if (!param)
        return lcal__fail(err, LCAL_INTERNAL, "tensor %s: not among the trained ones", slot->name);
    const float *values = trained->values + param->offset;
    if (slot->matrix)
        *slot->matrix = (lcal__weight){slot->rows, slot->cols, LCAL__F32, values};
    else
        *slot->vector = values;
    return LCAL_OK;
}

lcal_status lcal__model_view(const lcal__model *model, const lcal__params *params,
                             const float *values, lcal__model *out, lcal_error *err)
{
    trained_values trained = {params, values};
    *out = *model;
    out->storage = NULL;
    LCAL_TRY(lcal__layers_alloc(out, err));
    lcal_status status = lcal__slots_walk(out, point_at_trained, &trained, err);
    if (status != LCAL_OK)
        lcal__model_view_free(out);
    else if (out->config.tied)
        out->head = out->embedding;
    return status;
}

void lcal__model_view_free(lcal__model *view)
{
    lcal__free(view->layers);
    *view = (lcal__model){0};
}
