/*
 * Adapters whose pairs have ranks of their own and biases (lora_bias): written, read back, and
 * refused where a bias is missing, misshapen or not asked for.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/json.h"
#include "format/safetensors.h"
#include "model/adapter.h"
#include "model/model.h"
#include "model/scratch.h"

#define CONFIG "adapter_config.json"
#define WEIGHTS "adapter_model.safetensors"

static lcal_error err;
static lcal__model_config base;

/* Numbers that every type holds exactly, a function of place alone. */
typedef struct numbers {
    float values[4096];
    const size_t *ranks;
    bool bias;
} numbers;

static lcal_status give(void *context, size_t layer, lcal__proj proj, lcal__lora_pair *out,
                        lcal_error *error)
{
    (void)error;
    const numbers *n = context;
    const size_t place = layer * LCAL__PROJ_COUNT + proj;
    *out = (lcal__lora_pair){.a = n->values + place,
                             .b = n->values + 2 * place + 1,
                             .rank = n->ranks[place],
                             .bias = n->bias ? n->values + 3 * place + 2 : NULL};
    return LCAL_OK;
}

static void fill(numbers *n, const size_t *ranks, bool bias)
{
    for (size_t i = 0; i < sizeof(n->values) / sizeof(*n->values); i++)
        n->values[i] = (float)(i * 37 % 128) / 64.0f - 1.0f;
    n->ranks = ranks;
    n->bias = bias;
}

static void write_adapter(numbers *n, lcal__dtype dtype, double alpha)
{
    const lcal__adapter_source source = {.config = &base,
                                         .base_name = "org/base",
                                         .ranks = n->ranks,
                                         .alpha = alpha,
                                         .bias = n->bias,
                                         .dtype = dtype,
                                         .pair = give,
                                         .context = n};
    if (lcal__adapter_write_from(scratch_path("."), &source, &err) != LCAL_OK)
        fail_msg("%s", err.message);
}

/* Ranks 2 but for down (3 everywhere), up of layer 1 (1) and o of layer 0 (none). */
static size_t *uneven_ranks(void)
{
    assert_int_equal(lcal__model_open_config(shipped_path("stories260K"), &base, &err), LCAL_OK);
    size_t *ranks = lcal__calloc(base.layers * LCAL__PROJ_COUNT, sizeof(*ranks));
    for (size_t i = 0; i < base.layers * LCAL__PROJ_COUNT; i++)
        ranks[i] = i % LCAL__PROJ_COUNT == LCAL__DOWN ? 3 : 2;
    ranks[LCAL__PROJ_COUNT + LCAL__UP] = 1;
    ranks[LCAL__O] = 0;
    return ranks;
}

