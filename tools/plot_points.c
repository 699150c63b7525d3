/* From two columns of a table to the points of a curve. */
#include <math.h>
#include <stdlib.h>

#include "exit.h"
#include "plot_parts.h"

/* Exponential moving average, freed of its start at zero: s = a s + (1 - a) y, shown s / (1 - a^n)
 * (Kingma and Ba, Adam, 2015, section 3). */
static void smooth(double a, const double *y, double *out, size_t count)
{
    double sum = 0.0, weight = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum = a * sum + (1.0 - a) * y[i];
        weight = a * weight + (1.0 - a);
        out[i] = sum / weight;
    }
}

/* Points that can be drawn: both numbers there, and above 0 on a logarithmic axis. */
static void collect(const double *x, const double *y, size_t rows, const plot_axes *axes,
                    plot_curve *curve)
{
    for (size_t i = 0; i < rows; i++) {
        if (isnan(x[i]) || isnan(y[i]) || (axes->log_x && x[i] <= 0.0)
            || (axes->log_y && y[i] <= 0.0))
            continue;
        curve->x[curve->count] = x[i];
        curve->y[curve->count++] = y[i];
    }
}

/* The lowest and highest of each stretch: a million points look like some thousand, and every peak
 * stays. A stretch's two stand in their order. */
static void thin(plot_curve *curve, size_t stretches)
{
    if (curve->count <= 2 * stretches)
        return;
    size_t kept = 0;
    for (size_t s = 0; s < stretches; s++) {
        size_t from = (size_t)((double)curve->count / (double)stretches * (double)s);
        size_t to = (size_t)((double)curve->count / (double)stretches * (double)(s + 1));
        size_t low = from, high = from;
        for (size_t i = from; i < to && i < curve->count; i++) {
            low = curve->y[i] < curve->y[low] ? i : low;
            high = curve->y[i] > curve->y[high] ? i : high;
        }
        const size_t pair[] = {low < high ? low : high, low < high ? high : low};
        for (size_t i = 0; i < (low == high ? 1 : 2); i++, kept++) {
            curve->x[kept] = curve->x[pair[i]];
            curve->y[kept] = curve->y[pair[i]];
            if (curve->smooth)
                curve->smooth[kept] = curve->smooth[pair[i]];
        }
    }
    curve->count = kept;
}

static lcal_status check_numbers(const plot_source *source, const lcal_column *column,
                                 lcal_error *err)
{
    if (!column->text)
        return LCAL_OK;
    return exit_error(err, LCAL_FORMAT, "%s:%zu: column %s: expected a number, found \"%.60s\"",
                      source->path, column->text_line, column->name, column->text);
}

lcal_status plot_points(const plot_source *source, const char *key, const plot_axes *axes,
                        plot_curve *curve, lcal_error *err)
{
    const lcal_table *table = &source->table;
    const size_t at = lcal_table_find(table, key), x_at = lcal_table_find(table, axes->x);
    if (at == table->columns)
        return LCAL_OK;
    if (x_at == table->columns)
        return exit_error(err, LCAL_INVALID,
                          "%s: expected a column %s, found none; --x names the horizontal axis",
                          source->path, axes->x);
    const lcal_column *x = &table->column[x_at], *y = &table->column[at];
    lcal_status status = check_numbers(source, x, err);
    if (status == LCAL_OK)
        status = check_numbers(source, y, err);
    if (status != LCAL_OK)
        return status;
    curve->x = calloc(table->rows, sizeof(double));
    curve->y = calloc(table->rows, sizeof(double));
    curve->smooth = axes->smooth > 0.0 ? calloc(table->rows, sizeof(double)) : NULL;
    if (!curve->x || !curve->y || (axes->smooth > 0.0 && !curve->smooth))
        return exit_error(err, LCAL_NOMEM, "%s: out of memory", source->path);
    collect(x->values, y->values, table->rows, axes, curve);
    if (curve->smooth)
        smooth(axes->smooth, curve->y, curve->smooth, curve->count);
    thin(curve, axes->stretches);
    return LCAL_OK;
}

void plot_curve_free(plot_curve *curve)
{
    free(curve->name);
    free(curve->x);
    free(curve->y);
    free(curve->smooth);
    *curve = (plot_curve){0};
}
