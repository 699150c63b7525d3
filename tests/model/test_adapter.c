/*
 * PEFT adapters: the shipped ones, patterns and scales, what is refused and why, writing. Variants
 * are made from stories260K's lora_a (q, k, v and o of 5 layers, rank 4, alpha 8).
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "format/json.h"
#include "model/adapter.h"
#include "model/model.h"
#include "model/scratch.h"

#define MODULE "base_model.model.model.layers."
#define CONFIG "adapter_config.json"
#define WEIGHTS "adapter_model.safetensors"

static lcal_error err;

typedef struct parts {
    lcal__model_config base;
    lcal__map map;
    lcal__safetensors file;
    lcal__tensor tensors[64];
    size_t count;
} parts;

static parts take(void)
{
    parts p = {0};
    const char *path = shipped_path("stories260K/lora_a/" WEIGHTS);
    assert_int_equal(lcal__model_open_config(shipped_path("stories260K"), &p.base, &err), LCAL_OK);
    assert_int_equal(lcal__map_open(path, &p.map, &err), LCAL_OK);
    assert_int_equal(lcal__safetensors_parse(p.map.data, p.map.size, path, &p.file, &err), LCAL_OK);
    assert_int_equal(p.file.count, 40);
    memcpy(p.tensors, p.file.tensors, p.file.count * sizeof(lcal__tensor));
    p.count = p.file.count;
    return p;
}

static void drop(parts *p)
{
    lcal__safetensors_free(&p->file);
    lcal__map_close(&p->map);
}

static lcal__tensor *part(parts *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->tensors[i].name, name) == 0)
            return &p->tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* Writes adapter_config.json: lora_a's with `changes` (a JSON object) applied. */
static void write_config(const char *changes)
{
    json_t *config = NULL, *update = NULL;
    char *text;
    const char *path = shipped_path("stories260K/lora_a/" CONFIG);
    assert_int_equal(lcal__json_read_object(path, &config, &err), LCAL_OK);
    assert_int_equal(lcal__json_parse(changes, strlen(changes), changes, &update, &err), LCAL_OK);
    json_object_update(config, update);
    text = json_dumps(config, 0); /* keys in their order: patterns depend on it */
    scratch_text(CONFIG, text);
    free(text);
    json_decref(config);
    json_decref(update);
}

static lcal_status open_scratch(const parts *p, lcal__adapter *adapter)
{
    memset(&err, 0, sizeof(err));
    scratch_notices[0] = '\0';
    return lcal__adapter_open(scratch_path("."), &p->base, &scratch_log, adapter, &err);
}

static lcal__adapter opened(const parts *p)
{
    lcal__adapter adapter;
    if (open_scratch(p, &adapter) != LCAL_OK)
        fail_msg("%s", err.message);
    return adapter;
}

/* --- what is there ------------------------------------------------------------------------- */

