#include "methods/job.h"

#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"

void lcal__stage_free(lcal__stage *stage)
{
    for (size_t i = 0; i < stage->pass_count; i++)
        lcal_model_close(&stage->passes[i]);
    lcal__cases_free(&stage->shots);
    lcal__free(stage->weights);
    *stage = (lcal__stage){0};
}

lcal_model_options lcal__job_model_options(const lcal__job *job)
{
    return (lcal_model_options){
        .threads = (size_t)job->settings->train.threads,
        .low_memory = job->settings->train.memory == LCAL__MEMORY_LOW,
        .log = job->options->hooks.log,
        .cache = job->options->cache,
    };
}

lcal_status lcal__stage_open(const lcal__job *job, lcal__stage *stage, lcal__changes *changes,
                             lcal_error *err)
{
    const lcal_model_options options = lcal__job_model_options(job);
    lcal_config *config = NULL;
    /* The method is the row's matter, and may contradict the adapters. */
    lcal__changes_add(changes, "method=lcpp");
    lcal_status status = lcal__derive(job->config, LCAL_FOR_MODEL, changes, &config, err);
    if (status == LCAL_OK)
        status = lcal_model_open_config(config, &options, &stage->passes[stage->pass_count], err);
    if (status == LCAL_OK)
        stage->pass_count++;
    lcal_config_close(&config);
    lcal__changes_free(changes);
    return status;
}

char *lcal__job_path(const lcal__job *job, const char *name)
{
    return lcal__path_join(job->folder, name);
}

uint64_t lcal__model_trained(const lcal_model *model)
{
    return model->calibration.params.total;
}

uint64_t lcal__adapter_bytes(const char *directory)
{
    static const char *const names[] = {"adapter_config.json", "adapter_model.safetensors"};
    uint64_t sum = 0;
    for (size_t i = 0; i < 2; i++) {
        uint64_t size = 0;
        int64_t changed;
        char *path = lcal__path_join(directory, names[i]);
        if (path && lcal__path_facts(path, &size, &changed))
            sum += size;
        lcal__free(path);
    }
    return sum;
}

bool lcal__job_should_stop(const lcal__job *job)
{
    const lcal_train_hooks *hooks = &job->options->hooks;
    return hooks->should_stop && hooks->should_stop(hooks->user);
}
