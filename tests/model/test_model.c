/*
 * Opening a model: weights in place or copied, single and sharded, what is missing or too much;
 * random models and writing. Broken variants are made from the shipped stories260K.
 */
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
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "model/model.h"
#include "model/scratch.h"

#define EMBEDDING "model.embed_tokens.weight"

static lcal_error err;

/* The tensors of a shipped model, free to be changed before they are written elsewhere. */
typedef struct parts {
    lcal__map map;
    lcal__safetensors file;
    lcal__tensor tensors[64];
    size_t count;
} parts;

static parts take(const char *model)
{
    parts p = {0};
    const char *path = shipped_path("%s/model.safetensors", model);
    assert_int_equal(lcal__map_open(path, &p.map, &err), LCAL_OK);
    assert_int_equal(lcal__safetensors_parse(p.map.data, p.map.size, path, &p.file, &err), LCAL_OK);
    assert_true(p.file.count <= 60);
    memcpy(p.tensors, p.file.tensors, p.file.count * sizeof(lcal__tensor));
    p.count = p.file.count;
    scratch_copy(shipped_path("%s/config.json", model), "config.json");
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

static void leave_out(parts *p, const char *name)
{
    *part(p, name) = p->tensors[--p->count];
}

static lcal_status open_scratch(lcal__model *model)
{
    memset(&err, 0, sizeof(err));
    scratch_notices[0] = '\0';
    return lcal__model_open(scratch_path("."), &scratch_log, model, &err);
}

static lcal__model opened(void)
{
    lcal__model model;
    if (open_scratch(&model) != LCAL_OK)
        fail_msg("%s", err.message);
    return model;
}

/* --- what is there ------------------------------------------------------------------------- */

/* Compares every visited tensor with the file it came from. */
static lcal_status compare_part(void *context, const char *name, size_t rows, size_t cols,
                                lcal__dtype dtype, const void *data, lcal_error *error)
{
    (void)error;
    parts *p = context;
    const lcal__tensor *tensor = part(p, name);
    assert_int_equal(rows * cols, tensor->elements);
    assert_int_equal(dtype, tensor->dtype);
    assert_memory_equal(data, tensor->data, tensor->elements * lcal__dtype_size(dtype));
    p->file.count--; /* counts the visits down */
    return LCAL_OK;
}

static void shipped_models_open(void **state)
{
    /* sha256sum model.safetensors */
    static const char *const models[][2] = {
        {"stories260K", "407a7c581bdd66972383ce9ad24857713fb98786d06ea564a2fe9b34ebe77dfd"},
        {"tiny-llama3", "a4d5d4ea214ef52f2175313b12c58d6611754c46dc5720022325a35374289796"},
        {"tiny-qwen2", "334d3503e41fba18d6935137e32f5c94faf43352ad7a9be72850b5cb7ad3dbe6"},
        {"tiny-stablelm2", "8d2907c44ad9d7d097384502cae3ef2e77fc35c5ec726b0f0dafa3e0f7cf8ddc"},
    };
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        lcal__model model;
        parts p = take(models[i][0]);
        if (lcal__model_open(shipped_path("%s", models[i][0]), &scratch_log, &model, &err)
            != LCAL_OK)
            fail_msg("%s", err.message);
        assert_string_equal(model.sha256, models[i][1]);
        assert_string_equal(scratch_notices, "");
        assert_int_equal(model.mapped_bytes, p.map.size);
        assert_int_equal(lcal__model_visit(&model, compare_part, &p, &err), LCAL_OK);
        assert_int_equal(p.file.count, 0);
        assert_int_equal(model.head.data == model.embedding.data, model.config.tied);
        lcal__model_close(&model);
        assert_null(model.layers);
        drop(&p);
    }
}

static lcal_status stop_at_third(void *context, const char *name, size_t rows, size_t cols,
                                 lcal__dtype dtype, const void *data, lcal_error *error)
{
    (void)name, (void)rows, (void)cols, (void)dtype, (void)data;
    size_t *visits = context;
    return ++*visits == 3 ? lcal__fail(error, LCAL_NUMERIC, "stop") : LCAL_OK;
}