static void shipped_adapters_open(void **state)
{
    static const struct {
        const char *model, *name;
        size_t parameters;
        float scale;
        bool mlp;
    } rows[] = {
        {"stories260K", "lora_a", 8960, 2, false},    {"stories260K", "lora_b", 37280, 2, true},
        {"tiny-llama3", "lora_a", 2688, 2, false},    {"tiny-llama3", "lora_b", 14016, 1, true},
        {"tiny-qwen2", "lora_a", 2688, 2, false},     {"tiny-qwen2", "lora_b", 14016, 1, true},
        {"tiny-stablelm2", "lora_a", 3072, 2, false}, {"tiny-stablelm2", "lora_b", 14784, 1, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lcal__model_config base;
        lcal__adapter adapter;
        const char *directory = shipped_path("%s/%s", rows[i].model, rows[i].name);
        assert_int_equal(lcal__model_open_config(shipped_path("%s", rows[i].model), &base, &err),
                         LCAL_OK);
        if (lcal__adapter_open(directory, &base, &scratch_log, &adapter, &err) != LCAL_OK)
            fail_msg("%s", err.message);
        assert_string_equal(scratch_notices, "");
        assert_int_equal(adapter.parameters, rows[i].parameters);
        assert_true(lcal__adapter_pair(&adapter, 1, LCAL__Q)->scale == rows[i].scale);
        assert_int_equal(lcal__adapter_pair(&adapter, 1, LCAL__GATE)->a != NULL, rows[i].mlp);
        assert_int_equal(strlen(adapter.sha256), 64);
        lcal__adapter_close(&adapter);
    }
}

static void values_are_the_files(void **state)
{
    (void)state;
    parts p = take();
    lcal__adapter adapter;
    assert_int_equal(
        lcal__adapter_open(shipped_path("stories260K/lora_a"), &p.base, NULL, &adapter, &err),
        LCAL_OK);
    const lcal__lora_pair *pair = lcal__adapter_pair(&adapter, 3, LCAL__V);
    const lcal__tensor *b = part(&p, MODULE "3.self_attn.v_proj.lora_B.weight");
    assert_int_equal(pair->rank, 4);
    assert_memory_equal(pair->a, part(&p, MODULE "3.self_attn.v_proj.lora_A.weight")->data,
                        4 * 64 * sizeof(float));
    assert_memory_equal(pair->b, b->data, b->elements * sizeof(float));
    assert_string_equal(adapter.sha256,
                        "d2f310147f042143f6309ee04c3ccac3ac0b6153756d6697aaff8282f5044956");
    lcal__adapter_close(&adapter);
    drop(&p);
}

static void names_and_types_may_differ(void **state)
{
    (void)state;
    parts p = take();
    lcal__tensor *a = part(&p, MODULE "0.self_attn.q_proj.lora_A.weight");
    uint16_t half[4 * 64];
    lcal__convert_from_f32(LCAL__F16, (const float *)(const void *)a->data, half, 4 * 64);
    a->name = MODULE "0.self_attn.q_proj.lora_A.default.weight";
    a->dtype = LCAL__F16;
    a->data = (unsigned char *)half;
    scratch_tensors(WEIGHTS, p.tensors, p.count);
    write_config("{}");
    lcal__adapter adapter = opened(&p);
    for (size_t i = 0; i < 4 * 64; i++)
        assert_true(adapter.pairs[LCAL__Q].a[i] == lcal__f32_from_f16(half[i]));
    lcal__adapter_close(&adapter);
    drop(&p);
}

static void an_adapter_below_is_found(void **state)
{
    (void)state;
    parts p = take();
    lcal__adapter adapter;
    scratch_copy(shipped_path("stories260K/lora_a/" CONFIG), "named/" CONFIG);
    scratch_copy(shipped_path("stories260K/lora_a/" WEIGHTS), "named/" WEIGHTS);
    scratch_text("other/README", "no adapter");
    adapter = opened(&p);
    assert_non_null(strstr(adapter.directory, "/named"));
    lcal__adapter_close(&adapter);
    scratch_copy(shipped_path("stories260K/lora_a/" CONFIG), "second/" CONFIG);
    lcal_status status = open_scratch(&p, &adapter);
    assert_refused("two below", status, &err, LCAL_INVALID, "several adapters: ");
    drop(&p);
}

/* --- ranks, scales and targets ------------------------------------------------------------- */

/* Of every pair: rank and scale by the configuration alone, told apart by layer and projection. */
static void patterns_choose_scales(void **state)
{
    static const struct {
        const char *changes;
        size_t layer;
        lcal__proj proj;
        double scale;
    } rows[] = {
        {"{}", 0, LCAL__Q, 2},
        {"{\"lora_alpha\":6.5}", 0, LCAL__Q, 6.5 / 4},
        {"{\"use_rslora\":true}", 0, LCAL__Q, 4},
        {"{\"alpha_pattern\":{\"q_proj\":2}}", 3, LCAL__Q, 0.5},
        {"{\"alpha_pattern\":{\"q_proj\":2}}", 3, LCAL__K, 2},
        {"{\"alpha_pattern\":{\"layers.1.self_attn.q_proj\":2}}", 1, LCAL__Q, 0.5},
        {"{\"alpha_pattern\":{\"layers.1.self_attn.q_proj\":2}}", 2, LCAL__Q, 2},
        {"{\"alpha_pattern\":{\"model.layers.1.self_attn.q_proj\":2}}", 1, LCAL__Q, 0.5},
        {"{\"alpha_pattern\":{\"proj\":2}}", 1, LCAL__Q, 2}, /* an ending, but not behind a dot */
        {"{\"alpha_pattern\":{\"[qk]_proj\":2}}", 1, LCAL__K, 0.5},
        {"{\"alpha_pattern\":{\"[qk]_proj\":2}}", 1, LCAL__V, 2},
        {"{\"alpha_pattern\":{\"layers\\\\.(?:0|[3-4])\\\\..*\":2}}", 4, LCAL__V, 0.5},
        {"{\"alpha_pattern\":{\"layers\\\\.(?:0|[3-4])\\\\..*\":2}}", 1, LCAL__V, 2},
        {"{\"alpha_pattern\":{\"^model\\\\.layers\\\\.\\\\d+?\\\\.self_attn\\\\.o_proj\":2}}", 4,
         LCAL__O, 0.5},
        {"{\"alpha_pattern\":{\"\\\\w+\\\\.\\\\d{1,2}\\\\.self_attn\\\\.o_proj\":2}}", 4, LCAL__O,
         0.5},
        {"{\"alpha_pattern\":{\"q_proj|v_proj\":2}}", 4, LCAL__V, 0.5},
        {"{\"alpha_pattern\":{\"q_proj\":3,\".*\":2},\"use_rslora\":true}", 4, LCAL__Q, 1.5},
        {"{\"alpha_pattern\":{\"q_proj\":3,\".*\":2},\"use_rslora\":true}", 4, LCAL__V, 1},
        {"{\"r\":16,\"rank_pattern\":{\"self_attn\\\\..*\":4}}", 0, LCAL__Q, 2},
        {"{\"r\":16,\"rank_pattern\":{\"q_proj\":4,\"k_proj\":4,\"v_proj\":4,\"o_proj\":4}}", 0,
         LCAL__V, 2},
        {"{\"target_modules\":\"all-linear\",\"exclude_modules\":\".*mlp.*\"}", 0, LCAL__Q, 2},
        {"{\"target_modules\":\".*\\\\.self_attn\\\\.(q|k|v|o)_proj\"}", 0, LCAL__Q, 2},
        {"{\"target_modules\":[\"q_proj\",\"k_proj\",\"v_proj\",\"self_attn.o_proj\"]}", 0, LCAL__Q,
         2},
        {"{\"layers_to_transform\":[0,1,2,3,4],\"layers_pattern\":\"layers\"}", 0, LCAL__Q, 2},
        {"{\"init_lora_weights\":\"gaussian\",\"unknown_key\":7}", 0, LCAL__Q, 2},
    };
    (void)state;
    parts p = take();
    scratch_tensors(WEIGHTS, p.tensors, p.count);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lcal__adapter adapter;
        write_config(rows[i].changes);
        if (open_scratch(&p, &adapter) != LCAL_OK)
            fail_msg("%s: %s", rows[i].changes, err.message);
        const lcal__lora_pair *pair = lcal__adapter_pair(&adapter, rows[i].layer, rows[i].proj);
        if (pair->scale != (float)rows[i].scale)
            fail_msg("%s: scale %g, expected %g", rows[i].changes, (double)pair->scale,
                     rows[i].scale);
        assert_int_equal(pair->rank, 4);
        assert_string_equal(scratch_notices, "");
        lcal__adapter_close(&adapter);
    }
    drop(&p);
}

