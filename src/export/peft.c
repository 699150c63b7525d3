/*
 * Format peft: everything that is added to the base as one PEFT LoRA adapter. Pairs are stacked, A
 * by rows with the scales folded in and B by columns, so that their product is the exact sum;
 * alpha is the rank, so that a reader's scale is 1 and biases (lora_bias), which PEFT scales too,
 * are written as they are.
 */
#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "export/provenance.h"
#include "export/stacked.h"

static lcal_status give_pair(void *context, size_t layer, lcal__proj proj, lcal__lora_pair *out,
                             lcal_error *err)
{
    return lcal__stacked_pair(context, layer, proj, out, err);
}

static lcal_status check(const lcal__exporting *job, lcal_error *err)
{
    return lcal__stacked_check(job, "hf", err);
}

/* What the adapters say where they agree, else where the base was found. */
static const char *base_name(const lcal__exporting *job)
{
    const lcal__adapter_list *adapters = &job->model->adapters;
    const char *name = adapters->count ? adapters->uses[0].adapter->base_name : NULL;
    if (job->options->base_name)
        return job->options->base_name;
    for (size_t i = 1; name && i < adapters->count; i++) {
        const char *other = adapters->uses[i].adapter->base_name;
        if (!other || strcmp(other, name) != 0)
            name = NULL;
    }
    return name ? name : job->model->base.directory;
}

static lcal_status write(const lcal__exporting *job, const char *path, lcal_error *err)
{
    lcal__stacked stacked = {0};
    char *provenance = NULL;
    lcal_status status = lcal__stacked_open(job, &stacked, err);
    if (status == LCAL_OK)
        status = lcal__provenance(job->model, job->options->rank, &provenance, err);
    if (status == LCAL_OK) {
        const char *const metadata[] = {LCAL__PROVENANCE_KEY, provenance};
        const lcal__adapter_source source = {
            .config = &job->model->base.config,
            .base_name = base_name(job),
            .ranks = stacked.ranks,
            .bias = stacked.bias,
            .dtype = lcal__export_dtype(job->type),
            .metadata = metadata,
            .metadata_pairs = 1,
            .pair = give_pair,
            .context = &stacked,
        };
        status = lcal__adapter_write_from(path, &source, err);
    }
    lcal__stacked_close(&stacked);
    lcal__free(provenance);
    return status;
}

const lcal__export_format lcal__export_peft = {
    .directory = true,
    .types = LCAL__EXPORT_BIT(LCAL_EXPORT_F32) | LCAL__EXPORT_BIT(LCAL_EXPORT_F16)
             | LCAL__EXPORT_BIT(LCAL_EXPORT_BF16),
    .has = LCAL__EXPORT_HAS_RANK | LCAL__EXPORT_HAS_BASE_NAME,
    .standard = LCAL_EXPORT_F32,
    .check = check,
    .write = write,
};
