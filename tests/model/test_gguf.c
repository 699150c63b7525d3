/* GGUF models and adapters: what is written in the format's order comes back in ours, in every
 * type; the shipped models equal their files made by llama.cpp's converter; faults are named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "format/gguf_write.h"
#include "model/adapter.h"
#include "model/gguf_names.h"
#include "model/model.h"
#include "model/scratch.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- a file made here ------------------------------------------------------------------------ */

enum { HIDDEN = 32, LAYERS = 2, HEADS = 4, KV_HEADS = 2, HEAD_DIM = 8, FFN = 64, VOCAB = 40 };

/* What differs from a sound F32 file. NULL and 0: nothing. */
typedef struct fault {
    const char *arch, *missing, *narrow, *extra, *text_key;
    lcal__ggml_type type;
    uint32_t parts;
    bool biases, factors, bad_factor, adapter;
} fault;

typedef struct made {
    lcal__gguf_writer out;
    const fault *fault;
    bool declaring;
} made;

static float value(const char *name, size_t row, size_t col)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    h = (h ^ (uint32_t)(row * 131 + col)) * 2654435761u;
    return (float)(int)(h >> 20) / 4096.0f - 0.5f;
}

static void tensor(made *m, const char *name, size_t rows, size_t cols)
{
    const fault *f = m->fault;
    float row[FFN];
    if (f->missing && strcmp(f->missing, name) == 0)
        return;
    if (f->narrow && strcmp(f->narrow, name) == 0)
        cols /= 2;
    if (m->declaring) {
        assert_int_equal(rows ? lcal__gguf_add_matrix(&m->out, name, rows, cols, f->type, NULL)
                              : lcal__gguf_add_vector(&m->out, name, cols, NULL),
                         LCAL_OK);
        return;
    }
    for (size_t r = 0; r < (rows ? rows : 1); r++) {
        for (size_t c = 0; c < cols; c++)
            row[c] = value(name, r, c);
        if (strcmp(name, "rope_freqs.weight") == 0)
            for (size_t c = 0; c < cols; c++)
                row[c] = f->bad_factor && c == 2 ? 0.0f : 1.0f + (float)c;
        assert_int_equal(lcal__gguf_write_rows(&m->out, name, row, 1, NULL), LCAL_OK);
    }
}

static void tensors(made *m)
{
    static const size_t shapes[LCAL__PROJ_COUNT][2] = {
        {HEADS * HEAD_DIM, HIDDEN},
        {KV_HEADS * HEAD_DIM, HIDDEN},
        {KV_HEADS * HEAD_DIM, HIDDEN},
        {HIDDEN, HEADS * HEAD_DIM},
        {FFN, HIDDEN},
        {FFN, HIDDEN},
        {HIDDEN, FFN},
    };
    char name[LCAL__GGUF_NAME_MAX + 1];
    tensor(m, "token_embd.weight", VOCAB, HIDDEN);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        snprintf(name, sizeof(name), "blk.%zu.attn_norm.weight", layer);
        tensor(m, name, 0, HIDDEN);
        snprintf(name, sizeof(name), "blk.%zu.ffn_norm.weight", layer);
        tensor(m, name, 0, HIDDEN);
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            lcal__gguf_module_name(layer, p, "weight", name);
            tensor(m, name, shapes[p][0], shapes[p][1]);
            lcal__gguf_module_name(layer, p, "bias", name);
            if (m->fault->biases)
                tensor(m, name, 0, shapes[p][0]);
        }
    }
    tensor(m, "output_norm.weight", 0, HIDDEN);
    if (m->fault->factors)
        tensor(m, "rope_freqs.weight", 0, HEAD_DIM / 2);
    if (m->fault->extra)
        tensor(m, m->fault->extra, 0, HIDDEN);
}

