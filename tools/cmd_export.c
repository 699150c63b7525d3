#define _POSIX_C_SOURCE 200809L /* stat */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/export.h"
#include "model_args.h"
#include "progress.h"

typedef struct values {
    model_args model;
    size_t to, dtype, rank, as;
    const char *base_name, *shard_size;
    bool overwrite, json;
} values;

static const char *const formats[] = {
#define WORD(name, word, text) word,
    LCAL_EXPORT_FORMAT_MAP(WORD)
#undef WORD
        NULL};
static const char *const dtypes[] = {"auto", "f32", "f16", "bf16", "q8_0", NULL};
static const char *const classes[] = {"same", "llama", NULL};

/* --- what is exported ------------------------------------------------------------------------ */

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The first of two operands is a run or a calibration. */
static int take_source(const cli_call *call, model_args *args)
{
    if (call->operand_count == 2) {
        const char *source = call->operands[0];
        if (args->run || args->calibration)
            return cli_usage_error(call->command, "%s besides --%s: give one of them", source,
                                   args->run ? "run" : "calibration");
        if (is_directory(source))
            args->run = source;
        else
            args->calibration = source;
    }
    return model_args_check(args, call->command);
}

/* "5GB", "500MB", "200KB" or bytes; units of 1000. False: no such size. */
static bool read_size(const char *text, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"", 1}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}};
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    const unsigned long long count = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (strcmp(end, units[i].unit) == 0 && count > 0 && count <= UINT64_MAX / units[i].bytes) {
            *out = count * units[i].bytes;
            return true;
        }
    return false;
}

/* --- what the user sees ---------------------------------------------------------------------- */

static void print_json(const char *format, const char *path, const lcal_export_report *report)
{
    fputs("{\"format\":", stdout);
    json_text(format);
    fputs(",\"path\":", stdout);
    json_text(path);
    printf(",\"type\":\"%s\",\"bytes\":%llu,\"files\":%zu,\"modules\":[", report->type,
           (unsigned long long)report->bytes, report->files);
    for (size_t i = 0; i < report->module_count; i++) {
        const lcal_export_module *m = &report->modules[i];
        printf("%s{\"name\":\"%s\",\"rank\":%zu,\"truncation\":", i ? "," : "", m->name, m->rank);
        json_number(m->truncation);
        fputs(",\"rounding_max\":", stdout);
        json_number(m->rounding_max);
        fputs(",\"rounding_mean\":", stdout);
        json_number(m->rounding_mean);
        fputs(",\"calibration_noise\":", stdout);
        json_number(m->calibration_noise);
        putchar('}');
    }
    puts("]}");
}

/* The modules with the largest value of one kind. */
typedef struct worst {
    const char *name;
    double value;
} worst;

static void keep_worst(worst *w, const lcal_export_module *module, double value)
{
    if (value > w->value)
        *w = (worst){module->name, value};
}