static void a_visit_ends_at_a_failure(void **state)
{
    (void)state;
    size_t visits = 0;
    lcal__model model;
    assert_int_equal(lcal__model_open(shipped_path("tiny-qwen2"), NULL, &model, NULL), LCAL_OK);
    assert_int_equal(lcal__model_visit(&model, stop_at_third, &visits, &err), LCAL_NUMERIC);
    assert_int_equal(visits, 3);
    lcal__model_close(&model);
}

static void other_types_are_read(void **state)
{
    (void)state;
    parts p = take("stories260K");
    lcal__tensor *q = part(&p, "model.layers.1.self_attn.q_proj.weight");
    lcal__tensor *up = part(&p, "model.layers.1.mlp.up_proj.weight");
    lcal__tensor *norm = part(&p, "model.norm.weight");
    uint16_t *half = calloc(q->elements, sizeof(*half));
    double *wide = calloc(up->elements, sizeof(*wide));
    uint16_t norms[64];
    const float *q_values = (const float *)(const void *)q->data;
    const float *up_values = (const float *)(const void *)up->data;
    lcal__convert_from_f32(LCAL__BF16, q_values, half, q->elements);
    lcal__convert_from_f32(LCAL__F64, up_values, wide, up->elements);
    lcal__convert_from_f32(LCAL__F16, (const float *)(const void *)norm->data, norms, 64);
    q->dtype = LCAL__BF16, q->data = (unsigned char *)half;
    up->dtype = LCAL__F64, up->data = (unsigned char *)wide;
    norm->dtype = LCAL__F16, norm->data = (unsigned char *)norms;
    scratch_tensors("model.safetensors", p.tensors, p.count);

    lcal__model model = opened();
    const lcal__layer_weights *layer = &model.layers[1];
    assert_int_equal(layer->proj[LCAL__Q].weight.dtype, LCAL__BF16);
    assert_memory_equal(layer->proj[LCAL__Q].weight.data, half, 2 * q->elements);
    assert_int_equal(layer->proj[LCAL__UP].weight.dtype, LCAL__F32);
    assert_memory_equal(layer->proj[LCAL__UP].weight.data, up_values, 4 * up->elements);
    for (size_t i = 0; i < 64; i++)
        assert_true(model.final_norm.weight[i] == lcal__f32_from_f16(norms[i]));
    lcal__model_close(&model);
    free(half);
    free(wide);
    drop(&p);
}

static void unaligned_weights_are_copied(void **state)
{
    (void)state;
    parts p = take("tiny-qwen2");
    size_t size = p.map.size + 1;
    unsigned char *bytes = malloc(size);
    size_t header = p.map.data[0] | (size_t)p.map.data[1] << 8;
    /* One more space at the header's end moves all data to odd addresses. */
    memcpy(bytes, p.map.data, 8 + header);
    bytes[0] = (unsigned char)(header + 1);
    bytes[1] = (unsigned char)((header + 1) >> 8);
    bytes[8 + header] = ' ';
    memcpy(bytes + 9 + header, p.map.data + 8 + header, p.map.size - 8 - header);
    assert_int_equal(lcal__file_replace(scratch_path("model.safetensors"), bytes, size, &err),
                     LCAL_OK);
    lcal__model model = opened();
    assert_int_equal((uintptr_t)model.embedding.data % LCAL_ALIGN, 0);
    assert_int_equal((uintptr_t)model.layers[0].proj[LCAL__Q].bias % sizeof(float), 0);
    assert_int_equal(lcal__model_visit(&model, compare_part, &p, &err), LCAL_OK);
    lcal__model_close(&model);
    free(bytes);
    drop(&p);
}

static void values_that_are_no_numbers_are_left_alone(void **state)
{
    (void)state;
    parts p = take("stories260K");
    float *values = calloc(part(&p, EMBEDDING)->elements, sizeof(*values));
    values[3] = NAN;
    part(&p, EMBEDDING)->data = (unsigned char *)values;
    scratch_tensors("model.safetensors", p.tensors, p.count);
    lcal__model model = opened();
    assert_true(isnan(((const float *)model.embedding.data)[3]));
    lcal__model_close(&model);
    free(values);
    drop(&p);
}

/* --- too little and too much --------------------------------------------------------------- */

