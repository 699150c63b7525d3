/* What making a figure takes in two files. */
#ifndef LCAL_TOOLS_PLOT_PARTS_H
#define LCAL_TOOLS_PLOT_PARTS_H

#include "plot.h"

typedef struct plot_axes {
    const char *x; /* column of the horizontal axis */
    bool log_x, log_y;
    double smooth;    /* 0: not */
    size_t stretches; /* at most twice as many points are kept */
} plot_axes;

/* Fills x, y and smooth of a zeroed curve; no points where the source has no such column. Free with
 * plot_curve_free, also on failure. */
lcal_status plot_points(const plot_source *source, const char *key, const plot_axes *axes,
                        plot_curve *curve, lcal_error *err);
void plot_curve_free(plot_curve *curve);

#endif
