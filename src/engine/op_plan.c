#include "engine/op_plan.h"

#include <limits.h>

#include "base/mem.h"

#define ALIGN_FLOATS (LCAL_ALIGN / sizeof(float))

lcal_status lcal__op_check_extent(const char *op, const char *what, size_t extent, lcal_error *err)
{
    if (extent <= INT_MAX)
        return LCAL_OK;
    return lcal__fail(err, LCAL_UNSUPPORTED,
                      "%s: %s: expected at most %d, found %zu; use smaller batches or a smaller "
                      "model",
                      op, what, INT_MAX, extent);
}

float *lcal__carve(lcal__carver *carver, size_t rows, size_t cols)
{
    size_t count, end;
    float *place = carver->base ? carver->base + carver->floats : NULL;
    if (!lcal__size_mul(rows, cols, &count)
        || !lcal__size_add(count, carver->floats + ALIGN_FLOATS - 1, &end))
        carver->overflow = true;
    else
        carver->floats = end / ALIGN_FLOATS * ALIGN_FLOATS;
    return place;
}

lcal_status lcal__carved(const lcal__carver *carver, const char *op, size_t *floats,
                         lcal_error *err)
{
    size_t bytes;
    if (carver->overflow || !lcal__size_mul(carver->floats, sizeof(float), &bytes))
        return lcal__fail(err, LCAL_NOMEM,
                          "%s: its scratch does not fit in memory; use smaller batches", op);
    *floats = carver->floats;
    return LCAL_OK;
}
