/* The memory of a run, added up before it is taken. */
#include "train/memory.h"

#include "train/session.h"

#define MIB ((uint64_t)1 << 20)
#define BUDGET_SHARE 0.8 /* of the memory available at start */

uint64_t lcal__other_bytes(const lcal__model_config *config, size_t longest, size_t threads)
{
    /* Measured on x86-64 Linux with OpenBLAS 0.3.21 and HDF5 1.10.8. */
    const uint64_t libraries = LCAL__OTHER_MIB * MIB, thread = LCAL__OTHER_MIB_THREAD * MIB;
    const uint64_t rope = 2 * (uint64_t)longest * (config->rope.dims / 2) * sizeof(float);
    return libraries + threads * thread + rope;
}

static uint64_t data_bytes(const lcal__dataset *data)
{
    return (uint64_t)data->tokens * 2 * sizeof(int32_t) + data->count * sizeof(lcal__example);
}

static uint64_t weight_bytes(const lcal__session *s)
{
    uint64_t bytes = s->assembly.weight_bytes;
    for (size_t i = 0; i < s->adapters.count; i++)
        bytes += (uint64_t)s->adapters.owned[i]->parameters * sizeof(float);
    if (!s->model.directory)
        bytes += (uint64_t)lcal__model_parameters(&s->model.config) * sizeof(float);
    return bytes;
}

void lcal__session_memory(const lcal__session *s, lcal_train_plan *plan)
{
    const uint64_t total = s->assembly.params.total;
    const bool keeps_best = s->valid.count && s->settings->train.keep_best;
    size_t longest = s->train.longest > s->valid.longest ? s->train.longest : s->valid.longest;
    plan->trained_parameters = total;
    /* What was copied has left memory again (lcal__model_release). */
    plan->mapped_bytes = s->model.directory ? s->assembly.stored_bytes : 0;
    plan->weight_bytes = weight_bytes(s);
    /* Values and gradients, two moments, the best values. */
    plan->state_bytes = total * sizeof(float) * (keeps_best ? 5 : 4);
    plan->workspace_bytes = s->passes.workspace_bytes;
    plan->data_bytes = data_bytes(&s->train) + data_bytes(&s->valid)
                       + s->train.count * sizeof(uint32_t) + lcal__passes_batch_bytes(&s->passes);
    /* A checkpoint holds values, moments and best values; it is made in memory, and then copied
     * once out of the HDF5 library. */
    plan->other_bytes = lcal__other_bytes(&s->model.config, longest, s->exec.threads)
                        + 2 * total * sizeof(float) * (keeps_best ? 4 : 3);
    plan->peak_bytes = plan->mapped_bytes + plan->weight_bytes + plan->state_bytes
                       + plan->workspace_bytes + plan->data_bytes + plan->other_bytes;
}

size_t lcal__session_budget(const lcal__session *s, uint64_t available)
{
    lcal_train_plan plan = {0};
    double allowed = s->settings->train.memory_budget_gib * 1024.0 * (double)MIB;
    lcal__session_memory(s, &plan);
    if (allowed <= 0.0 && available == 0)
        return SIZE_MAX; /* not known: as if there were no limit */
    if (allowed <= 0.0)
        allowed = BUDGET_SHARE * (double)available;
    const double left = allowed - (double)(plan.peak_bytes - plan.workspace_bytes);
    return left <= 0.0 ? 0 : left >= (double)SIZE_MAX ? SIZE_MAX : (size_t)left;
}
