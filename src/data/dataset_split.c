#include "base/mem.h"
#include "base/rng.h"
#include "data/dataset_parts.h"

static bool is_held(uint64_t seed, size_t index, double fraction)
{
    lcal__rng rng = {seed, lcal__rng_stream("data split"), index};
    return lcal__rng_uniform(&rng) < fraction;
}

lcal_status lcal__dataset_split(lcal__dataset *from, double fraction, uint64_t seed, size_t limit,
                                lcal__dataset *held, lcal_error *err)
{
    const size_t count = from->count;
    size_t capacity = 0;
    *held = (lcal__dataset){0};
    from->count = from->tokens = from->counted = from->longest = 0;
    for (size_t i = 0; i < count; i++) {
        const lcal__example example = from->examples[i];
        if (!is_held(seed, example.index, fraction)) {
            lcal__dataset_append(from, &example);
        } else if (limit == 0 || held->count < limit) {
            if (!lcal__grow((void **)&held->examples, &capacity, held->count + 1,
                            sizeof(*held->examples)))
                return lcal__fail_nomem(err, "the list of examples held out");
            lcal__dataset_append(held, &example);
        }
    }
    held->read = held->count;
    return LCAL_OK;
}