static void missing_tensors_are_named_together(void **state)
{
    (void)state;
    lcal__model model;
    parts p = take("stories260K");
    leave_out(&p, "model.layers.4.mlp.down_proj.weight");
    leave_out(&p, "model.norm.weight");
    scratch_tensors("model.safetensors", p.tensors, p.count);
    lcal_status status = open_scratch(&model);
    assert_refused("two missing", status, &err, LCAL_FORMAT,
                   "missing tensors: model.layers.4.mlp.down_proj.weight, model.norm.weight;");

    p.count = 0;
    scratch_tensors("model.safetensors", p.tensors, p.count);
    status = open_scratch(&model);
    assert_refused("all missing", status, &err, LCAL_FORMAT, "and 35 more");
    drop(&p);
}

static void an_untied_head_must_be_there(void **state)
{
    (void)state;
    lcal__model model;
    parts p = take("tiny-stablelm2");
    leave_out(&p, "lm_head.weight");
    scratch_tensors("model.safetensors", p.tensors, p.count);
    lcal_status status = open_scratch(&model);
    assert_refused("no head", status, &err, LCAL_FORMAT,
                   "lm_head.weight (tie_word_embeddings is not true)");
    drop(&p);
}

static void other_shapes_are_named_together(void **state)
{
    (void)state;
    lcal__model model;
    parts p = take("stories260K");
    lcal__tensor *k = part(&p, "model.layers.0.self_attn.k_proj.weight");
    lcal__tensor *norm = part(&p, "model.norm.weight");
    k->shape[0] = 64, k->shape[1] = 32;
    norm->rank = 2, norm->shape[1] = 1;
    scratch_tensors("model.safetensors", p.tensors, p.count);
    lcal_status status = open_scratch(&model);
    assert_refused("two shapes", status, &err, LCAL_SHAPE,
                   "model.layers.0.self_attn.k_proj.weight: expected [32, 64], found [64, 32], "
                   "model.norm.weight: expected [64], found [64, 1]");
    drop(&p);
}

static void whole_numbers_are_no_weights(void **state)
{
    (void)state;
    lcal__model model;
    parts p = take("stories260K");
    part(&p, "model.norm.weight")->dtype = LCAL__I32;
    scratch_tensors("model.safetensors", p.tensors, p.count);
    lcal_status status = open_scratch(&model);
    assert_refused("I32", status, &err, LCAL_UNSUPPORTED,
                   "model.norm.weight: expected F32, F16, BF16 or F64, found I32");
    drop(&p);
}

static lcal__tensor vector(const char *name, const float *values, size_t count)
{
    return (lcal__tensor){.name = name,
                          .dtype = LCAL__F32,
                          .rank = 1,
                          .shape = {count},
                          .elements = count,
                          .data = (const unsigned char *)values};
}

static void surplus_gives_one_notice(void **state)
{
    (void)state;
    static const float values[4] = {1, 2, 3, 4};
    parts p = take("stories260K");
    p.tensors[p.count++] = vector("model.layers.0.self_attn.rotary_emb.inv_freq", values, 4);
    p.tensors[p.count] = *part(&p, EMBEDDING);
    p.tensors[p.count++].name = "lm_head.weight";
    scratch_tensors("model.safetensors", p.tensors, p.count);
    lcal__model model = opened();
    assert_string_equal(scratch_notices, ""); /* a buffer, and a head that is the embedding */
    lcal__model_close(&model);

    p.tensors[p.count++] = vector("vision.a", values, 4);
    p.tensors[p.count++] = vector("vision.b", values, 2);
    lcal__tensor *head = part(&p, "lm_head.weight");
    float *other = malloc(head->elements * sizeof(float));
    memcpy(other, head->data, head->elements * sizeof(float));
    other[77] += 1;
    head->data = (unsigned char *)other;
    scratch_tensors("model.safetensors", p.tensors, p.count);
    model = opened();
    assert_non_null(strstr(scratch_notices, "that the model does not have: vision.a, vision.b\n"));
    assert_non_null(strstr(scratch_notices, "ignored lm_head.weight: config.json ties"));
    assert_ptr_equal(model.head.data, model.embedding.data);
    lcal__model_close(&model);
    free(other);
    drop(&p);
}

