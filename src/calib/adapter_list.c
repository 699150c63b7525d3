#include "calib/adapter_list.h"

#include <math.h>

#include "base/mem.h"

lcal_status lcal__adapter_list_open(lcal__adapter_list *list, const char *directory, double weight,
                                    const lcal__model_config *config, const lcal_log *log,
                                    lcal_error *err)
{
    const size_t index = list->count;
    if (!isfinite((float)weight))
        return lcal__fail(err, LCAL_INVALID, "%s: weight %g: expected a number that f32 can hold",
                          directory, weight);
    lcal__adapter *adapter = lcal__calloc(1, sizeof(*adapter));
    if (!adapter
        || !lcal__grow((void **)&list->uses, &list->uses_capacity, index + 1, sizeof(*list->uses))
        || !lcal__grow((void **)&list->owned, &list->owned_capacity, index + 1,
                       sizeof(*list->owned))) {
        lcal__free(adapter);
        return lcal__fail_nomem(err, "the list of adapters");
    }
    lcal_status status = lcal__adapter_open(directory, config, log, adapter, err);
    if (status != LCAL_OK) {
        lcal__free(adapter);
        return status;
    }
    list->owned[index] = adapter;
    list->uses[index] = (lcal__adapter_use){adapter, (float)weight};
    list->count = index + 1;
    return LCAL_OK;
}

lcal_status lcal__adapter_list_open_all(lcal__adapter_list *list, const lcal__settings *settings,
                                        const lcal__model_config *config, const lcal_log *log,
                                        lcal_error *err)
{
    for (size_t i = 0; i < settings->adapter_count; i++)
        LCAL_TRY(lcal__adapter_list_open(list, settings->adapters[i].path,
                                         settings->adapters[i].weight, config, log, err));
    return LCAL_OK;
}

void lcal__adapter_list_free(lcal__adapter_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        lcal__adapter_close(list->owned[i]);
        lcal__free(list->owned[i]);
    }
    lcal__free(list->owned);
    lcal__free(list->uses);
    *list = (lcal__adapter_list){0};
}