static void notices_tell_what_was_passed_over(void **state)
{
    (void)state;
    parts p = take();
    scratch_tensors(WEIGHTS, p.tensors, p.count);
    write_config("{\"target_modules\":[\"q_proj\",\"k_proj\",\"v_proj\",\"o_proj\",\"lm_head\"]}");
    lcal__adapter adapter = opened(&p);
    assert_non_null(strstr(scratch_notices, "no projection of the base: lm_head\n"));
    lcal__adapter_close(&adapter);

    write_config("{\"target_modules\":\"^(?!.*mlp).*proj$\"}");
    adapter = opened(&p);
    assert_non_null(strstr(scratch_notices, "which modules it means is not checked"));
    lcal__adapter_close(&adapter);
    drop(&p);
}

/* --- refusals ------------------------------------------------------------------------------ */

static const struct {
    const char *changes;
    lcal_status status;
    const char *says;
} broken_configs[] = {
    {"{\"peft_type\":null}", LCAL_FORMAT, "key peft_type: missing"},
    {"{\"peft_type\":\"IA3\"}", LCAL_UNSUPPORTED, "expected LORA, found IA3"},
    {"{\"peft_type\":5}", LCAL_FORMAT, "key peft_type: expected a string"},
    {"{\"use_dora\":true}", LCAL_UNSUPPORTED, "key use_dora: DoRA"},
    {"{\"use_dora\":\"yes\"}", LCAL_FORMAT, "key use_dora: expected a boolean"},
    {"{\"lora_bias\":1}", LCAL_FORMAT, "key lora_bias: expected a boolean"},
    {"{\"lora_bias\":true}", LCAL_FORMAT, "lora_B.bias"},
    {"{\"bias\":\"lora_only\"}", LCAL_UNSUPPORTED, "expected none, found lora_only"},
    {"{\"fan_in_fan_out\":true}", LCAL_UNSUPPORTED, "stored as [d_in, d_out]"},
    {"{\"use_qalora\":true}", LCAL_UNSUPPORTED, "QALoRA"},
    {"{\"layer_replication\":[[0,4],[2,5]]}", LCAL_UNSUPPORTED, "layers are used several times"},
    {"{\"trainable_token_indices\":[3]}", LCAL_UNSUPPORTED, "trained rows of the embedding"},
    {"{\"target_parameters\":[\"experts\"]}", LCAL_UNSUPPORTED, "no linear layers"},
    {"{\"alora_invocation_tokens\":[3]}", LCAL_UNSUPPORTED, "invocation tokens"},
    {"{\"init_lora_weights\":\"pissa_niter_4\"}", LCAL_UNSUPPORTED,
     "may change the base's weights"},
    {"{\"init_lora_weights\":\"olora\"}", LCAL_UNSUPPORTED, "\"olora\" may change"},
    {"{\"init_lora_weights\":\"corda\"}", LCAL_UNSUPPORTED, "\"corda\" may change"},
    {"{\"init_lora_weights\":3}", LCAL_FORMAT, "expected a boolean or a string"},
    {"{\"r\":0}", LCAL_FORMAT, "key r: expected an integer from 1"},
    {"{\"r\":\"4\"}", LCAL_FORMAT, "key r: expected an integer, found a string"},
    {"{\"r\":5}", LCAL_SHAPE, "expected [5, 64]"},
    {"{\"r\":null}", LCAL_SHAPE, "expected [8, 64]"},
    {"{\"lora_alpha\":\"8\"}", LCAL_FORMAT, "key lora_alpha: expected a number"},
    {"{\"rank_pattern\":{\"q_proj\":8}}", LCAL_SHAPE,
     "layers.0.self_attn.q_proj.lora_A.weight: expected [8, 64]"},
    {"{\"rank_pattern\":{\"q_proj\":0}}", LCAL_FORMAT, "q_proj: expected a rank of at least 1"},
    {"{\"rank_pattern\":[4]}", LCAL_FORMAT, "key rank_pattern: expected an object, found a list"},
    {"{\"alpha_pattern\":{\"q_proj\":\"2\"}}", LCAL_FORMAT, "q_proj: expected a number"},
    {"{\"alpha_pattern\":{\"(?!q)_proj\":2}}", LCAL_UNSUPPORTED, "a group of a kind"},
    {"{\"alpha_pattern\":{\"(q)\\\\1\":2}}", LCAL_UNSUPPORTED, "an escape that POSIX"},
    {"{\"alpha_pattern\":{\"((a{99}){99}){99}\":2}}", LCAL_UNSUPPORTED, "repeat count of a group"},
    {"{\"alpha_pattern\":{\"a{1000}\":2}}", LCAL_UNSUPPORTED, "a large repeat count"},
    {"{\"alpha_pattern\":{\"(a)*?{3}\":2}}", LCAL_UNSUPPORTED, "a quantifier of a quantifier"},
    /* Took minutes in regcomp. */
    {"{\"alpha_pattern\":{\"(((.*)*)*)*(((.*)*)*)*(((.*)*)*)*(((.*)*)*)*\":2}}", LCAL_UNSUPPORTED,
     "many quantifiers"},
    {"{\"alpha_pattern\":{\"(q_proj\":2}}", LCAL_FORMAT, "not a valid expression"},
    {"{\"alpha_pattern\":{\"[q_proj\":2}}", LCAL_UNSUPPORTED, "brackets that do not close"},
    {"{\"target_modules\":null}", LCAL_FORMAT, "key target_modules: expected a list of names"},
    {"{\"target_modules\":[1]}", LCAL_FORMAT, "expected a list of names, found an integer"},
    {"{\"target_modules\":[\"q_proj\"]}", LCAL_FORMAT,
     "does not target: model.layers.0.self_attn.k_proj, model.layers.0.self_attn.v_proj"},
    {"{\"target_modules\":[\"q_proj\",\"k_proj\",\"v_proj\",\"o_proj\",\"up_proj\"]}", LCAL_FORMAT,
     "missing tensors: model.layers.0.mlp.up_proj.lora_A, model.layers.0.mlp.up_proj.lora_B, "},
    {"{\"target_modules\":\"q_proj\"}", LCAL_FORMAT, "does not target"},
    {"{\"layers_to_transform\":[0,1]}", LCAL_FORMAT, "does not target: model.layers.2."},
    {"{\"layers_to_transform\":3}", LCAL_FORMAT, "does not target: model.layers.0."},
    {"{\"layers_to_transform\":[-1]}", LCAL_FORMAT, "expected layer numbers"},
    {"{\"layers_to_transform\":[0],\"layers_pattern\":\"h\"}", LCAL_UNSUPPORTED,
     "expected \"layers\", found \"h\""},
    {"{\"layers_to_transform\":[0],\"target_modules\":\"all-linear\"}", LCAL_FORMAT,
     "only a list of target_modules"},
    {"{\"exclude_modules\":[\"o_proj\"]}", LCAL_FORMAT,
     "does not target: model.layers.0.self_attn.o_proj"},
};