static void compare(const numbers *n, double alpha)
{
    lcal__adapter adapter;
    if (lcal__adapter_open(scratch_path("."), &base, &scratch_log, &adapter, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(adapter.base_name, "org/base");
    for (size_t layer = 0; layer < base.layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__lora_pair *found = lcal__adapter_pair(&adapter, layer, p);
            const size_t rank = n->ranks[layer * LCAL__PROJ_COUNT + p];
            const size_t rows = lcal__proj_out(&base, p), cols = lcal__proj_in(&base, p);
            lcal__lora_pair expected;
            give((void *)n, layer, p, &expected, &err);
            assert_int_equal(found->a != NULL, rank > 0);
            if (!found->a)
                continue;
            assert_int_equal(found->rank, rank);
            assert_true(found->scale == (alpha != 0.0 ? (float)(alpha / (double)rank) : 1.0f));
            assert_memory_equal(found->a, expected.a, rank * cols * sizeof(float));
            assert_memory_equal(found->b, expected.b, rows * rank * sizeof(float));
            assert_int_equal(found->bias != NULL, n->bias);
            if (n->bias)
                assert_memory_equal(found->bias, expected.bias, rows * sizeof(float));
        }
    lcal__adapter_close(&adapter);
}

static void uneven_ranks_and_biases_read_back(void **state)
{
    (void)state;
    size_t *ranks = uneven_ranks();
    numbers n;
    for (int bias = 0; bias < 2; bias++) {
        fill(&n, ranks, bias);
        for (lcal__dtype dtype = LCAL__F32; dtype <= LCAL__BF16; dtype++) {
            write_adapter(&n, dtype, 0.0);
            compare(&n, 0.0);
        }
        write_adapter(&n, LCAL__F32, 6.0);
        compare(&n, 6.0);
    }
    lcal__free(ranks);
}

static void patterns_name_what_is_apart(void **state)
{
    (void)state;
    size_t *ranks = uneven_ranks();
    numbers n;
    json_t *config = NULL;
    fill(&n, ranks, true);
    write_adapter(&n, LCAL__F32, 0.0);
    assert_int_equal(lcal__json_read_object(scratch_path(CONFIG), &config, &err), LCAL_OK);
    const json_t *apart = json_object_get(config, "rank_pattern");
    assert_int_equal(json_object_size(apart), 2);
    assert_int_equal(json_integer_value(json_object_get(apart, "down_proj")), 3);
    assert_int_equal(json_integer_value(json_object_get(apart, "model.layers.1.mlp.up_proj")), 1);
    assert_true(json_equal(json_object_get(config, "alpha_pattern"), apart));
    assert_int_equal(json_integer_value(json_object_get(config, "r")), 2);
    assert_true(json_is_true(json_object_get(config, "lora_bias")));
    /* o by full names, since layer 0 has none: six short names and the other layers. */
    assert_int_equal(json_array_size(json_object_get(config, "target_modules")),
                     6 + base.layers - 1);
    json_decref(config);
    lcal__free(ranks);
}

/* The tensors as written, with the one of that ending renamed or reshaped. */
static void damage(const char *ending, const char *new_name, size_t cut)
{
    lcal__map map;
    lcal__safetensors file;
    lcal__tensor tensors[256];
    assert_int_equal(lcal__map_open(scratch_path(WEIGHTS), &map, &err), LCAL_OK);
    assert_int_equal(lcal__safetensors_parse(map.data, map.size, WEIGHTS, &file, &err), LCAL_OK);
    memcpy(tensors, file.tensors, file.count * sizeof(*tensors));
    for (size_t i = 0; i < file.count; i++) {
        if (!strstr(tensors[i].name, ending))
            continue;
        if (new_name)
            tensors[i].name = new_name;
        tensors[i].shape[0] -= cut;
        tensors[i].elements -= cut;
    }
    assert_int_equal(
        lcal__safetensors_write(scratch_path(WEIGHTS), tensors, file.count, NULL, 0, &err),
        LCAL_OK);
    lcal__safetensors_free(&file);
    lcal__map_close(&map);
}

static void assert_open(lcal_status expected, const char *says)
{
    lcal__adapter adapter;
    const lcal_status status = lcal__adapter_open(scratch_path("."), &base, NULL, &adapter, &err);
    assert_refused(says, status, &err, expected, says);
}

static void broken_biases_are_refused(void **state)
{
    (void)state;
    static const char one[] = "layers.2.self_attn.k_proj.lora_B.bias";
    size_t *ranks = uneven_ranks();
    numbers n;
    fill(&n, ranks, true);
    write_adapter(&n, LCAL__F32, 0.0);
    damage(one, NULL, 1);
    assert_open(LCAL_SHAPE, "(the base's width), found [");
    write_adapter(&n, LCAL__F32, 0.0);
    damage(one, "base_model.model.model.layers.0.self_attn.o_proj.lora_B.bias", 0);
    assert_open(LCAL_FORMAT, "layers.0.self_attn.o_proj");
    fill(&n, ranks, false);
    write_adapter(&n, LCAL__F32, 0.0);
    char *text = NULL;
    json_t *config = NULL;
    assert_int_equal(lcal__json_read_object(scratch_path(CONFIG), &config, &err), LCAL_OK);
    assert_int_equal(json_object_set_new(config, "lora_bias", json_true()), 0);
    text = json_dumps(config, 0);
    scratch_text(CONFIG, text);
    assert_open(LCAL_FORMAT, "missing tensors: model.layers.0.self_attn.q_proj.lora_B.bias");
    free(text);
    json_decref(config);
    fill(&n, ranks, true);
    n.values[3 * (LCAL__PROJ_COUNT + LCAL__V) + 2] = 1e30f;
    const lcal__adapter_source source = {.config = &base,
                                         .ranks = ranks,
                                         .bias = true,
                                         .dtype = LCAL__F16,
                                         .pair = give,
                                         .context = &n};
    assert_int_equal(lcal__adapter_write_from(scratch_path("."), &source, &err), LCAL_NUMERIC);
    assert_non_null(strstr(err.message, "does not fit F16"));
    lcal__free(ranks);
}

#define IN_SCRATCH(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(uneven_ranks_and_biases_read_back),
        IN_SCRATCH(patterns_name_what_is_apart),
        IN_SCRATCH(broken_biases_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
