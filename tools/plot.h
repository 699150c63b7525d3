/*
 * Figures: curves over one horizontal axis, in panels one below the other. Made of tables, written
 * as a script for gnuplot.
 */
#ifndef LCAL_TOOLS_PLOT_H
#define LCAL_TOOLS_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "lcal/status.h"
#include "lcal/table.h"

#define PLOT_PANELS_MAX 8

/* One file or run. */
typedef struct plot_source {
    const char *path;
    const char *label; /* in the legend; points into path */
    lcal_table table;
} plot_source;

/* What is asked for; strings are borrowed. */
typedef struct plot_request {
    const char *x;    /* column of the horizontal axis; NULL: step, or the first */
    const char *keys; /* "loss+val_loss,lr": panels apart by ",", what shares one by "+"; NULL:
                         that, or where there is no loss each column a panel */
    const char *log;  /* columns whose axis is logarithmic, apart by ","; NULL: none */
    double smooth;    /* 0 up to below 1: how much of the average before a value stays at it */
    bool smooth_all;  /* columns that are not known to be noisy too */
} plot_request;

typedef struct plot_curve {
    char *name; /* in the legend; empty: not there */
    size_t
        colour;  /* the same for one source in all panels, or for one column where one source is */
    size_t dash; /* 0: solid */
    bool points; /* known now and then: drawn as points */
    size_t count;
    double *x, *y;
    double *smooth; /* NULL: not smoothed */
} plot_curve;

typedef struct plot_panel {
    char *label; /* of the vertical axis */
    bool log;
    size_t count;
    plot_curve *curves; /* [count] */
} plot_panel;

/* Zeroed is valid and empty. */
typedef struct plot_figure {
    const char *title; /* NULL: none; borrowed */
    const char *x_label;
    bool log_x;
    double low, high; /* of the horizontal axis */
    double smooth;
    size_t width, height; /* pixels */
    size_t count;
    plot_panel panels[PLOT_PANELS_MAX];
} plot_figure;

/* Adds the panels of a request. LCAL_INVALID: a column that no source has; LCAL_FORMAT: one that
 * holds text or nothing to draw. Free with plot_figure_free in any case. */
lcal_status plot_figure_make(const plot_request *request, const plot_source *sources, size_t count,
                             plot_figure *figure, lcal_error *err);
void plot_figure_free(plot_figure *figure);

/* The figure as a script: everything but the terminal. Free *text with free. */
lcal_status plot_script(const plot_figure *figure, char **text, size_t *size, lcal_error *err);

#endif