static void broken_configs_are_refused(void **state)
{
    (void)state;
    parts p = take();
    scratch_tensors(WEIGHTS, p.tensors, p.count);
    for (size_t i = 0; i < sizeof(broken_configs) / sizeof(broken_configs[0]); i++) {
        lcal__adapter adapter;
        write_config(broken_configs[i].changes);
        lcal_status status = open_scratch(&p, &adapter);
        assert_refused(broken_configs[i].changes, status, &err, broken_configs[i].status,
                       broken_configs[i].says);
    }
    drop(&p);
}

static void broken_names_are_refused(void **state)
{
    static const struct {
        const char *name;
        lcal_status status;
        const char *says;
    } broken[] = {
        {"model.layers.0.self_attn.q_proj.lora_A.weight", LCAL_FORMAT,
         "a name that begins with base_model.model."},
        {MODULE "0.self_attn.q_proj.lora_B.bias", LCAL_FORMAT, "lora_bias is not true"},
        {MODULE "0.self_attn.q_proj.lora_A.bias", LCAL_UNSUPPORTED, "a bias of lora_A"},
        {MODULE "0.self_attn.q_proj.lora_magnitude_vector", LCAL_UNSUPPORTED, "DoRA"},
        {"base_model.model.model.embed_tokens.lora_embedding_A", LCAL_UNSUPPORTED,
         "LoRA of an embedding"},
        {"base_model.model.lm_head.weight", LCAL_UNSUPPORTED, "modules_to_save"},
        {MODULE "0.input_layernorm.modules_to_save.default.weight", LCAL_UNSUPPORTED,
         "modules_to_save"},
        {"base_model.model.lm_head.lora_A.weight", LCAL_UNSUPPORTED, "LoRA of the head"},
        {MODULE "0.self_attn.q_proj.lora_A.other.weight", LCAL_FORMAT, "ends in lora_A.weight"},
        {MODULE "0.self_attn.qkv_proj.lora_A.weight", LCAL_FORMAT,
         "a llama model has no module model.layers.0.self_attn.qkv_proj"},
        {MODULE "0.q_proj.lora_A.weight", LCAL_FORMAT, "has no module model.layers.0.q_proj"},
        {MODULE "00.self_attn.q_proj.lora_A.weight", LCAL_FORMAT, "has no module"},
        {MODULE "-1.self_attn.q_proj.lora_A.weight", LCAL_FORMAT, "has no module"},
        {MODULE "5.self_attn.q_proj.lora_A.weight", LCAL_SHAPE, "the base has layers 0 to 4 only"},
        {MODULE "99999999999999999999999.self_attn.q_proj.lora_A.weight", LCAL_SHAPE,
         "the base has layers 0 to 4 only"},
        {MODULE "0.self_attn.q_proj.lora_A.default.weight", LCAL_FORMAT,
         "are the same part of a pair"},
    };
    (void)state;
    parts p = take();
    write_config("{}");
    p.tensors[p.count++] = *part(&p, MODULE "0.self_attn.q_proj.lora_A.weight");
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        lcal__adapter adapter;
        p.tensors[p.count - 1].name = broken[i].name;
        scratch_tensors(WEIGHTS, p.tensors, p.count);
        lcal_status status = open_scratch(&p, &adapter);
        assert_refused(broken[i].name, status, &err, broken[i].status, broken[i].says);
    }
    drop(&p);
}

