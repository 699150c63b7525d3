/* Random adapters of a small odd-shaped model, and their updates dense in double. */
#ifndef LCAL_TESTS_MERGE_ADAPTERS_H
#define LCAL_TESTS_MERGE_ADAPTERS_H

#include "merge/merge.h"

#define ADAPTERS_MAX 3
#define FOREACH_MODULE(config, layer, proj)                                                        \
    for (size_t layer = 0; layer < (config)->layers; layer++)                                      \
        for (lcal__proj proj = 0; proj < LCAL__PROJ_COUNT; proj++)

typedef struct adapters {
    lcal__model_config config;
    lcal__adapter items[ADAPTERS_MAX];
    lcal__adapter_use uses[ADAPTERS_MAX];
    size_t count;
} adapters;

/* Widths of an adapter to make; missing: bits (1 << proj) that it leaves alone in layer 1. */
typedef struct adapter_shape {
    size_t rank;
    float scale, weight;
    unsigned missing;
} adapter_shape;

lcal__model_config odd_config(void);
void adapters_open(adapters *a, const lcal__model_config *config, const adapter_shape *shapes,
                   size_t count, uint64_t seed);
void adapters_close(adapters *a);

/* For tests that change a pair: the same memory, writable. */
float *numbers_of(const float *factor);

/* scale B A [d_out * d_in] in double; zeros where there is none. Free with test_free. */
double *dense_of(const adapters *a, size_t adapter, size_t layer, lcal__proj proj);
size_t elements_of(const adapters *a, lcal__proj proj);

/* The update of a rule at a module, from lcal__merged_rows. Free with test_free. */
float *update_of(const lcal__merge *merge, size_t layer, lcal__proj proj);
void merge_open(lcal__merge *merge, const adapters *a, const lcal__merge_settings *settings,
                size_t threads);

/* Norm of (found - expected) over norm of expected (its own norm where that is 0). */
double distance(const float *found, const double *expected, size_t n);

#endif
