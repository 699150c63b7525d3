#define _POSIX_C_SOURCE 200809L /* strcasecmp */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "commands.h"
#include "exit.h"
#include "gnuplot.h"
#include "json_out.h"
#include "lcal/file.h"
#include "plot.h"

typedef struct values {
    cli_texts out;
    const char *x, *keys, *log, *title;
    double smooth;
    size_t width, height;
    bool json;
} values;

#define SOURCES_MAX 64
#define PATH_MAX_BYTES 4096
#define OUTPUTS_DEFAULT 2

/* --- what is drawn --------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* The last part of a path; the whole where another one has the same. */
static void label_sources(plot_source *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *slash = strrchr(sources[i].path, '/');
        sources[i].label = slash && slash[1] ? slash + 1 : sources[i].path;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            if (i != j && strcmp(sources[i].label, sources[j].label) == 0)
                sources[i].label = sources[i].path;
}

static lcal_status read_sources(const cli_call *call, plot_source *sources, lcal_error *err)
{
    for (size_t i = 0; i < call->operand_count; i++) {
        sources[i].path = call->operands[i];
        lcal_status status = lcal_table_read(sources[i].path, &sources[i].table, err);
        if (status != LCAL_OK)
            return status;
    }
    label_sources(sources, call->operand_count);
    return LCAL_OK;
}

/* Runs are noisy where it is known; of other files only what is asked for is smoothed. */
static lcal_status make_figure(const cli_call *call, plot_source *sources, plot_figure *figure,
                               lcal_error *err)
{
    const values *v = call->values;
    const plot_request request = {v->x, v->keys, v->log, v->smooth, cli_given(call, "smooth")};
    figure->width = v->width;
    figure->height = v->height;
    figure->title = v->title ? v->title : call->operand_count == 1 ? sources[0].label : NULL;
    return plot_figure_make(&request, sources, call->operand_count, figure, err);
}

/* --- where it goes --------------------------------------------------------------------------- */

static const char *ending_of(const char *path)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    return dot && (!slash || dot > slash) ? dot : "";
}

static bool is_output(const char *path)
{
    const char *ending = ending_of(path);
    return strcasecmp(ending, ".svg") == 0 || strcasecmp(ending, ".png") == 0
           || strcasecmp(ending, ".gp") == 0;
}

/* RUN/loss.svg and RUN/loss.png, or beside the file with its name. */
static bool name_default(const char *path, const char *ending, char name[PATH_MAX_BYTES])
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    int written = is_directory(path)
                      ? snprintf(name, PATH_MAX_BYTES, "%.*s/loss%s", (int)length, path, ending)
                      : snprintf(name, PATH_MAX_BYTES, "%.*s%s",
                                 (int)(length - strlen(ending_of(path))), path, ending);
    return written > 0 && written < PATH_MAX_BYTES;
}

static lcal_status write_output(const plot_figure *figure, const char *path, lcal_error *err)
{
    char *script = NULL;
    unsigned char *image = NULL;
    size_t script_size, image_size;
    lcal_status status = plot_script(figure, &script, &script_size, err);
    if (status != LCAL_OK)
        return status;
    const char *ending = ending_of(path);
    if (strcasecmp(ending, ".gp") == 0) {
        status = lcal_file_write(path, script, script_size, err);
    } else {
        status = gnuplot_draw(script, strcasecmp(ending, ".png") == 0 ? GNUPLOT_PNG : GNUPLOT_SVG,
                              figure->width, figure->height, &image, &image_size, err);
        if (status == LCAL_OK)
            status = lcal_file_write(path, image, image_size, err);
    }
    free(image);
    free(script);
    return status;
}

static void report(const cli_call *call, const plot_source *sources, const char *const *outputs,
                   size_t count)
{
    const values *v = call->values;
    if (!v->json) {
        for (size_t i = 0; i < count; i++)
            puts(outputs[i]);
        return;
    }
    fputs("{\"files\": [", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", stdout);
        json_text(outputs[i]);
    }
    fputs("], \"sources\": [", stdout);
    for (size_t i = 0; i < call->operand_count; i++) {
        printf("%s{\"path\": ", i ? ", " : "");
        json_text(sources[i].path);
        printf(", \"rows\": %zu}", sources[i].table.rows);
    }
    puts("]}");
}

