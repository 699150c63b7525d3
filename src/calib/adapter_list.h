/* Frozen adapters in order, each with the weight it is merged with. */
#ifndef LCAL_CALIB_ADAPTER_LIST_H
#define LCAL_CALIB_ADAPTER_LIST_H

#include "calib/spec.h"

/* Zeroed is valid and empty. An adapter stays where it is while the list grows. */
typedef struct lcal__adapter_list {
    lcal__adapter_use *uses; /* [count] */
    lcal__adapter **owned;   /* [count] what the uses point to */
    size_t count, uses_capacity, owned_capacity;
} lcal__adapter_list;

/* Opens a PEFT directory against `config` and appends it. On failure the list is as it was:
 * LCAL_INVALID for a weight that is no finite f32, else as lcal__adapter_open. */
lcal_status lcal__adapter_list_open(lcal__adapter_list *list, const char *directory, double weight,
                                    const lcal__model_config *config, const lcal_log *log,
                                    lcal_error *err);

/* The same for every adapter of a configuration; what was opened before a failure stays. */
lcal_status lcal__adapter_list_open_all(lcal__adapter_list *list, const lcal__settings *settings,
                                        const lcal__model_config *config, const lcal_log *log,
                                        lcal_error *err);

void lcal__adapter_list_free(lcal__adapter_list *list);

#endif