static void print_text(const char *path, const lcal_export_report *report)
{
    worst cut = {0}, most = {0}, mean = {0}, noise = {0};
    for (size_t i = 0; i < report->module_count; i++) {
        const lcal_export_module *m = &report->modules[i];
        keep_worst(&cut, m, m->truncation);
        keep_worst(&most, m, m->rounding_max);
        keep_worst(&mean, m, m->rounding_mean);
        keep_worst(&noise, m, m->calibration_noise);
    }
    printf("%s: %llu bytes in %zu file%s%s%s\n", path, (unsigned long long)report->bytes,
           report->files, report->files == 1 ? "" : "s", report->type[0] ? ", " : "", report->type);
    if (cut.name)
        printf("cut to the rank: at most %.3g %% of an update (%s)\n", 100.0 * cut.value, cut.name);
    if (most.name)
        printf("rounding: at most %.3g of the largest update (%s), in the mean %.3g (%s)\n",
               most.value, most.name, mean.value, mean.name);
    if (noise.name)
        printf("rounding against the calibration: at most %.3g (%s)\n", noise.value, noise.name);
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    model_args args = v->model;
    const char *path = call->operands[call->operand_count - 1];
    progress shown = progress_init(false);
    const lcal_log log = {progress_log, &shown};
    const int usage = take_source(call, &args);
    if (usage)
        return usage;
    uint64_t shard_bytes = 0;
    if (v->shard_size && !read_size(v->shard_size, &shard_bytes))
        return cli_usage_error(call->command,
                               "--shard-size: expected a size like 5GB or 500MB, found \"%s\"",
                               v->shard_size);
    const lcal_export_options options = {
        .format = (lcal_export_format)v->to,
        .type = (lcal_export_type)v->dtype,
        .rank = v->rank,
        .shard_bytes = shard_bytes,
        .as = v->as ? classes[v->as] : NULL,
        .base_name = v->base_name,
        .overwrite = v->overwrite,
        .log = &log,
    };
    lcal_error err = {0};
    lcal_model *model = NULL;
    lcal_export_report report = {0};
    lcal_status status = model_args_open(&args, &log, &model, &err);
    if (status == LCAL_OK)
        status = lcal_export(model, path, &options, &report, &err);
    lcal_model_close(&model);
    progress_end(&shown);
    if (status == LCAL_OK && v->json)
        print_json(formats[v->to], path, &report);
    else if (status == LCAL_OK)
        print_text(path, &report);
    lcal_export_report_free(&report);
    return status == LCAL_OK ? 0 : exit_failure(call->command->name, &err);
}

static const cli_option options[] = {
    {"to", CLI_CHOICE, offsetof(values, to), "FORMAT", .required = true, .words = formats,
     .help = "Form of the result, as listed above."},
    {"dtype", CLI_CHOICE, offsetof(values, dtype), "TYPE", .words = dtypes, .fallback = "auto",
     .help = "Type of the numbers written. auto: f16 for compact files, f32 for adapters, the "
             "base's own for models."},
    {"rank", CLI_COUNT, offsetof(values, rank), "K", .low = 1, .high = 1 << 16,
     .help = "Adapters: cut every update to this rank, the best a rank allows, and say how much "
             "was lost. Without it adapters are exact."},
    {"shard-size", CLI_TEXT, offsetof(values, shard_size), "SIZE",
     .help = "Models in Hugging Face layout: several files of weights, each at most this large "
             "where its tensors allow: 5GB, 500MB."},
    {"as", CLI_CHOICE, offsetof(values, as), "CLASS", .words = classes, .fallback = "same",
     .help = "Merged models: llama writes a qwen2 model as the llama class, which has a bias "
             "wherever a calibration may need one."},
    {"base-name", CLI_TEXT, offsetof(values, base_name), "NAME",
     .help = "Adapters: base_model_name_or_path; without it what the adapters merged say, else "
             "the base's directory."},
    MODEL_ARGS_SOURCE_OPTIONS(values, model),
    {"threads", CLI_COUNT, offsetof(values, model.threads), "N", .low = 0, .high = 1024,
     .fallback = "0",
     .help = "Threads to merge with; 0: all processors. The result does not depend on it."},
    {"overwrite", CLI_FLAG, offsetof(values, overwrite),
     .help = "Replace what an earlier export left at OUT."},
    {"json", CLI_FLAG, offsetof(values, json),
     .help = "Print one JSON object: sizes, and every module's truncation and rounding."},
    {0},
};

#define FORMAT_TEXT(name, word, text) word ": " text ". "

const cli_command cmd_export = {
    .name = "export",
    .summary = "Write a composition in the formats that other programs load",
    .arguments = "[RUN|CALIBRATION] OUT",
    .operand = "OUT",
    .details = "The first argument is a run directory, or a calibration with --model and "
               "--adapter as it was trained; without it, --model and --adapter alone are what is "
               "exported. OUT is complete or not there: it is written under another name and then "
               "renamed. Formats: " LCAL_EXPORT_FORMAT_MAP(FORMAT_TEXT),
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 1,
    .operands_max = 2,
    .run = run,
};