static const char *make(const fault *f)
{
    const char *path = scratch_path("model.gguf");
    made m = {.fault = f, .declaring = true};
    const struct {
        const char *name;
        uint32_t value;
    } sizes[] = {{"llama.context_length", 64},          {"llama.embedding_length", HIDDEN},
                 {"llama.block_count", LAYERS},         {"llama.feed_forward_length", FFN},
                 {"llama.attention.head_count", HEADS}, {"llama.attention.head_count_kv", KV_HEADS},
                 {"tokenizer.ggml.bos_token_id", 1},    {"tokenizer.ggml.eos_token_id", 2},
                 {"tokenizer.ggml.eot_token_id", 3},    {"split.count", f->parts}};
    lcal__gguf_writer_init(&m.out, path);
    lcal__gguf_put_text(&m.out, "general.architecture", f->arch ? f->arch : "llama");
    if (f->adapter)
        lcal__gguf_put_text(&m.out, "general.type", "adapter");
    for (size_t i = 0; i < COUNT(sizes); i++) {
        if (f->missing && strcmp(f->missing, sizes[i].name) == 0)
            continue;
        if (f->text_key && strcmp(f->text_key, sizes[i].name) == 0)
            lcal__gguf_put_text(&m.out, sizes[i].name, "many");
        else
            lcal__gguf_put_u32(&m.out, sizes[i].name, sizes[i].value);
    }
    lcal__gguf_put_f32(&m.out, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    tensors(&m);
    m.declaring = false;
    assert_int_equal(lcal__gguf_writer_begin(&m.out, NULL), LCAL_OK);
    tensors(&m);
    assert_int_equal(lcal__gguf_writer_commit(&m.out, NULL), LCAL_OK);
    lcal__gguf_writer_free(&m.out);
    return path;
}

/* --- weights --------------------------------------------------------------------------------- */

static float weight_at(const lcal__weight *w, size_t row, size_t col)
{
    float out;
    const size_t size = lcal__dtype_size(w->dtype);
    lcal__convert_to_f32(w->dtype, (const char *)w->data + (row * w->cols + col) * size, &out, 1);
    return out;
}

/* Row of a head by the definition: [heads, 2, half] of ours is [heads, half, 2] there. */
static size_t stored_row(size_t row)
{
    const size_t head = row / HEAD_DIM, j = row % HEAD_DIM / (HEAD_DIM / 2);
    const size_t i = row % (HEAD_DIM / 2);
    return head * HEAD_DIM + i * 2 + j;
}

static void assert_model(const lcal__model *m, float bound)
{
    char name[LCAL__GGUF_NAME_MAX + 1];
    for (size_t layer = 0; layer < LAYERS; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__linear_weights *linear = &m->layers[layer].proj[p];
            for (size_t r = 0; r < linear->weight.rows; r++) {
                const size_t from = p == LCAL__Q || p == LCAL__K ? stored_row(r) : r;
                lcal__gguf_module_name(layer, p, "weight", name);
                for (size_t c = 0; c < linear->weight.cols; c++)
                    assert_true(fabsf(weight_at(&linear->weight, r, c) - value(name, from, c))
                                <= bound);
                lcal__gguf_module_name(layer, p, "bias", name);
                if (linear->bias)
                    assert_true(linear->bias[r] == value(name, 0, from));
            }
        }
    for (size_t c = 0; c < HIDDEN; c++) {
        assert_true(m->final_norm.weight[c] == value("output_norm.weight", 0, c));
        assert_true(m->layers[1].mlp_norm.weight[c] == value("blk.1.ffn_norm.weight", 0, c));
    }
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        lcal__ggml_type type;
        lcal__dtype held;
        float bound;
    } cases[] = {{LCAL__GGML_F32, LCAL__F32, 0.0f},
                 {LCAL__GGML_F16, LCAL__F16, 0x1p-13f},
                 {LCAL__GGML_BF16, LCAL__BF16, 0x1p-10f},
                 {LCAL__GGML_Q8_0, LCAL__F32, 0.3f / 127.0f}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const fault f = {.type = cases[i].type, .biases = i % 2 == 0};
        lcal__model model;
        lcal_error err = {0};
        assert_int_equal(lcal__model_open(make(&f), NULL, &model, &err), LCAL_OK);
        assert_int_equal(model.config.head_dim, HEAD_DIM);
        assert_int_equal(model.config.vocab, VOCAB);
        assert_true(model.config.tied && model.head.data == model.embedding.data);
        assert_true(model.config.bias[LCAL__DOWN] == f.biases);
        assert_int_equal(model.config.eos_count, 2);
        assert_true(model.config.bos == 1 && model.config.eos[0] == 2 && model.config.eos[1] == 3);
        assert_int_equal(model.layers[0].proj[LCAL__GATE].weight.dtype, cases[i].held);
        assert_int_equal(strlen(model.sha256), 64);
        assert_model(&model, cases[i].bound);
        lcal__model_close(&model);
    }
}

