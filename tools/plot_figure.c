/* Which columns of which sources become curves of which panel. */
#define _POSIX_C_SOURCE 200809L /* strdup */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "lcal/config.h"
#include "plot_parts.h"

#define KEYS_MAX 32 /* of a panel */
#define KEY_MAX 256 /* bytes of a name, its zero included */
#define DEFAULT_KEYS "loss+val_loss,lr"

/* What is known of the columns that lcal writes itself. */
static const struct {
    const char *key, *label;
    bool noisy; /* worth smoothing */
} known[] = {
    {"loss", "loss (nats per token)", true},
    {"val_loss", "validation loss (nats per token)", false},
    {"lr", "learning rate", false},
    {"grad_norm", "gradient norm", true},
    {"tokens", "labelled tokens", false},
    {"tokens_per_s", "tokens per second", true},
    {"peak_rss", "peak memory (bytes)", false},
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* What the steps of making a figure share. */
typedef struct maker {
    const plot_request *request;
    const plot_source *sources;
    size_t count;
    plot_figure *figure;
    lcal_error *err;
} maker;

static size_t find_known(const char *key)
{
    size_t i = 0;
    while (i < KNOWN && strcmp(known[i].key, key) != 0)
        i++;
    return i;
}

/* Evaluated now and then: "val_loss", "valid_bleu". */
static bool is_points(const char *key)
{
    return strncmp(key, "val", 3) == 0;
}

static bool is_known_column(const maker *m, const char *key)
{
    for (size_t s = 0; s < m->count; s++)
        if (lcal_table_find(&m->sources[s].table, key) < m->sources[s].table.columns)
            return true;
    return false;
}

static lcal_status no_memory(maker *m)
{
    return exit_error(m->err, LCAL_NOMEM, "out of memory");
}

/* Copies the part of *list before any of `separators` and moves past it; what ended it is *ended,
 * zero at the end of the list. False: it is too long. */
static bool next_name(const char **list, const char *separators, char name[KEY_MAX], char *ended)
{
    size_t length = strcspn(*list, separators);
    if (length >= KEY_MAX)
        return false;
    memcpy(name, *list, length);
    name[length] = '\0';
    *ended = (*list)[length];
    *list += length + (*ended != '\0');
    return true;
}

/* True where the list "a,b" names the key. */
static bool is_listed(const char *list, const char *key)
{
    char name[KEY_MAX], ended = ',';
    while (list && ended && next_name(&list, ",", name, &ended))
        if (strcmp(name, key) == 0)
            return true;
    return false;
}

/* --- one panel ------------------------------------------------------------------------------- */

/* One source: columns are told apart by colour; several: sources are, and columns by dashes. The
 * legend has each source once, in the first panel. */
static char *name_curve(const maker *m, const plot_curve *curve, const char *key, size_t index,
                        const plot_source *source)
{
    if (m->count == 1)
        return strdup(key);
    if ((curve->points && index) || (index == 0 && m->figure->count > 0))
        return strdup("");
    if (index == 0)
        return strdup(source->label);
    size_t size = strlen(source->label) + strlen(key) + 3;
    char *name = malloc(size);
    if (name)
        snprintf(name, size, "%s: %s", source->label, key);
    return name;
}

/* "loss (nats per token)", "a, b, c". Where the legend tells sources apart, it does not tell that
 * points are validation losses. */
static char *label_panel(const maker *m, char keys[][KEY_MAX], size_t count)
{
    const size_t k = find_known(keys[0]);
    char *text = calloc(count + 1, KEY_MAX + 16);
    if (!text)
        return NULL;
    strcpy(text, k < KNOWN ? known[k].label : keys[0]);
    for (size_t i = 1; i < count; i++) {
        if (m->count > 1 && is_points(keys[i]) && is_known_column(m, keys[i]))
            strcat(strcat(text, "; points: "), keys[i]);
        else if (k == KNOWN)
            strcat(strcat(text, ", "), keys[i]);
    }
    return text;
}

/* The curve of a column of one source, where there is something to draw. */
static lcal_status add_curve(maker *m, plot_panel *panel, const char *key, size_t index, size_t s)
{
    const size_t k = find_known(key);
    plot_curve *curve = &panel->curves[panel->count];
    curve->points = is_points(key);
    curve->colour = m->count > 1 ? s : index;
    curve->dash = m->count > 1 ? index : 0;
    const bool smoothed =
        !curve->points && (m->request->smooth_all || (k < KNOWN && known[k].noisy));
    const plot_axes axes = {m->figure->x_label, m->figure->log_x, panel->log,
                            smoothed ? m->request->smooth : 0.0, 2 * m->figure->width};
    lcal_status status = plot_points(&m->sources[s], key, &axes, curve, m->err);
    if (status == LCAL_OK && curve->count) {
        curve->name = name_curve(m, curve, key, index, &m->sources[s]);
        status = curve->name ? LCAL_OK : no_memory(m);
    }
    if (status == LCAL_OK && curve->count)
        panel->count++;
    else
        plot_curve_free(curve);
    return status;
}

/* The curves of a column of all sources. */
static lcal_status add_key(maker *m, plot_panel *panel, const char *key, size_t index)
{
    const size_t before = panel->count;
    for (size_t s = 0; s < m->count; s++) {
        lcal_status status = add_curve(m, panel, key, index, s);
        if (status != LCAL_OK)
            return status;
    }
    if (!m->request->keys || panel->count > before)
        return LCAL_OK;
    return exit_error(m->err, LCAL_FORMAT, "%s: column %s: expected a number%s, found none",
                      m->sources[0].path, key,
                      panel->log || m->figure->log_x ? " that fits a logarithmic axis" : "");
}

static void free_panel(plot_panel *panel)
{
    for (size_t c = 0; c < panel->count; c++)
        plot_curve_free(&panel->curves[c]);
    free(panel->curves);
    free(panel->label);
    *panel = (plot_panel){0};
}

/* A panel of those keys; none where nothing can be drawn. */
static lcal_status add_panel(maker *m, char keys[][KEY_MAX], size_t count)
{
    if (m->figure->count == PLOT_PANELS_MAX)
        return exit_error(m->err, LCAL_INVALID, "--keys: expected at most %d panels, found more",
                          PLOT_PANELS_MAX);
    plot_panel *panel = &m->figure->panels[m->figure->count];
    for (size_t i = 0; i < count; i++)
        panel->log = panel->log || is_listed(m->request->log, keys[i]);
    panel->curves = calloc(count * m->count, sizeof(*panel->curves));
    panel->label = label_panel(m, keys, count);
    lcal_status status = panel->curves && panel->label ? LCAL_OK : no_memory(m);
    for (size_t i = 0; i < count && status == LCAL_OK; i++)
        status = add_key(m, panel, keys[i], i);
    if (status == LCAL_OK && panel->count)
        m->figure->count++;
    else
        free_panel(panel);
    return status;
}

/* --- the figure ------------------------------------------------------------------------------ */

/* Names of the first source's columns, and the nearest of them. */
static lcal_status unknown_column(maker *m, const char *option, const char *key)
{
    const lcal_table *table = &m->sources[0].table;
    const char *words[64];
    char there[512] = "";
    size_t count = 0;
    for (size_t at = 0; count < table->columns && count < 64 && at < sizeof(there); count++) {
        words[count] = table->column[count].name;
        at += (size_t)snprintf(there + at, sizeof(there) - at, "%s%s", count ? ", " : "",
                               words[count]);
    }
    const char *nearest = lcal_nearest_word(key, words, count);
    return exit_error(m->err, LCAL_INVALID, "%s: no column \"%s\"%s%s%s; %s has %s", option, key,
                      nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "",
                      m->sources[0].path, there);
}

static lcal_status check_listed(maker *m, const char *option, const char *list)
{
    char name[KEY_MAX], ended = ',';
    while (list && ended) {
        if (!next_name(&list, ",+", name, &ended) || !*name)
            return exit_error(m->err, LCAL_INVALID, "%s: expected names of columns, found \"%s\"",
                              option, list);
        if (!is_known_column(m, name))
            return unknown_column(m, option, name);
    }
    return LCAL_OK;
}

static lcal_status add_listed(maker *m, const char *list)
{
    char keys[KEYS_MAX][KEY_MAX], ended = ',';
    for (size_t count = 0; ended;) {
        if (count == KEYS_MAX || !next_name(&list, ",+", keys[count], &ended))
            return exit_error(m->err, LCAL_INVALID, "--keys: expected at most %d columns a panel",
                              KEYS_MAX);
        count++;
        if (ended == '+')
            continue;
        lcal_status status = add_panel(m, keys, count);
        if (status != LCAL_OK)
            return status;
        count = 0;
    }
    return LCAL_OK;
}

/* The first columns of the first source that hold numbers and nothing else. */
static lcal_status add_all(maker *m)
{
    const lcal_table *table = &m->sources[0].table;
    lcal_status status = LCAL_OK;
    for (size_t c = 0; c < table->columns && m->figure->count < PLOT_PANELS_MAX; c++) {
        char key[1][KEY_MAX];
        const char *name = table->column[c].name;
        if (table->column[c].text || strcmp(name, m->figure->x_label) == 0
            || strlen(name) >= KEY_MAX)
            continue;
        strcpy(key[0], name);
        status = add_panel(m, key, 1);
        if (status != LCAL_OK)
            break;
    }
    return status;
}

/* Where all curves lie; something around a single value. */
static void find_range(plot_figure *figure)
{
    bool first = true;
    for (size_t p = 0; p < figure->count; p++)
        for (size_t c = 0; c < figure->panels[p].count; c++) {
            const plot_curve *curve = &figure->panels[p].curves[c];
            for (size_t i = 0; i < curve->count; i++) {
                figure->low = first ? curve->x[i] : fmin(figure->low, curve->x[i]);
                figure->high = first ? curve->x[i] : fmax(figure->high, curve->x[i]);
                first = false;
            }
        }
    if (figure->low < figure->high)
        return;
    const double around = figure->low == 0.0 ? 1.0 : 0.1 * fabs(figure->low);
    figure->low -= around;
    figure->high += around;
}

lcal_status plot_figure_make(const plot_request *request, const plot_source *sources, size_t count,
                             plot_figure *figure, lcal_error *err)
{
    maker m = {request, sources, count, figure, err};
    const char *x = request->x;
    if (x && !is_known_column(&m, x))
        return unknown_column(&m, "--x", x);
    if (!x)
        x = is_known_column(&m, "step") ? "step" : sources[0].table.column[0].name;
    figure->x_label = x;
    figure->smooth = request->smooth;
    figure->log_x = is_listed(request->log, x);
    lcal_status status = check_listed(&m, "--keys", request->keys);
    if (status == LCAL_OK)
        status = check_listed(&m, "--log", request->log);
    if (status != LCAL_OK)
        return status;
    const bool all = !request->keys && !is_known_column(&m, "loss");
    status = all ? add_all(&m) : add_listed(&m, request->keys ? request->keys : DEFAULT_KEYS);
    if (status == LCAL_OK && figure->count == 0)
        return exit_error(err, LCAL_FORMAT, "%s: nothing to draw: no column of numbers over %s",
                          sources[0].path, x);
    find_range(figure);
    return status;
}

void plot_figure_free(plot_figure *figure)
{
    for (size_t p = 0; p < figure->count; p++)
        free_panel(&figure->panels[p]);
    *figure = (plot_figure){0};
}
