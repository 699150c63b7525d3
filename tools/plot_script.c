/*
 * The figure in gnuplot's language. Text from outside stands only in single quotes, where gnuplot
 * knows no escapes and runs no commands; numbers stand in data blocks.
 */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "plot.h"
#include "text.h"

/* Okabe and Ito's colours that stand out from white and from each other for every kind of eye:
 * https://jfly.uni-koeln.de/color/ */
static const char *const colours[] = {
    "0072B2", "D55E00", "009E73", "CC79A7", "E69F00", "56B4E9", "000000",
};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))
#define INK "#303030"
#define FAINT "98" /* transparency of what is not smoothed, 00..FF */

/* Pixels: the middle of the vertical labels, around the panels, between them. */
enum { LABEL = 16, LEFT = 104, RIGHT = 24, TOP = 24, TITLE = 28, BOTTOM = 58, GAP = 26 };

static void put_text(FILE *out, const char *text)
{
    size_t left = strlen(text);
    fputc('\'', out);
    while (left) {
        size_t length = text_character(text, left);
        if (length == 0)
            fputs("\xEF\xBF\xBD", out);
        else if (*text == '\'')
            fputs("''", out);
        else if (length == 1 && ((unsigned char)*text < 0x20 || *text == 0x7F))
            fputc(' ', out);
        else
            fwrite(text, 1, length, out);
        length = length ? length : 1;
        text += length;
        left -= length;
    }
    fputc('\'', out);
}

/* --- data ------------------------------------------------------------------------------------ */

static void put_data(FILE *out, const plot_curve *curve, size_t panel, size_t index)
{
    fprintf(out, "$p%zuc%zu << EOD\n", panel, index);
    for (size_t i = 0; i < curve->count; i++) {
        fprintf(out, "%.9g %.9g", curve->x[i], curve->y[i]);
        if (curve->smooth)
            fprintf(out, " %.9g", curve->smooth[i]);
        fputc('\n', out);
    }
    fputs("EOD\n", out);
}

/* --- panels ---------------------------------------------------------------------------------- */

static void put_style(FILE *out)
{
    fputs("set encoding utf8\n"
          "set border 3 linecolor rgb '#909090' linewidth 1\n"
          "set tics nomirror out scale 0.6 textcolor rgb '" INK "'\n"
          "set grid linetype 1 linecolor rgb '#E6E6E6' linewidth 1\n"
          "set key top right Left reverse samplen 1.6 spacing 1.25 textcolor rgb '" INK "'\n"
          "set format '%g'\n",
          out);
}

/* Where a panel is, and its label at the same place left of all: the first is twice as high as each
 * other. Pixels count from above, gnuplot's screen from below. */
static void put_place(FILE *out, const plot_figure *f, size_t index)
{
    const double height = (double)f->height, width = (double)f->width;
    const double top = TOP + (f->title ? TITLE : 0);
    const double gaps = GAP * (double)(f->count - 1);
    const double unit = (height - top - BOTTOM - gaps) / (double)(f->count + 1);
    const double from = index ? top + unit * (double)(index + 1) + GAP * (double)index : top;
    const double to = from + (index ? unit : 2.0 * unit);
    fprintf(out,
            "set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
            "set tmargin at screen %.5f\nset bmargin at screen %.5f\nset label 1 ",
            LEFT / width, 1.0 - RIGHT / width, 1.0 - from / height, 1.0 - to / height);
    put_text(out, f->panels[index].label);
    fprintf(out, " at screen %.5f,%.5f center rotate by 90 textcolor rgb '" INK "'\n",
            LABEL / width, 1.0 - 0.5 * (from + to) / height);
}

/* The lowest and highest number of a panel. */
static void find_range(const plot_panel *panel, double *low, double *high)
{
    *low = *high = panel->curves[0].y[0];
    for (size_t c = 0; c < panel->count; c++)
        for (size_t i = 0; i < panel->curves[c].count; i++) {
            *low = fmin(*low, panel->curves[c].y[i]);
            *high = fmax(*high, panel->curves[c].y[i]);
        }
}

/* Marks inside each power of ten, fewer where there are more of these: gnuplot's own would leave a
 * loss between 1 and 10 with two. */
static void put_log_axis(FILE *out, const plot_panel *panel)
{
    static const double marks[] = {1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9};
    static const double few[] = {1, 2, 5};
    double low, high;
    find_range(panel, &low, &high);
    const double decades = log10(high / low);
    const double *used = decades < 1.2 ? marks : few;
    const size_t count = decades < 1.2   ? sizeof(marks) / sizeof(marks[0])
                         : decades < 3.0 ? sizeof(few) / sizeof(few[0])
                                         : 1;
    fprintf(out, "set logscale y\nset yrange [%.9g:%.9g]\nset ytics (", low / 1.05, high * 1.05);
    const char *comma = "";
    for (int power = (int)floor(log10(low)) - 1; power <= (int)ceil(log10(high)); power++)
        for (size_t i = 0; i < count; i++) {
            const double at = used[i] * pow(10.0, power);
            if (at < low / 1.05 || at > high * 1.05)
                continue;
            fprintf(out, "%s'%g' %.9g", comma, at, at);
            comma = ", ";
        }
    fputs(")\n", out);
}