static void test_factors(void **state)
{
    (void)state;
    const fault f = {.factors = true};
    lcal__model model;
    float cosines[HEAD_DIM], sines[HEAD_DIM]; /* [2, HEAD_DIM / 2] */
    assert_int_equal(lcal__model_open(make(&f), NULL, &model, NULL), LCAL_OK);
    assert_int_equal(model.config.rope.kind, LCAL__ROPE_FACTORS);
    lcal__rope_table(&model.config, 2, cosines, sines);
    for (size_t i = 0; i < HEAD_DIM / 2; i++) {
        const double angle = pow(10000.0, -2.0 * (double)i / HEAD_DIM) / (1.0 + (double)i);
        assert_true(fabs(cosines[HEAD_DIM / 2 + i] - cos(angle)) < 1e-7);
        assert_true(fabs(sines[HEAD_DIM / 2 + i] - sin(angle)) < 1e-7);
        assert_true(fabs(lcal__rope_slowdown(&model.config, i) - (1.0 + (double)i)) < 1e-6);
    }
    lcal__model_close(&model);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        fault fault;
        lcal_status status;
        const char *says;
    } cases[] = {
        {{.arch = "gemma"}, LCAL_UNSUPPORTED, "found \"gemma\""},
        {{.missing = "llama.block_count"}, LCAL_FORMAT, "key llama.block_count is missing"},
        {{.text_key = "llama.block_count"}, LCAL_FORMAT, "key llama.block_count"},
        {{.missing = "blk.1.ffn_up.weight"}, LCAL_FORMAT, "missing tensors: blk.1.ffn_up.weight"},
        {{.missing = "token_embd.weight"}, LCAL_FORMAT, "token_embd.weight"},
        {{.narrow = "blk.1.attn_q.weight"}, LCAL_SHAPE, "blk.1.attn_q.weight: expected 32 x 32"},
        {{.narrow = "blk.0.attn_norm.weight"}, LCAL_SHAPE, "blk.0.attn_norm.weight"},
        {{.extra = "blk.0.attn_q_norm.weight"}, LCAL_UNSUPPORTED, "blk.0.attn_q_norm.weight"},
        {{.parts = 3}, LCAL_UNSUPPORTED, "one of 3 parts"},
        {{.factors = true, .bad_factor = true}, LCAL_NUMERIC, "element 2"},
        {{.factors = true, .narrow = "rope_freqs.weight"}, LCAL_SHAPE, "expected 4 of F32"},
        {{.adapter = true}, LCAL_INVALID, "found an adapter"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        lcal__model model;
        lcal_error err = {0};
        const lcal_status status = lcal__model_open(make(&cases[i].fault), NULL, &model, &err);
        assert_refused(cases[i].says, status, &err, cases[i].status, cases[i].says);
    }
}

/* --- adapters -------------------------------------------------------------------------------- */

typedef struct adapter_fault {
    const char *type, *arch, *a, *b, *extra;
    float alpha, first;
    size_t rank_a;
} adapter_fault;

