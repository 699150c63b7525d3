#define _POSIX_C_SOURCE 200809L /* stat */
#include "model_args.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache.h"

const char *const model_args_precisions[] = {"f32", NULL};
const char *const model_args_memories[] = {"fast", "low", NULL};

int model_args_check(const model_args *args, const cli_command *command)
{
    if (!args->model && !args->run)
        return cli_usage_error(command, "--model DIR or --run RUN is missing");
    if (args->run && (args->model || args->adapters.count || args->merge || args->calibration))
        return cli_usage_error(command,
                               "--run brings its own model, adapters, merge and calibration: "
                               "leave --model, --adapter, --merge and --calibration out");
    return 0;
}

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Cuts ":WEIGHT" off; a directory that has such a name is one. */
static double split_weight(char *path)
{
    char *colon = strrchr(path, ':'), *end;
    if (!colon || !colon[1] || is_directory(path))
        return 1.0;
    double weight = strtod(colon + 1, &end);
    if (*end || !isfinite(weight))
        return 1.0;
    *colon = '\0';
    return weight;
}

static lcal_status add_adapter(lcal_model *model, const char *text, lcal_error *err)
{
    char *path = strdup(text);
    if (!path) {
        err->status = LCAL_NOMEM;
        snprintf(err->message, sizeof(err->message), "out of memory");
        return LCAL_NOMEM;
    }
    const double weight = split_weight(path);
    lcal_status status = lcal_model_add_adapter(model, path, weight, err);
    free(path);
    return status;
}

lcal_status model_args_open(const model_args *args, const lcal_log *log, lcal_model **out,
                            lcal_error *err)
{
    const lcal_model_options options = {.threads = args->threads,
                                        .low_memory = args->memory == 1,
                                        .log = log,
                                        .cache = cache_directory()};
    if (args->run)
        return lcal_model_open_run(args->run, &options, out, err);
    lcal_status status = lcal_model_open(args->model, &options, out, err);
    if (status != LCAL_OK)
        return status;
    for (size_t i = 0; status == LCAL_OK && i < args->adapters.count; i++)
        status = add_adapter(*out, args->adapters.items[i], err);
    if (status == LCAL_OK && args->merge)
        status = lcal_model_merge(*out, args->merge, err);
    if (status == LCAL_OK && args->calibration)
        status = lcal_model_calibrate(*out, args->calibration, err);
    if (status != LCAL_OK)
        lcal_model_close(out);
    return status;
}
