/* Models of llama2.c: every tensor of made ones, the original stories260K, and broken files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/llama2c.h"

enum { DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, POSITIONS, NUMBERS };

static const int32_t small[NUMBERS] = {16, 6, 2, 4, 2, 5, 3}; /* heads of 4, half of them shared */

/* Floats behind the header. */
static size_t float_count(const int32_t n[NUMBERS])
{
    const size_t dim = (size_t)n[DIM], layers = (size_t)n[LAYERS], hidden = (size_t)n[HIDDEN];
    const size_t kv = dim / (size_t)n[HEADS] * (size_t)n[KV_HEADS];
    const size_t vocab = (size_t)abs(n[VOCAB]);
    size_t sum = vocab * dim * (n[VOCAB] < 0 ? 2 : 1) + dim;
    sum += layers * (2 * dim + 2 * dim * dim + 2 * kv * dim + 3 * hidden * dim);
    return sum + (size_t)n[POSITIONS] * (dim / (size_t)n[HEADS]);
}

/* A file whose float number i is i. */
static unsigned char *make(const int32_t n[NUMBERS], size_t *size)
{
    const size_t count = float_count(n);
    *size = 28 + 4 * count;
    unsigned char *bytes = malloc(*size);
    assert_non_null(bytes);
    memcpy(bytes, n, 28);
    for (size_t i = 0; i < count; i++) {
        const float value = (float)i;
        memcpy(bytes + 28 + 4 * i, &value, 4);
    }
    return bytes;
}

/* Values of a tensor in a made file begin at `base` and, but for q and k, are in order. */
static void assert_from(const float *values, size_t rows, size_t cols, size_t base, size_t head_dim)
{
    for (size_t r = 0; r < rows; r++) {
        size_t from = r;
        if (head_dim) { /* row (head, half, i) was (head, i, half) */
            const size_t head = r / head_dim, half = r % head_dim >= head_dim / 2;
            from = head * head_dim + 2 * (r % head_dim - half * head_dim / 2) + half;
        }
        for (size_t c = 0; c < cols; c++)
            assert_true(values[r * cols + c] == (float)(base + from * cols + c));
    }
}

static const float *weight(const lcal__model *m, size_t layer, lcal__proj p)
{
    assert_int_equal(m->layers[layer].proj[p].weight.dtype, LCAL__F32);
    return m->layers[layer].proj[p].weight.data;
}

