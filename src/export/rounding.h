/* What rounding merged weights to their type did to an update (docs/exports.md). */
#ifndef LCAL_EXPORT_ROUNDING_H
#define LCAL_EXPORT_ROUNDING_H

#include "base/dtype.h"
#include "lcal/export.h"

/* Above this, rounding took more than half of a calibration. */
#define LCAL__ROUNDING_LOST 0.5

/* Zeroed is valid and empty. */
typedef struct lcal__rounding {
    double error_max, error_sum, error_squares;
    double update_max, update_sum;
    double calibration_squares;
} lcal__rounding;

/* Of `count` numbers: exact = base + update, stored = as it reads back. calibration: its part of
 * the update; NULL: none. */
void lcal__rounding_add(lcal__rounding *rounding, const float *exact, const float *stored,
                        const float *update, const float *calibration, size_t count);

/* Into a module's note, where the larger of several tensors stays. */
void lcal__rounding_note(const lcal__rounding *rounding, lcal_export_module *note);

/* Tells the user where a calibration is lost; type: "BF16". */
void lcal__rounding_warn(const lcal_export_report *report, const char *type, const lcal_log *log);

#endif