static const char *make_adapter(const adapter_fault *f)
{
    const char *path = scratch_path("adapter.gguf");
    const size_t rank = 2, rank_a = f->rank_a ? f->rank_a : rank;
    float a[4 * HIDDEN], b[2 * HEADS * HEAD_DIM];
    lcal__gguf_writer out;
    for (size_t i = 0; i < COUNT(a); i++)
        a[i] = (float)i;
    for (size_t i = 0; i < COUNT(b); i++)
        b[i] = (float)i;
    a[0] = f->first;
    lcal__gguf_writer_init(&out, path);
    lcal__gguf_put_text(&out, "general.type", f->type ? f->type : "adapter");
    lcal__gguf_put_text(&out, "adapter.type", "lora");
    lcal__gguf_put_text(&out, "general.architecture", f->arch ? f->arch : "llama");
    lcal__gguf_put_f32(&out, "adapter.lora.alpha", f->alpha);
    const char *name_a = f->a ? f->a : "blk.1.attn_q.weight.lora_a";
    const char *name_b = f->b ? f->b : "blk.1.attn_q.weight.lora_b";
    assert_int_equal(lcal__gguf_add_matrix(&out, name_a, rank_a, HIDDEN, LCAL__GGML_F32, NULL),
                     LCAL_OK);
    assert_int_equal(
        lcal__gguf_add_matrix(&out, name_b, HEADS * HEAD_DIM, rank, LCAL__GGML_F32, NULL), LCAL_OK);
    if (f->extra)
        assert_int_equal(lcal__gguf_add_vector(&out, f->extra, HIDDEN, NULL), LCAL_OK);
    assert_int_equal(lcal__gguf_writer_begin(&out, NULL), LCAL_OK);
    assert_int_equal(lcal__gguf_write_rows(&out, name_a, a, rank_a, NULL), LCAL_OK);
    assert_int_equal(lcal__gguf_write_rows(&out, name_b, b, HEADS * HEAD_DIM, NULL), LCAL_OK);
    if (f->extra)
        assert_int_equal(lcal__gguf_write_rows(&out, f->extra, a, 1, NULL), LCAL_OK);
    assert_int_equal(lcal__gguf_writer_commit(&out, NULL), LCAL_OK);
    lcal__gguf_writer_free(&out);
    return path;
}

static lcal__model_config base_config(void)
{
    return (lcal__model_config){.arch = LCAL__ARCH_LLAMA,
                                .layers = LAYERS,
                                .hidden = HIDDEN,
                                .heads = HEADS,
                                .kv_heads = KV_HEADS,
                                .head_dim = HEAD_DIM,
                                .ffn = FFN,
                                .vocab = VOCAB};
}

static void test_adapter(void **state)
{
    (void)state;
    const lcal__model_config config = base_config();
    for (size_t i = 0; i < 2; i++) {
        const adapter_fault f = {.alpha = i ? 6.0f : 0.0f};
        lcal__adapter adapter;
        lcal_error err = {0};
        assert_int_equal(lcal__adapter_open(make_adapter(&f), &config, NULL, &adapter, &err),
                         LCAL_OK);
        const lcal__lora_pair *pair = lcal__adapter_pair(&adapter, 1, LCAL__Q);
        assert_int_equal(pair->rank, 2);
        assert_true(pair->scale == (i ? 3.0f : 1.0f)); /* alpha 0: no division by the rank */
        assert_null(lcal__adapter_pair(&adapter, 0, LCAL__Q)->a);
        assert_int_equal(adapter.parameters, 2 * (HIDDEN + HEADS * HEAD_DIM));
        for (size_t r = 0; r < HEADS * HEAD_DIM; r++)
            for (size_t c = 0; c < 2; c++)
                assert_true(pair->b[2 * r + c] == (float)(2 * stored_row(r) + c));
        assert_true(pair->a[HIDDEN + 1] == HIDDEN + 1);
        lcal__adapter_close(&adapter);
    }
}

static void test_adapter_faults(void **state)
{
    (void)state;
    static const struct {
        adapter_fault fault;
        lcal_status status;
        const char *says;
    } cases[] = {
        {{.type = "model"}, LCAL_INVALID, "expected adapter"},
        {{.arch = "qwen2"}, LCAL_INVALID, "made for a qwen2 model: expected one for llama"},
        {{.a = "blk.0.attn_q.weight.lora_a"}, LCAL_FORMAT, "blk.0.attn_q.weight.lora_b"},
        {{.rank_a = 3}, LCAL_SHAPE, "rank 3"},
        {{.b = "blk.1.ffn_up.weight.lora_b", .a = "blk.1.ffn_up.weight.lora_a"},
         LCAL_SHAPE,
         "blk.1.ffn_up.weight.lora_b"},
        {{.b = "blk.2.attn_q.weight.lora_b", .a = "blk.2.attn_q.weight.lora_a"},
         LCAL_UNSUPPORTED,
         "blk.2.attn_q.weight.lora_a"},
        {{.extra = "blk.1.attn_norm.weight"}, LCAL_UNSUPPORTED, "blk.1.attn_norm.weight"},
    };
    const lcal__model_config config = base_config();
    for (size_t i = 0; i < COUNT(cases); i++) {
        lcal__adapter adapter;
        lcal_error err = {0};
        const lcal_status status =
            lcal__adapter_open(make_adapter(&cases[i].fault), &config, NULL, &adapter, &err);
        assert_refused(cases[i].says, status, &err, cases[i].status, cases[i].says);
    }
}

