#include "export/rounding.h"

#include <math.h>

#include "base/status.h"

void lcal__rounding_add(lcal__rounding *rounding, const float *exact, const float *stored,
                        const float *update, const float *calibration, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)stored[i] - (double)exact[i]);
        const double change = fabs((double)update[i]);
        rounding->error_sum += error;
        rounding->error_squares += error * error;
        rounding->update_sum += change;
        if (error > rounding->error_max)
            rounding->error_max = error;
        if (change > rounding->update_max)
            rounding->update_max = change;
        if (calibration)
            rounding->calibration_squares += (double)calibration[i] * (double)calibration[i];
    }
}

/* 0 where there is nothing to compare with. */
static double ratio(double part, double whole)
{
    return whole > 0.0 ? part / whole : 0.0;
}

static void raise(double *value, double other)
{
    if (other > *value)
        *value = other;
}

void lcal__rounding_note(const lcal__rounding *rounding, lcal_export_module *note)
{
    raise(&note->rounding_max, ratio(rounding->error_max, rounding->update_max));
    raise(&note->rounding_mean, ratio(rounding->error_sum, rounding->update_sum));
    raise(&note->calibration_noise,
          sqrt(ratio(rounding->error_squares, rounding->calibration_squares)));
}

void lcal__rounding_warn(const lcal_export_report *report, const char *type, const lcal_log *log)
{
    const lcal_export_module *worst = NULL;
    size_t lost = 0;
    for (size_t i = 0; i < report->module_count; i++) {
        const lcal_export_module *m = &report->modules[i];
        if (m->calibration_noise <= LCAL__ROUNDING_LOST)
            continue;
        lost++;
        if (!worst || m->calibration_noise > worst->calibration_noise)
            worst = m;
    }
    if (worst)
        lcal__log(log, LCAL_LOG_NOTICE,
                  "rounding to %s takes most of the calibration in %zu of %zu modules (%s: noise "
                  "%.2g of it): export f32, or an adapter beside the base",
                  type, lost, report->module_count, worst->name, worst->calibration_noise);
}