static void check_made(int32_t vocab)
{
    static lcal_error err;
    int32_t n[NUMBERS];
    size_t size, at = 0;
    memcpy(n, small, sizeof(n));
    n[VOCAB] = vocab;
    unsigned char *bytes = make(n, &size);
    lcal__model m;
    if (lcal__llama2c_parse(bytes, size, "made", &m, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(m.config.vocab, 5);
    assert_int_equal(m.config.tied, vocab > 0);
    assert_int_equal(m.config.head_dim, 4);
    assert_int_equal(m.config.rope.dims, 4);
    assert_true(m.config.rope.theta == 10000.0 && m.config.norm_eps == 1e-5f);
    assert_from(m.embedding.data, 5, 16, at, 0);
    at += 5 * 16;
    for (size_t l = 0; l < 2; l++, at += 16)
        assert_from(m.layers[l].attention_norm.weight, 16, 1, at, 0);
    for (size_t l = 0; l < 2; l++, at += 16 * 16)
        assert_from(weight(&m, l, LCAL__Q), 16, 16, at, 4);
    for (size_t l = 0; l < 2; l++, at += 8 * 16)
        assert_from(weight(&m, l, LCAL__K), 8, 16, at, 4);
    for (size_t l = 0; l < 2; l++, at += 8 * 16)
        assert_from(weight(&m, l, LCAL__V), 8, 16, at, 0);
    for (size_t l = 0; l < 2; l++, at += 16 * 16)
        assert_from(weight(&m, l, LCAL__O), 16, 16, at, 0);
    for (size_t l = 0; l < 2; l++, at += 16)
        assert_from(m.layers[l].mlp_norm.weight, 16, 1, at, 0);
    for (size_t l = 0; l < 2; l++, at += 6 * 16)
        assert_from(weight(&m, l, LCAL__GATE), 6, 16, at, 0);
    for (size_t l = 0; l < 2; l++, at += 16 * 6)
        assert_from(weight(&m, l, LCAL__DOWN), 16, 6, at, 0);
    for (size_t l = 0; l < 2; l++, at += 6 * 16)
        assert_from(weight(&m, l, LCAL__UP), 6, 16, at, 0);
    assert_from(m.final_norm.weight, 16, 1, at, 0);
    at += 16 + 2 * 3 * 2;
    assert_from(m.head.data, 5, 16, vocab > 0 ? 0 : at, 0);
    lcal__model_close(&m);
    free(bytes);
}

static void test_made(void **state)
{
    (void)state;
    check_made(5);
    check_made(-5);
}

/* The tensors of one model, to be found in another by name. */
typedef struct lookup {
    const char *name;
    const void *data;
    size_t bytes, found;
} lookup;

static lcal_status look(void *context, const char *name, size_t rows, size_t cols,
                        lcal__dtype dtype, const void *data, lcal_error *err)
{
    lookup *l = context;
    (void)err;
    if (strcmp(name, l->name) != 0)
        return LCAL_OK;
    assert_int_equal(rows * cols * lcal__dtype_size(dtype), l->bytes);
    assert_memory_equal(data, l->data, l->bytes);
    l->found++;
    return LCAL_OK;
}

typedef struct comparison {
    const lcal__model *other;
    size_t tensors;
} comparison;

static lcal_status compare(void *context, const char *name, size_t rows, size_t cols,
                           lcal__dtype dtype, const void *data, lcal_error *err)
{
    comparison *c = context;
    lookup l = {.name = name, .data = data, .bytes = rows * cols * lcal__dtype_size(dtype)};
    assert_int_equal(lcal__model_visit(c->other, look, &l, err), LCAL_OK);
    assert_int_equal(l.found, 1);
    c->tensors++;
    return LCAL_OK;
}

static void test_stories(void **state)
{
    static lcal_error err;
    const char *root = getenv("LCAL_TEST_DATA");
    (void)state;
    if (!root || !*root) {
        print_message("LCAL_TEST_DATA is not set: no original to compare with\n");
        skip();
    }
    char *folder = lcal__path_join(root, "models/stories260K");
    char *path = lcal__path_join(folder, "stories260K.bin");
    lcal__map map = {0};
    lcal__model converted, reference;
    assert_int_equal(lcal__map_open(path, &map, &err), LCAL_OK);
    assert_int_equal(lcal__llama2c_parse(map.data, map.size, path, &converted, &err), LCAL_OK);
    assert_int_equal(lcal__model_open(folder, NULL, &reference, &err), LCAL_OK);
    comparison c = {.other = &reference};
    assert_int_equal(lcal__model_visit(&converted, compare, &c, &err), LCAL_OK);
    assert_int_equal(c.tensors, 2 + 5 * 9);
    const lcal__model_config *x = &converted.config, *y = &reference.config;
    assert_int_equal(x->layers, y->layers);
    assert_int_equal(x->heads, y->heads);
    assert_int_equal(x->kv_heads, y->kv_heads);
    assert_int_equal(x->head_dim, y->head_dim);
    assert_int_equal(x->max_positions, y->max_positions);
    assert_int_equal(x->tied, y->tied);
    assert_int_equal(x->rope.dims, y->rope.dims);
    assert_true(x->rope.theta == y->rope.theta && x->norm_eps == y->norm_eps);
    assert_int_equal(x->bos, y->bos);
    assert_int_equal(x->eos_count, y->eos_count);
    assert_int_equal(x->eos[0], y->eos[0]);
    lcal__model_close(&converted);
    lcal__model_close(&reference);
    lcal__map_close(&map);
    lcal__free(path);
    lcal__free(folder);
}

static void refuse(const unsigned char *bytes, size_t size, lcal_status expected, const char *what)
{
    static lcal_error err;
    lcal__model m;
    assert_int_equal(lcal__llama2c_parse(bytes, size, "input", &m, &err), expected);
    if (!strstr(err.message, what) || strncmp(err.message, "input", 5) != 0)
        fail_msg("expected \"%s\" in: %s", what, err.message);
}

static void test_broken(void **state)
{
    static const struct {
        size_t index;
        int32_t value;
        const char *what;
    } cases[] = {{DIM, 0, "dim"},         {DIM, 17, "divide"},     {DIM, -16, "dim"},
                 {HIDDEN, 0, "hidden"},   {HIDDEN, 7, "more"},     {HIDDEN, 5, "fewer"},
                 {LAYERS, 0, "n_layers"}, {LAYERS, INT32_MAX, ""}, {LAYERS, 1, "fewer"},
                 {HEADS, 0, "n_heads"},   {HEADS, 3, "divide"},    {HEADS, 16, "even"},
                 {KV_HEADS, 0, "kv"},     {KV_HEADS, 3, "divide"}, {VOCAB, 0, "vocab"},
                 {VOCAB, INT32_MIN, ""},  {VOCAB, 6, "more"},      {VOCAB, 4, "fewer"},
                 {POSITIONS, 0, "seq"},   {POSITIONS, 4, "more"},  {POSITIONS, INT32_MAX, "more"},
                 {HIDDEN, INT32_MAX, ""}};
    (void)state;
    size_t size;
    unsigned char *bytes = make(small, &size);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        memcpy(bytes + 4 * cases[i].index, &cases[i].value, 4);
        refuse(bytes, size, LCAL_FORMAT, cases[i].what);
        memcpy(bytes, small, sizeof(small));
    }
    for (size_t cut = 0; cut < size; cut += 1 + cut / 8) {
        unsigned char *part = malloc(cut + 1);
        assert_non_null(part);
        memcpy(part, bytes, cut);
        refuse(part, cut, LCAL_FORMAT, "llama2.c");
        free(part);
    }
    memcpy(bytes, "24ka\1\0\0\0", 8);
    refuse(bytes, size, LCAL_UNSUPPORTED, "version 1");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made),
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
