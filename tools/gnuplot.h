/* The program gnuplot as a function: a script in, an image out. Without a shell, with a time limit.
 */
#ifndef LCAL_TOOLS_GNUPLOT_H
#define LCAL_TOOLS_GNUPLOT_H

#include <stddef.h>

#include "lcal/status.h"

typedef enum gnuplot_format { GNUPLOT_SVG, GNUPLOT_PNG } gnuplot_format;

/* Draws `script` in an image of width x height pixels. LCAL_IO: gnuplot is not installed, failed,
 * took too long or left no whole image. Free *image with free. */
lcal_status gnuplot_draw(const char *script, gnuplot_format format, size_t width, size_t height,
                         unsigned char **image, size_t *size, lcal_error *err);

#endif
