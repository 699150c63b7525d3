/* What the plan functions of the ops share: checked extents and scratch carved in one order. */
#ifndef LCAL_ENGINE_OP_PLAN_H
#define LCAL_ENGINE_OP_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* LCAL_UNSUPPORTED where an extent of a matrix product does not fit a BLAS integer. */
lcal_status lcal__op_check_extent(const char *op, const char *what, size_t extent, lcal_error *err);

/*
 * Cuts one buffer into matrices, each at LCAL_ALIGN. With base NULL it only counts, so that the
 * same calls size the scratch when planning and place it when running.
 */
typedef struct lcal__carver {
    float *base;
    size_t floats; /* cut so far */
    bool overflow;
} lcal__carver;

/* The next [rows, cols]; NULL while counting. */
float *lcal__carve(lcal__carver *carver, size_t rows, size_t cols);

/* The size counted; LCAL_NOMEM where it overflowed. */
lcal_status lcal__carved(const lcal__carver *carver, const char *op, size_t *floats,
                         lcal_error *err);

#endif
