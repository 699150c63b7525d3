#include "engine/params.h"

#include <string.h>

#include "base/mem.h"

lcal_status lcal__params_add(lcal__params *params, const char *name, size_t rows, size_t cols,
                             size_t *index, lcal_error *err)
{
    size_t extent, total;
    if (!lcal__size_mul(rows ? rows : 1, cols, &extent)
        || !lcal__size_add(params->total, extent, &total))
        return lcal__fail(err, LCAL_NOMEM, "parameter %s: %zu x %zu numbers do not fit in memory",
                          name, rows, cols);
    char *copy = lcal__strdup(name);
    if (!copy
        || !lcal__grow((void **)&params->items, &params->capacity, params->count + 1,
                       sizeof(*params->items))) {
        lcal__free(copy);
        return lcal__fail_nomem(err, "the list of parameters");
    }
    if (index)
        *index = params->count;
    params->items[params->count++] = (lcal__param){
        .name = copy,
        .rows = rows ? rows : 1,
        .cols = cols,
        .vector = rows == 0,
        .offset = params->total,
    };
    params->total = total;
    return LCAL_OK;
}

lcal_status lcal__params_allocate(lcal__params *params, lcal_error *err)
{
    params->values = lcal__alloc_aligned(params->total, sizeof(float));
    params->grads = lcal__alloc_aligned(params->total, sizeof(float));
    if (!params->values || !params->grads)
        return lcal__fail_nomem(err, "the parameter block");
    memset(params->values, 0, params->total * sizeof(float));
    memset(params->grads, 0, params->total * sizeof(float));
    return LCAL_OK;
}

lcal__leaf lcal__params_leaf(const lcal__params *params, size_t index)
{
    size_t offset = params->items[index].offset;
    return (lcal__leaf){params->values + offset, params->grads + offset};
}

const lcal__param *lcal__params_find(const lcal__params *params, const char *name)
{
    for (size_t i = 0; i < params->count; i++)
        if (strcmp(params->items[i].name, name) == 0)
            return &params->items[i];
    return NULL;
}

void lcal__params_free(lcal__params *params)
{
    for (size_t i = 0; i < params->count; i++)
        lcal__free(params->items[i].name);
    lcal__free(params->items);
    lcal__free(params->values);
    lcal__free(params->grads);
    *params = (lcal__params){0};
}