static void broken_tensors_are_refused(void **state)
{
    (void)state;
    lcal__adapter adapter;
    const char *name = MODULE "2.self_attn.k_proj.lora_B.weight";
    parts p = take();
    write_config("{}");
    lcal__tensor *b = part(&p, name), whole = *b;

    *b = p.tensors[p.count - 1];
    scratch_tensors(WEIGHTS, p.tensors, p.count - 1);
    lcal_status status = open_scratch(&p, &adapter);
    assert_refused("half a pair", status, &err, LCAL_FORMAT,
                   "missing tensors: model.layers.2.self_attn.k_proj.lora_B");

    *b = whole, b->shape[0] = 64, b->shape[1] = 2;
    scratch_tensors(WEIGHTS, p.tensors, p.count);
    status = open_scratch(&p, &adapter);
    assert_refused("shape", status, &err, LCAL_SHAPE, "k_proj.lora_B.weight: expected [32, 4]");

    *b = whole, b->rank = 3, b->shape[2] = 1;
    scratch_tensors(WEIGHTS, p.tensors, p.count);
    status = open_scratch(&p, &adapter);
    assert_refused("rank", status, &err, LCAL_SHAPE, "found 3 dimensions");

    *b = whole, b->dtype = LCAL__I32;
    scratch_tensors(WEIGHTS, p.tensors, p.count);
    status = open_scratch(&p, &adapter);
    assert_refused("type", status, &err, LCAL_UNSUPPORTED, "found I32");

    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const char *const says[] = {"k_proj.lora_B.weight: element 9 is NaN",
                                       "element 9 is infinite", "element 9 is infinite"};
    for (size_t i = 0; i < 3; i++) {
        float values[32 * 4] = {0};
        values[9] = bad[i];
        *b = whole, b->data = (unsigned char *)values;
        scratch_tensors(WEIGHTS, p.tensors, p.count);
        status = open_scratch(&p, &adapter);
        assert_refused("value", status, &err, LCAL_NUMERIC, says[i]);
    }

    scratch_tensors(WEIGHTS, p.tensors, 0);
    write_config("{\"target_modules\":[]}");
    status = open_scratch(&p, &adapter);
    assert_refused("empty", status, &err, LCAL_FORMAT, "no tensors");
    scratch_text(WEIGHTS, "");
    status = open_scratch(&p, &adapter);
    assert_refused("no file", status, &err, LCAL_FORMAT, "too short for a safetensors file");
    assert_int_equal(lcal__file_remove(scratch_path(WEIGHTS), &err), LCAL_OK);
    status = open_scratch(&p, &adapter);
    assert_refused("no weights", status, &err, LCAL_IO, WEIGHTS ": cannot open");
    assert_int_equal(lcal__file_remove(scratch_path(CONFIG), &err), LCAL_OK);
    status = open_scratch(&p, &adapter);
    assert_refused("nothing", status, &err, LCAL_IO, "no adapter: expected adapter_config.json");
    drop(&p);
}