static void a_directory_without_a_model_says_so(void **state)
{
    (void)state;
    lcal__model model;
    lcal_status status = open_scratch(&model);
    assert_refused("no config", status, &err, LCAL_IO, "config.json: cannot open");
    scratch_copy(shipped_path("stories260K/config.json"), "config.json");
    status = open_scratch(&model);
    assert_refused("no weights", status, &err, LCAL_IO,
                   "no weights: expected model.safetensors or model.safetensors.index.json");
    scratch_text("model.safetensors", "not one");
    status = open_scratch(&model);
    assert_refused("text", status, &err, LCAL_FORMAT, "too short for a safetensors file");
}

/* --- shards -------------------------------------------------------------------------------- */

static void write_index(const parts *p, size_t split)
{
    lcal__strbuf text = {0};
    lcal__strbuf_add(&text, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
    for (size_t i = 0; i < p->count; i++)
        lcal__strbuf_printf(&text, "%s\"%s\":\"%s\"", i ? "," : "", p->tensors[i].name,
                            i < split ? "model-2.safetensors" : "model-1.safetensors");
    lcal__strbuf_add(&text, "}}");
    scratch_text("model.safetensors.index.json", text.text);
    lcal__strbuf_free(&text);
}

static void shards_open_like_one_file(void **state)
{
    (void)state;
    static const float values[1] = {1};
    parts p = take("tiny-stablelm2");
    size_t split = 17, count = p.count;
    p.tensors[p.count] = vector("extra", values, 1);
    scratch_tensors("model-2.safetensors", p.tensors, split);
    scratch_tensors("model-1.safetensors", p.tensors + split, count + 1 - split);
    write_index(&p, split);
    lcal__model model = opened();
    assert_non_null(strstr(scratch_notices, "does not list: extra in model-1.safetensors\n"));
    assert_null(strstr(scratch_notices, "the model does not have"));
    assert_int_equal(lcal__model_visit(&model, compare_part, &p, &err), LCAL_OK);

    /* What `sha256sum model-*.safetensors | sha256sum` prints. */
    char list[400], expected[LCAL__SHA256_HEX];
    size_t used = 0;
    for (int shard = 1; shard <= 2; shard++) {
        char hex[LCAL__SHA256_HEX];
        lcal__map map;
        assert_int_equal(lcal__map_open(scratch_path("model-%d.safetensors", shard), &map, &err),
                         LCAL_OK);
        lcal__sha256(map.data, map.size, hex, &err);
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s  model-%d.safetensors\n",
                                 hex, shard);
        lcal__map_close(&map);
    }
    lcal__sha256(list, used, expected, &err);
    assert_string_equal(model.sha256, expected);
    lcal__model_close(&model);
    drop(&p);
}

static void broken_indexes_are_refused(void **state)
{
    static const struct {
        const char *text;
        lcal_status status;
        const char *says;
    } broken[] = {
        {"{}", LCAL_FORMAT,
         "key weight_map: expected an object with an entry per tensor, found "
         "nothing"},
        {"[]", LCAL_FORMAT, "expected a JSON object, found a list"},
        {"{\"weight_map\":{}}", LCAL_FORMAT, "found an empty one"},
        {"{\"weight_map\":{\"a\":1}}", LCAL_FORMAT, "tensor a: expected a file name, found an"},
        {"{\"weight_map\":{\"a\":\"../model.safetensors\"}}", LCAL_FORMAT,
         "tensor a: expected the name of a file beside the index, found \"../model.safetensors\""},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", LCAL_FORMAT, "beside the index"},
        {"{\"weight_map\":{\"a\":\"sub\\\\x\"}}", LCAL_FORMAT, "beside the index"},
        {"{\"weight_map\":{\"a\":\"..\"}}", LCAL_FORMAT, "beside the index"},
        {"{\"weight_map\":{\"a\":\"\"}}", LCAL_FORMAT, "beside the index"},
        {"{\"weight_map\":{\"a\":\"none.safetensors\"}}", LCAL_IO, "none.safetensors: cannot open"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\",\"model.norm.weight\":\"one.safetensors\"}}",
         LCAL_FORMAT, "tensors that are not where it says: a in one.safetensors"},
        {"{\"weight_map\":{\"model.norm.weight\":\"one.safetensors\"}}", LCAL_FORMAT,
         "model.safetensors.index.json: missing tensors: model.embed_tokens.weight"},
    };
    (void)state;
    parts p = take("stories260K");
    scratch_tensors("one.safetensors", p.tensors, p.count);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        lcal__model model;
        scratch_text("model.safetensors.index.json", broken[i].text);
        lcal_status status = open_scratch(&model);
        assert_refused(broken[i].text, status, &err, broken[i].status, broken[i].says);
    }
    drop(&p);
}