static void put_axes(FILE *out, const plot_figure *f, size_t index)
{
    const bool last = index + 1 == f->count;
    fprintf(out, "set xrange [%.9g:%.9g]\n%s logscale x\n", f->low, f->high,
            f->log_x ? "set" : "unset");
    if (f->panels[index].log)
        put_log_axis(out, &f->panels[index]);
    else
        fputs("unset logscale y\nset autoscale y\nset ytics autofreq\n", out);
    fputs(last ? "set format x '%g'\nset xlabel " : "set format x ''\nset xlabel ", out);
    put_text(out, last ? f->x_label : "");
    fputs(" textcolor rgb '" INK "'\nset title ", out);
    put_text(out, index == 0 && f->title ? f->title : "");
    fputs(" offset 0,-0.2 textcolor rgb '" INK "'\n", out);
}

/* A curve's own numbers: faint where a smoothed line tells them apart. */
static void put_raw(FILE *out, const plot_curve *c, const char *block)
{
    const char *colour = colours[c->colour % COLOURS];
    if (c->points || c->count == 1) {
        fprintf(out,
                "%s using 1:2 with points pointtype 7 pointsize 1.0 linecolor rgb '#FFFFFF' "
                "notitle, \\\n",
                block);
        fprintf(out, "%s using 1:2 with points pointtype 7 pointsize 0.7 linecolor rgb '#%s' ",
                block, colour);
    } else {
        fprintf(out, "%s using 1:2 with lines linewidth %s dashtype %zu linecolor rgb '#%s%s' ",
                block, c->smooth ? "1.2" : "2", c->dash % 5 + 1, c->smooth ? FAINT : "", colour);
    }
}

static void put_name(FILE *out, const plot_curve *c, const char *also)
{
    if (!*c->name) {
        fputs("notitle, \\\n", out);
        return;
    }
    char name[512];
    snprintf(name, sizeof(name), "%s%s", c->name, also);
    fputs("title ", out);
    put_text(out, name);
    fputs(", \\\n", out);
}

static void put_curve(FILE *out, const plot_figure *f, const plot_curve *c, const char *block)
{
    put_raw(out, c, block);
    if (!c->smooth || c->count == 1) {
        put_name(out, c, "");
        return;
    }
    char also[64];
    snprintf(also, sizeof(also), ", smoothed (%.4g)", f->smooth);
    fputs("notitle, \\\n", out);
    fprintf(out, "%s using 1:3 with lines linewidth 2.4 dashtype %zu linecolor rgb '#%s' ", block,
            c->dash % 5 + 1, colours[c->colour % COLOURS]);
    put_name(out, c, also);
}

/* Lines first, points over them. */
static void put_panel(FILE *out, const plot_figure *f, size_t index)
{
    const plot_panel *panel = &f->panels[index];
    bool named = false;
    put_place(out, f, index);
    put_axes(out, f, index);
    for (size_t c = 0; c < panel->count; c++)
        named = named || (*panel->curves[c].name && (panel->count > 1 || panel->curves[c].smooth));
    fputs(named ? "set key\nplot " : "unset key\nplot ", out);
    for (int points = 0; points < 2; points++)
        for (size_t c = 0; c < panel->count; c++) {
            char block[64];
            snprintf(block, sizeof(block), "$p%zuc%zu", index, c);
            if (panel->curves[c].points == (points == 1))
                put_curve(out, f, &panel->curves[c], block);
        }
    fputs("NaN notitle\n", out);
}

lcal_status plot_script(const plot_figure *figure, char **text, size_t *size, lcal_error *err)
{
    FILE *out = open_memstream(text, size);
    if (!out)
        return exit_error(err, LCAL_NOMEM, "gnuplot's script: out of memory");
    put_style(out);
    for (size_t p = 0; p < figure->count; p++)
        for (size_t c = 0; c < figure->panels[p].count; c++)
            put_data(out, &figure->panels[p].curves[c], p, c);
    fputs("set multiplot\n", out);
    for (size_t p = 0; p < figure->count; p++)
        put_panel(out, figure, p);
    fputs("unset multiplot\n", out);
    const bool lost = ferror(out) != 0;
    if (fclose(out) != 0 || lost) {
        free(*text);
        *text = NULL;
        return exit_error(err, LCAL_NOMEM, "gnuplot's script: out of memory");
    }
    return LCAL_OK;
}
