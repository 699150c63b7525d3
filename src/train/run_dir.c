#include "train/run_dir.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/metrics.h"

/* Below adapter/ and model/: what the writers of adapters and models leave there. */
static const char *const adapter_files[] = {"adapter_config.json", "adapter_model.safetensors"};
static const char *const model_files[] = {"config.json", "model.safetensors"};
#define RESULT_FILES 2

lcal_status lcal__run_dir_open(const char *root, lcal_existing existing, lcal__run_dir *out,
                               lcal_error *err)
{
    *out = (lcal__run_dir){
        .root = lcal__strdup(root),
        .config = lcal__path_join(root, LCAL__RUN_CONFIG),
        .metrics = lcal__path_join(root, "metrics.jsonl"),
        .checkpoint = lcal__path_join(root, "checkpoint.h5"),
        .log = lcal__path_join(root, "log.txt"),
        .calibration_h5 = lcal__path_join(root, LCAL__RUN_CALIBRATION),
        .calibration_safetensors = lcal__path_join(root, LCAL__RUN_CALIBRATION_TWIN),
        .adapter = lcal__path_join(root, LCAL__RUN_ADAPTER),
        .model = lcal__path_join(root, LCAL__RUN_MODEL),
    };
    if (!out->root || !out->config || !out->metrics || !out->checkpoint || !out->log
        || !out->calibration_h5 || !out->calibration_safetensors || !out->adapter || !out->model)
        return lcal__fail_nomem(err, root);
    if (lcal__path_is_file(root))
        return lcal__fail(err, LCAL_CONFIG, "%s: expected a run directory, found a file", root);
    out->held = lcal__path_is_file(out->config);
    if (!out->held && lcal__path_is_dir(root) && !lcal__dir_is_empty(root))
        return lcal__fail(err, LCAL_CONFIG,
                          "%s: neither empty nor a run of lcal (no " LCAL__RUN_CONFIG
                          "); choose another out",
                          root);
    if (out->held && existing == LCAL_EXISTING_REFUSE)
        return lcal__fail(err, LCAL_CONFIG,
                          "%s: already holds a run; continue it with --resume, start anew with "
                          "--overwrite, or choose another out",
                          root);
    if (!out->held && existing == LCAL_EXISTING_RESUME)
        return lcal__fail(err, LCAL_CONFIG, "%s: holds no run to resume (no " LCAL__RUN_CONFIG ")",
                          root);
    return LCAL_OK;
}

void lcal__run_dir_close(lcal__run_dir *dir)
{
    lcal__free(dir->root);
    lcal__free(dir->config);
    lcal__free(dir->metrics);
    lcal__free(dir->checkpoint);
    lcal__free(dir->log);
    lcal__free(dir->calibration_h5);
    lcal__free(dir->calibration_safetensors);
    lcal__free(dir->adapter);
    lcal__free(dir->model);
    *dir = (lcal__run_dir){0};
}

static lcal_status remove_in(const char *directory, const char *const *names, lcal_error *err)
{
    for (size_t i = 0; i < RESULT_FILES; i++) {
        char *path = lcal__path_join(directory, names[i]);
        lcal_status status =
            path ? lcal__path_is_dir(directory) ? lcal__file_remove(path, err) : LCAL_OK
                 : lcal__fail_nomem(err, directory);
        lcal__free(path);
        LCAL_TRY(status);
    }
    return LCAL_OK;
}

/* The checkpoint goes first: what a kill leaves is then a run without one, never a mixture. */
static lcal_status remove_run(const lcal__run_dir *dir, lcal_error *err)
{
    LCAL_TRY(lcal__file_remove(dir->checkpoint, err));
    LCAL_TRY(lcal__file_remove(dir->calibration_h5, err));
    LCAL_TRY(lcal__file_remove(dir->calibration_safetensors, err));
    LCAL_TRY(remove_in(dir->adapter, adapter_files, err));
    LCAL_TRY(remove_in(dir->model, model_files, err));
    LCAL_TRY(lcal__file_remove(dir->metrics, err));
    return lcal__file_remove(dir->log, err);
}

/* What a kill in the middle of a replacement left: as large as what it was to become. */
static lcal_status sweep_in(const char *directory, const char *const *names, lcal_error *err)
{
    for (size_t i = 0; i < RESULT_FILES; i++) {
        char *path = lcal__path_join(directory, names[i]);
        lcal_status status =
            path ? lcal__replace_sweep(path, err) : lcal__fail_nomem(err, directory);
        lcal__free(path);
        LCAL_TRY(status);
    }
    return LCAL_OK;
}

static lcal_status sweep_run(const lcal__run_dir *dir, lcal_error *err)
{
    LCAL_TRY(lcal__replace_sweep(dir->config, err));
    LCAL_TRY(lcal__replace_sweep(dir->metrics, err));
    LCAL_TRY(lcal__replace_sweep(dir->checkpoint, err));
    LCAL_TRY(lcal__replace_sweep(dir->calibration_h5, err));
    LCAL_TRY(lcal__replace_sweep(dir->calibration_safetensors, err));
    LCAL_TRY(sweep_in(dir->adapter, adapter_files, err));
    return sweep_in(dir->model, model_files, err);
}

static lcal_status write_config(const lcal__run_dir *dir, const lcal_config *config,
                                lcal_error *err)
{
    char *text;
    LCAL_TRY(lcal_config_dump(config, &text, err));
    lcal_status status = lcal__file_replace(dir->config, text, strlen(text), err);
    lcal__free(text);
    return status;
}

lcal_status lcal__run_dir_prepare(const lcal__run_dir *dir, lcal_existing existing,
                                  const lcal_config *config, uint64_t step, lcal_error *err)
{
    LCAL_TRY(lcal__dir_make(dir->root, err));
    LCAL_TRY(sweep_run(dir, err));
    if (dir->held && existing == LCAL_EXISTING_OVERWRITE)
        LCAL_TRY(remove_run(dir, err));
    LCAL_TRY(write_config(dir, config, err));
    return lcal__metrics_truncate(dir->metrics, step, err);
}

static bool has_files(const char *directory, const char *const *names)
{
    bool found = true;
    for (size_t i = 0; found && i < RESULT_FILES; i++) {
        char *path = lcal__path_join(directory, names[i]);
        found = path && lcal__path_is_file(path);
        lcal__free(path);
    }
    return found;
}

bool lcal__run_dir_has_result(const lcal__run_dir *dir, lcal__method method)
{
    switch (method) {
    case LCAL__METHOD_LORA:
        return has_files(dir->adapter, adapter_files);
    case LCAL__METHOD_BASE:
        return has_files(dir->model, model_files);
    case LCAL__METHOD_LC:
    case LCAL__METHOD_LCPP:
    case LCAL__METHOD_COLUMNS:
        break;
    }
    return lcal__path_is_file(dir->calibration_h5)
           && lcal__path_is_file(dir->calibration_safetensors);
}