/* --- random models and writing ------------------------------------------------------------- */

static void random_weights_have_the_promised_spread(void **state)
{
    (void)state;
    lcal__model_config config;
    lcal__model one, same, other, deeper;
    assert_true(lcal__model_config_shape("mini", &config));
    assert_int_equal(lcal__model_random(&config, 7, &one, &err), LCAL_OK);
    assert_int_equal(lcal__model_random(&config, 7, &same, &err), LCAL_OK);
    assert_int_equal(lcal__model_random(&config, 8, &other, &err), LCAL_OK);
    config.layers = 5;
    assert_int_equal(lcal__model_random(&config, 7, &deeper, &err), LCAL_OK);

    const lcal__weight *w = &one.layers[3].proj[LCAL__DOWN].weight;
    const float *values = w->data;
    size_t count = w->rows * w->cols;
    double sum = 0, squares = 0, product = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(fabsf(values[i]) <= 0.034642f);
        sum += values[i];
        squares += (double)values[i] * values[i];
        product +=
            (double)values[i] * ((const float *)one.layers[2].proj[LCAL__DOWN].weight.data)[i];
    }
    /* Standard errors over 45,056 values: 9.4e-5 of the mean, 4.2e-5 of the deviation. */
    assert_true(fabs(sum / (double)count) < 5e-4);
    assert_true(fabs(sqrt(squares / (double)count) - 0.02) < 2e-4);
    assert_true(fabs(product / (double)count) < 0.02 * 0.02 * 0.03); /* layers are independent */
    assert_memory_equal(values, same.layers[3].proj[LCAL__DOWN].weight.data, count * 4);
    assert_memory_equal(values, deeper.layers[3].proj[LCAL__DOWN].weight.data, count * 4);
    assert_memory_not_equal(values, other.layers[3].proj[LCAL__DOWN].weight.data, count * 4);
    for (size_t i = 0; i < config.hidden; i++)
        assert_true(one.layers[0].mlp_norm.weight[i] == 1.0f);
    assert_ptr_equal(one.head.data, one.embedding.data);
    assert_string_equal(one.sha256, "");
    lcal__model_close(&one);
    lcal__model_close(&same);
    lcal__model_close(&other);
    lcal__model_close(&deeper);
}

/* A tensor of one model, looked for by name. */
typedef struct pairing {
    const char *name;
    lcal__dtype dtype;
    const void *data;
    size_t seen;
} pairing;

static lcal_status find_other(void *context, const char *name, size_t rows, size_t cols,
                              lcal__dtype dtype, const void *data, lcal_error *error)
{
    (void)rows, (void)cols, (void)error;
    pairing *on = context;
    if (strcmp(name, on->name) == 0) {
        on->dtype = dtype;
        on->data = data;
        on->seen++;
    }
    return LCAL_OK;
}

/* The second model and the type that it was written as: every value is that rounding of ours. */
typedef struct rounding {
    const lcal__model *other;
    lcal__dtype dtype;
} rounding;

static lcal_status compare_rounded(void *context, const char *name, size_t rows, size_t cols,
                                   lcal__dtype dtype, const void *data, lcal_error *error)
{
    const rounding *to = context;
    pairing found = {.name = name};
    lcal__model_visit(to->other, find_other, &found, error);
    assert_int_equal(found.seen, 1);
    for (size_t i = 0; i < rows * cols; i++) {
        float wanted, is;
        lcal__convert_to_f32(dtype, (const char *)data + i * lcal__dtype_size(dtype), &wanted, 1);
        lcal__convert_to_f32(found.dtype,
                             (const char *)found.data + i * lcal__dtype_size(found.dtype), &is, 1);
        if (to->dtype == LCAL__BF16)
            wanted = lcal__f32_from_bf16(lcal__bf16_from_f32(wanted));
        if (is != wanted)
            fail_msg("%s element %zu: %g is not %g", name, i, (double)is, (double)wanted);
    }
    return LCAL_OK;
}

