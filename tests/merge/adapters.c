#include "merge/adapters.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

lcal__model_config odd_config(void)
{
    return (lcal__model_config){.layers = 2,
                                .hidden = 33,
                                .heads = 3,
                                .kv_heads = 1,
                                .head_dim = 10,
                                .ffn = 47,
                                .vocab = 16,
                                .max_positions = 8};
}

size_t elements_of(const adapters *a, lcal__proj proj)
{
    return lcal__proj_out(&a->config, proj) * lcal__proj_in(&a->config, proj);
}

static float *random_numbers(size_t n, lcal__rng *rng)
{
    float *numbers = test_malloc(n * sizeof(*numbers));
    for (size_t i = 0; i < n; i++)
        numbers[i] = (float)(0.3 * lcal__rng_normal(rng));
    return numbers;
}

void adapters_open(adapters *a, const lcal__model_config *config, const adapter_shape *shapes,
                   size_t count, uint64_t seed)
{
    lcal__rng rng = {seed, 0, 0};
    *a = (adapters){.config = *config, .count = count};
    for (size_t i = 0; i < count; i++) {
        lcal__adapter *adapter = &a->items[i];
        adapter->layers = config->layers;
        adapter->pairs = test_calloc(config->layers * LCAL__PROJ_COUNT, sizeof(*adapter->pairs));
        a->uses[i] = (lcal__adapter_use){adapter, shapes[i].weight};
        FOREACH_MODULE(config, layer, proj)
        {
            if (layer == 1 && shapes[i].missing >> proj & 1)
                continue;
            const size_t rank = shapes[i].rank;
            adapter->pairs[layer * LCAL__PROJ_COUNT + proj] = (lcal__lora_pair){
                random_numbers(rank * lcal__proj_in(config, proj), &rng),
                random_numbers(rank * lcal__proj_out(config, proj), &rng), rank, shapes[i].scale};
        }
    }
}

float *numbers_of(const float *factor)
{
    return (float *)(uintptr_t)factor;
}

void adapters_close(adapters *a)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t m = 0; m < a->config.layers * LCAL__PROJ_COUNT; m++) {
            if (!a->items[i].pairs[m].a)
                continue;
            test_free(numbers_of(a->items[i].pairs[m].a));
            test_free(numbers_of(a->items[i].pairs[m].b));
        }
        test_free(a->items[i].pairs);
    }
}

double *dense_of(const adapters *a, size_t adapter, size_t layer, lcal__proj proj)
{
    const size_t rows = lcal__proj_out(&a->config, proj), cols = lcal__proj_in(&a->config, proj);
    const lcal__lora_pair *pair = lcal__adapter_pair(&a->items[adapter], layer, proj);
    double *dense = test_calloc(rows * cols, sizeof(*dense));
    for (size_t r = 0; pair->a && r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            for (size_t k = 0; k < pair->rank; k++)
                dense[r * cols + c] += (double)pair->scale * (double)pair->b[r * pair->rank + k]
                                       * (double)pair->a[k * cols + c];
    return dense;
}

typedef struct collected {
    float *rows;
    size_t cols, next;
} collected;

static void collect(void *context, size_t first, size_t count, const float *rows)
{
    collected *c = context;
    assert_int_equal(first, c->next);
    memcpy(c->rows + first * c->cols, rows, count * c->cols * sizeof(*rows));
    c->next = first + count;
}

float *update_of(const lcal__merge *merge, size_t layer, lcal__proj proj)
{
    lcal__merged merged;
    lcal_error err = {0};
    if (lcal__merge_module(merge, layer, proj, &merged, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    const lcal__merge_shape shape = lcal__merge_shape_of(merge, layer, proj);
    assert_int_equal(shape.pairs, merged.count);
    size_t rank = 0;
    for (size_t i = 0; i < merged.count; i++)
        rank += merged.pairs[i].rank;
    assert_int_equal(shape.rank, rank);
    collected c = {test_malloc(merged.rows * merged.cols * sizeof(float)), merged.cols, 0};
    assert_int_equal(lcal__merged_rows(&merged, collect, &c, NULL), LCAL_OK);
    assert_int_equal(c.next, merged.rows);
    lcal__merged_free(&merged);
    return c.rows;
}

void merge_open(lcal__merge *merge, const adapters *a, const lcal__merge_settings *settings,
                size_t threads)
{
    lcal_error err = {0};
    const lcal__exec exec = lcal__exec_init(threads);
    if (lcal__merge_open(settings, a->uses, a->count, &a->config, &exec, merge, &err) != LCAL_OK
        || lcal__merge_prepare(merge, &err) != LCAL_OK)
        fail_msg("%s", err.message);
}

double distance(const float *found, const double *expected, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)found[i] - expected[i]) * ((double)found[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    return norm > 0.0 ? sqrt(difference / norm) : sqrt(difference);
}