/* --- writing ------------------------------------------------------------------------------- */

static void written_adapters_read_back(void **state)
{
    (void)state;
    parts p = take();
    lcal__adapter adapter, again;
    json_t *config = NULL;
    assert_int_equal(
        lcal__adapter_open(shipped_path("stories260K/lora_a"), &p.base, NULL, &adapter, &err),
        LCAL_OK);
    /* One pair less: names alone no longer tell which modules have one. */
    for (size_t round = 0; round < 2; round++) {
        if (round == 1)
            adapter.pairs[2 * LCAL__PROJ_COUNT + LCAL__K] = (lcal__lora_pair){0};
        const char *directory = scratch_path("out/lora%zu", round);
        if (lcal__adapter_write(directory, "a \"base\"", adapter.pairs, adapter.layers, &p.base, 4,
                                8.0, &err)
                != LCAL_OK
            || lcal__adapter_open(directory, &p.base, &scratch_log, &again, &err) != LCAL_OK)
            fail_msg("%s", err.message);
        assert_string_equal(scratch_notices, "");
        for (size_t i = 0; i < adapter.layers * LCAL__PROJ_COUNT; i++) {
            const lcal__lora_pair *a = &adapter.pairs[i], *b = &again.pairs[i];
            lcal__proj proj = (lcal__proj)(i % LCAL__PROJ_COUNT);
            assert_int_equal(a->a == NULL, b->a == NULL);
            if (!a->a)
                continue;
            assert_true(a->rank == b->rank && a->scale == b->scale);
            assert_memory_equal(a->a, b->a, a->rank * lcal__proj_in(&p.base, proj) * 4);
            assert_memory_equal(a->b, b->b, a->rank * lcal__proj_out(&p.base, proj) * 4);
        }
        if (round == 0) /* the shipped file was written by PEFT's own writer */
            assert_string_equal(again.sha256, adapter.sha256);
        lcal__adapter_close(&again);
    }
    const char *path = scratch_path("out/lora0/" CONFIG);
    assert_int_equal(lcal__json_read_object(path, &config, &err), LCAL_OK);
    assert_string_equal(json_string_value(json_object_get(config, "base_model_name_or_path")),
                        "a \"base\"");
    assert_true(json_is_integer(json_object_get(config, "lora_alpha")));
    assert_int_equal(json_array_size(json_object_get(config, "target_modules")), 4);
    json_decref(config);
    lcal__adapter_close(&adapter);
    drop(&p);
}