static void written_models_read_back(void **state)
{
    (void)state;
    static const lcal__dtype types[] = {LCAL__F32, LCAL__BF16};
    lcal__model_config config;
    assert_true(lcal__model_config_shape("1.6b", &config)); /* norms with biases, an untied head */
    config.layers = 2, config.hidden = 64, config.heads = 4, config.kv_heads = 4;
    config.head_dim = 16, config.rope.dims = 4, config.ffn = 40, config.vocab = 50;
    for (size_t i = 0; i < 2; i++) {
        lcal__model model, again;
        const char *directory = scratch_path("deep/model%zu", i);
        assert_int_equal(lcal__model_random(&config, 3, &model, &err), LCAL_OK);
        ((float *)model.layers[1].attention_norm.bias)[5] = 0.3f;
        if (lcal__model_write(&model, types[i], directory, &err) != LCAL_OK
            || lcal__model_open(directory, &scratch_log, &again, &err) != LCAL_OK)
            fail_msg("%s", err.message);
        assert_string_equal(scratch_notices, "");
        assert_int_equal(again.embedding.dtype, types[i]);
        assert_true(again.layers[1].attention_norm.bias[5]
                    == (i == 0 ? 0.3f : lcal__f32_from_bf16(lcal__bf16_from_f32(0.3f))));
        rounding to = {&again, types[i]};
        assert_int_equal(lcal__model_visit(&model, compare_rounded, &to, &err), LCAL_OK);
        lcal__model_close(&model);
        lcal__model_close(&again);
    }
    lcal__model model;
    assert_int_equal(lcal__model_random(&config, 3, &model, &err), LCAL_OK);
    assert_int_equal(lcal__model_write(&model, LCAL__F64, scratch_path("no"), &err), LCAL_INVALID);
    lcal__model_close(&model);
    config.heads = 3;
    assert_int_equal(lcal__model_random(&config, 3, &model, &err), LCAL_FORMAT);
}

static void random_damage_never_crashes(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 9};
    parts p = take("tiny-qwen2");
    unsigned char *bytes = malloc(p.map.size);
    size_t opened_count = 0, header = 8 + (p.map.data[0] | (size_t)p.map.data[1] << 8);
    for (int round = 0; round < 300; round++) {
        lcal__model model;
        memcpy(bytes, p.map.data, p.map.size);
        bytes[lcal__rng_below(&rng, header)] ^= (unsigned char)(1u << lcal__rng_below(&rng, 8));
        assert_int_equal(
            lcal__file_replace(scratch_path("model.safetensors"), bytes, p.map.size, &err),
            LCAL_OK);
        if (open_scratch(&model) != LCAL_OK) {
            assert_non_null(strstr(err.message, "model.safetensors"));
            continue;
        }
        opened_count++;
        lcal__model_close(&model);
    }
    assert_true(opened_count < 300);
    free(bytes);
    drop(&p);
}

#define IN_SCRATCH(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(shipped_models_open),
        cmocka_unit_test(a_visit_ends_at_a_failure),
        IN_SCRATCH(other_types_are_read),
        IN_SCRATCH(unaligned_weights_are_copied),
        IN_SCRATCH(values_that_are_no_numbers_are_left_alone),
        IN_SCRATCH(missing_tensors_are_named_together),
        IN_SCRATCH(an_untied_head_must_be_there),
        IN_SCRATCH(other_shapes_are_named_together),
        IN_SCRATCH(whole_numbers_are_no_weights),
        IN_SCRATCH(surplus_gives_one_notice),
        IN_SCRATCH(a_directory_without_a_model_says_so),
        IN_SCRATCH(shards_open_like_one_file),
        IN_SCRATCH(broken_indexes_are_refused),
        cmocka_unit_test(random_weights_have_the_promised_spread),
        IN_SCRATCH(written_models_read_back),
        IN_SCRATCH(random_damage_never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