static lcal_status write_outputs(const cli_call *call, const plot_source *sources,
                                 const plot_figure *figure, lcal_error *err)
{
    const values *v = call->values;
    char names[OUTPUTS_DEFAULT][PATH_MAX_BYTES];
    const char *defaults[OUTPUTS_DEFAULT] = {names[0], names[1]};
    const char *const *outputs = v->out.count ? v->out.items : defaults;
    const size_t count = v->out.count ? v->out.count : OUTPUTS_DEFAULT;
    if (!v->out.count
        && (!name_default(sources[0].path, ".svg", names[0])
            || !name_default(sources[0].path, ".png", names[1])))
        return exit_error(err, LCAL_IO, "%s: the path is too long", sources[0].path);
    for (size_t i = 0; i < count; i++) {
        lcal_status status = write_output(figure, outputs[i], err);
        if (status != LCAL_OK)
            return status;
    }
    report(call, sources, outputs, count);
    return LCAL_OK;
}

/* --- the command ----------------------------------------------------------------------------- */

static int check_usage(const cli_call *call)
{
    const values *v = call->values;
    for (size_t i = 0; i < v->out.count; i++)
        if (!is_output(v->out.items[i]))
            return cli_usage_error(call->command,
                                   "--out: expected a name that ends in .svg, .png or .gp, found "
                                   "\"%s\"",
                                   v->out.items[i]);
    if (call->operand_count > 1 && !v->out.count)
        return cli_usage_error(call->command, "--out FILE is missing: where several are drawn "
                                              "there is no place of their own");
    return 0;
}

static int run(const cli_call *call)
{
    plot_source sources[SOURCES_MAX] = {0};
    plot_figure figure = {0};
    lcal_error err = {0};
    int usage = check_usage(call);
    if (usage)
        return usage;
    lcal_status status = read_sources(call, sources, &err);
    if (status == LCAL_OK)
        status = make_figure(call, sources, &figure, &err);
    if (status == LCAL_OK)
        status = write_outputs(call, sources, &figure, &err);
    plot_figure_free(&figure);
    for (size_t i = 0; i < call->operand_count; i++)
        lcal_table_free(&sources[i].table);
    return status == LCAL_OK ? 0 : exit_failure("plot", &err);
}

static const cli_option options[] = {
    {"out", CLI_TEXTS, offsetof(values, out), "FILE",
     .help = "Write FILE.svg, FILE.png, or FILE.gp, the script for gnuplot; may be given several "
             "times. Default: loss.svg and loss.png in the run directory, or beside the file with "
             "its name."},
    {"keys", CLI_TEXT, offsetof(values, keys), "NAMES",
     .help = "Columns to draw: a comma begins a new panel, a plus adds to the one before. Default: "
             "loss+val_loss,lr; where there is no loss, each column in a panel."},
    {"x", CLI_TEXT, offsetof(values, x), "NAME",
     .help = "Column of the horizontal axis. Default: step, or the first column."},
    {"log", CLI_TEXT, offsetof(values, log), "NAMES",
     .help = "Columns, apart by commas, whose axis is logarithmic; numbers up to 0 are left out."},
    {"smooth", CLI_NUMBER, offsetof(values, smooth), "A", .from = 0, .to = 0.9999,
     .fallback = "0.9",
     .help = "Smooth by an exponential moving average that keeps this part of itself at each row; "
             "0: only the rows. Not given, only loss, grad_norm and tokens_per_s are smoothed."},
    {"title", CLI_TEXT, offsetof(values, title), "TEXT",
     .help = "Text above the plot. Default: the name of what is drawn, where it is one."},
    {"width", CLI_COUNT, offsetof(values, width), "N", .low = 200, .high = 10000, .fallback = "960",
     .help = "Width in pixels."},
    {"height", CLI_COUNT, offsetof(values, height), "N", .low = 150, .high = 10000,
     .fallback = "640", .help = "Height in pixels."},
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print one JSON object."},
    {0},
};

const cli_command cmd_plot = {
    .name = "plot",
    .summary = "Draw loss and learning rate of runs, or columns of a CSV file",
    .arguments = "RUN|FILE...",
    .operand = "RUN or FILE",
    .details = "A run directory stands for its metrics.jsonl; other files are objects, one a line, "
               "or CSV with a header, plain or gzip. Validation losses are drawn as points. "
               "Several runs are laid over each other, with a colour each. Where a run was "
               "continued, the last row of a step counts. Needs the program gnuplot (Debian: "
               "gnuplot-nox), but for FILE.gp. Prints the names of what was written.",
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 1,
    .operands_max = SOURCES_MAX,
    .run = run,
};