static void what_one_scale_cannot_say_is_not_written(void **state)
{
    (void)state;
    parts p = take();
    lcal__adapter adapter;
    assert_int_equal(
        lcal__adapter_open(shipped_path("stories260K/lora_a"), &p.base, NULL, &adapter, &err),
        LCAL_OK);
    const char *directory = scratch_path("never");
    lcal_status status = lcal__adapter_write(directory, "base", adapter.pairs, adapter.layers,
                                             &p.base, 4, 9.0, &err);
    assert_refused("scale", status, &err, LCAL_INVALID, "has rank 4 and scale 2");
    status = lcal__adapter_write(directory, "base", adapter.pairs, adapter.layers, &p.base, 8, 16.0,
                                 &err);
    assert_refused("rank", status, &err, LCAL_INVALID, "the adapter rank 8");
    memset(adapter.pairs, 0, adapter.layers * LCAL__PROJ_COUNT * sizeof(*adapter.pairs));
    status = lcal__adapter_write(directory, "base", adapter.pairs, adapter.layers, &p.base, 4, 8.0,
                                 &err);
    assert_refused("empty", status, &err, LCAL_INVALID, "an adapter without pairs");
    assert_false(lcal__path_is_dir(directory));
    lcal__adapter_close(&adapter);
    drop(&p);
}

static void random_damage_never_crashes(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 5};
    parts p = take();
    unsigned char *text = NULL;
    size_t size = 0, opened_count = 0;
    assert_int_equal(
        lcal__file_read(shipped_path("stories260K/lora_a/" CONFIG), 65536, &text, &size, &err),
        LCAL_OK);
    unsigned char *damaged = malloc(size);
    scratch_tensors(WEIGHTS, p.tensors, p.count);
    for (int round = 0; round < 300; round++) {
        lcal__adapter adapter;
        memcpy(damaged, text, size);
        damaged[lcal__rng_below(&rng, size)] ^= (unsigned char)(1u << lcal__rng_below(&rng, 8));
        assert_int_equal(lcal__file_replace(scratch_path(CONFIG), damaged, size, &err), LCAL_OK);
        if (open_scratch(&p, &adapter) != LCAL_OK)
            continue;
        opened_count++;
        lcal__adapter_close(&adapter);
    }
    assert_true(opened_count > 0 && opened_count < 300);
    free(damaged);
    lcal__free(text);
    drop(&p);
}

#define IN_SCRATCH(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(shipped_adapters_open),
        IN_SCRATCH(values_are_the_files),
        IN_SCRATCH(names_and_types_may_differ),
        IN_SCRATCH(an_adapter_below_is_found),
        IN_SCRATCH(patterns_choose_scales),
        IN_SCRATCH(notices_tell_what_was_passed_over),
        IN_SCRATCH(broken_configs_are_refused),
        IN_SCRATCH(broken_names_are_refused),
        IN_SCRATCH(broken_tensors_are_refused),
        IN_SCRATCH(written_adapters_read_back),
        IN_SCRATCH(what_one_scale_cannot_say_is_not_written),
        IN_SCRATCH(random_damage_never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