/* --- llama.cpp's own ------------------------------------------------------------------------- */

static lcal_status collect(void *context, const char *name, size_t rows, size_t cols,
                           lcal__dtype dtype, const void *data, lcal_error *err)
{
    lcal__tensor **next = context;
    (void)name;
    (void)err;
    *(*next)++ = (lcal__tensor){.dtype = dtype, .elements = rows * cols, .data = data};
    return LCAL_OK;
}

static void assert_same_model(const lcal__model *a, const lcal__model *b)
{
    static lcal__tensor left[256], right[256];
    lcal__tensor *l = left, *r = right;
    assert_int_equal(lcal__model_visit(a, collect, &l, NULL), LCAL_OK);
    assert_int_equal(lcal__model_visit(b, collect, &r, NULL), LCAL_OK);
    assert_int_equal(l - left, r - right);
    for (l = left; l < left + (r - right); l++) {
        const lcal__tensor *other = &right[l - left];
        assert_true(l->elements == other->elements && l->dtype == other->dtype);
        assert_memory_equal(l->data, other->data, l->elements * lcal__dtype_size(l->dtype));
    }
}

static void test_converted(void **state)
{
    (void)state;
    static const char *const models[] = {"stories260K", "tiny-llama3", "tiny-qwen2",
                                         "tiny-stablelm2"};
    const char *root = getenv("LCAL_TEST_DATA");
    if (!root) {
        print_message("LCAL_TEST_DATA is not set: no models in both layouts\n");
        skip();
    }
    for (size_t i = 0; i < COUNT(models); i++) {
        char path[512];
        lcal__model a, b;
        float tables[2][2][40 * 32]; /* 40 positions of at most 32 pairs */
        lcal_error err = {0};
        snprintf(path, sizeof(path), "%s/models/%s/model.gguf", root, models[i]);
        assert_int_equal(lcal__model_open(shipped_path("%s", models[i]), NULL, &a, &err), LCAL_OK);
        assert_int_equal(lcal__model_open(path, NULL, &b, &err), LCAL_OK);
        assert_same_model(&a, &b);
        assert_true(a.config.parallel_residual == b.config.parallel_residual
                    && a.config.norm == b.config.norm && a.config.norm_eps == b.config.norm_eps
                    && a.config.max_positions == b.config.max_positions);
        lcal__rope_table(&a.config, 40, tables[0][0], tables[0][1]);
        lcal__rope_table(&b.config, 40, tables[1][0], tables[1][1]);
        for (size_t t = 0; t < 40 * a.config.rope.dims / 2; t++)
            assert_true(fabsf(tables[0][0][t] - tables[1][0][t]) < 1e-5f
                        && fabsf(tables[0][1][t] - tables[1][1][t]) < 1e-5f);
        lcal__adapter x, y;
        snprintf(path, sizeof(path), "%s/models/%s/lora_a/adapter.gguf", root, models[i]);
        assert_int_equal(
            lcal__adapter_open(shipped_path("%s/lora_a", models[i]), &a.config, NULL, &x, &err),
            LCAL_OK);
        assert_int_equal(lcal__adapter_open(path, &a.config, NULL, &y, &err), LCAL_OK);
        for (size_t m = 0; m < a.config.layers * LCAL__PROJ_COUNT; m++) {
            const lcal__lora_pair *p = &x.pairs[m], *q = &y.pairs[m];
            assert_true(!p->a == !q->a && p->rank == q->rank && p->scale == q->scale);
            if (!p->a)
                continue;
            const size_t out = lcal__proj_out(&a.config, m % LCAL__PROJ_COUNT);
            assert_memory_equal(p->b, q->b, out * p->rank * sizeof(float));
        }
        lcal__adapter_close(&x);
        lcal__adapter_close(&y);
        lcal__model_close(&a);
        lcal__model_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_types, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(test_factors, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(test_faults, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(test_adapter, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(test_adapter_faults, scratch_open, scratch_close),
        cmocka_unit_test(test_converted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
