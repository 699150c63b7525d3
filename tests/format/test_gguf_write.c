/* Writing GGUF: what was declared comes back from the reader, in rounded numbers; faults are told
 * and leave no file. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include "format/gguf_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char directory[] = "/tmp/lcal_gguf_write_XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/f.gguf", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory); /* fails where a temporary file was left */
}

static float element(size_t i)
{
    return (float)(int)(i * 2654435761u % 2001) / 1000.0f - 1.0f;
}

/* Keys of every kind, and a tensor of every type. */
static void test_round_trip(void **state)
{
    (void)state;
    static const lcal__ggml_type types[] = {LCAL__GGML_F32, LCAL__GGML_F16, LCAL__GGML_BF16,
                                            LCAL__GGML_Q8_0};
    /* Relative to the row's largest value, 1. */
    static const float bounds[] = {0.0f, 0x1p-12f, 0x1p-9f, 0.5f / 127.0f + 0x1p-11f};
    enum { ROWS = 5, COLS = 96, BIG = 3000 };
    static float values[BIG * COLS];
    lcal__gguf_writer w;
    lcal_error err = {0};
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = element(i);
    lcal__gguf_writer_init(&w, path);
    lcal__gguf_put_u32(&w, "u32", 7);
    lcal__gguf_put_f32(&w, "f32", 0.5f);
    lcal__gguf_put_bool(&w, "yes", true);
    lcal__gguf_put_text(&w, "text", "caf\xC3\xA9");
    lcal__gguf_put_array(&w, "words", LCAL__GGUF_STRING, 2);
    lcal__gguf_add_string(&w, "a", 1);
    lcal__gguf_add_string(&w, "", 0);
    lcal__gguf_put_array(&w, "numbers", LCAL__GGUF_I32, 2);
    lcal__gguf_add_bits(&w, 1);
    lcal__gguf_add_bits(&w, (uint32_t)-1);
    char name[32];
    for (size_t t = 0; t < COUNT(types); t++) {
        snprintf(name, sizeof(name), "m%zu", t);
        const size_t rows = t == 3 ? BIG : ROWS;
        assert_int_equal(lcal__gguf_add_matrix(&w, name, rows, COLS, types[t], &err), LCAL_OK);
    }
    assert_int_equal(lcal__gguf_add_vector(&w, "v", 3, &err), LCAL_OK);
    assert_int_equal(lcal__gguf_writer_begin(&w, &err), LCAL_OK);
    for (size_t t = 0; t < COUNT(types); t++) {
        snprintf(name, sizeof(name), "m%zu", t);
        const size_t rows = t == 3 ? BIG : ROWS;
        assert_int_equal(lcal__gguf_write_rows(&w, name, values, 2, &err), LCAL_OK);
        assert_int_equal(lcal__gguf_write_rows(&w, name, values + 2 * COLS, rows - 2, &err),
                         LCAL_OK);
    }
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(lcal__gguf_write_rows(&w, "v", values, 1, &err), LCAL_OK);
    assert_int_equal(lcal__gguf_writer_commit(&w, &err), LCAL_OK);
    lcal__gguf_writer_free(&w);

    lcal__map map = {0};
    lcal__gguf g;
    uint32_t number = 0;
    bool yes = false;
    lcal__gguf_string text;
    const lcal__gguf_key *array;
    assert_int_equal(lcal__map_open(path, &map, &err), LCAL_OK);
    assert_int_equal(lcal__gguf_parse(map.data, map.size, path, &g, &err), LCAL_OK);
    assert_int_equal(lcal__gguf_get_u32(&g, "u32", &number, &err), LCAL_OK);
    assert_int_equal(number, 7);
    assert_int_equal(lcal__gguf_get_bool(&g, "yes", &yes, &err), LCAL_OK);
    assert_true(yes);
    assert_int_equal(lcal__gguf_get_string(&g, "text", &text, &err), LCAL_OK);
    assert_memory_equal(text.text, "caf\xC3\xA9", 5);
    assert_int_equal(lcal__gguf_get_array(&g, "numbers", LCAL__GGUF_I32, &array, &err), LCAL_OK);
    assert_int_equal(lcal__gguf_bits32(array, 1), UINT32_MAX);
    assert_int_equal(lcal__gguf_get_array(&g, "words", LCAL__GGUF_STRING, &array, &err), LCAL_OK);
    assert_int_equal(array->count, 2);
    for (size_t t = 0; t < COUNT(types); t++) {
        static float back[BIG * COLS];
        snprintf(name, sizeof(name), "m%zu", t);
        const lcal__gguf_tensor *m = lcal__gguf_find_tensor(&g, name);
        const size_t rows = t == 3 ? BIG : ROWS;
        assert_non_null(m);
        assert_int_equal(m->type, types[t]);
        assert_int_equal((m->data - map.data) % 32, 0);
        assert_true(m->extent[0] == COLS && m->extent[1] == rows);
        lcal__ggml_decode(types[t], m->data, back, rows * COLS);
        for (size_t i = 0; i < rows * COLS; i++)
            assert_true(fabsf(back[i] - values[i]) <= bounds[t]);
    }
    const lcal__gguf_tensor *v = lcal__gguf_find_tensor(&g, "v");
    assert_true(v && v->dims == 1 && v->type == LCAL__GGML_F32);
    assert_memory_equal(v->data, values, 3 * sizeof(float));
    lcal__gguf_free(&g);
    lcal__map_close(&map);
}

/* One block by hand: the largest magnitude 254 gives d = 2; a tie goes away from zero. */
static void test_q8_block(void **state)
{
    (void)state;
    float values[LCAL__Q8_BLOCK] = {254.0f, -254.0f, 1.0f, -1.0f, 0.9f, 3.1f};
    static const signed char expected[LCAL__Q8_BLOCK] = {127, -127, 1, -1, 0, 2};
    unsigned char block[34];
    size_t bad;
    assert_true(lcal__ggml_encode(LCAL__GGML_Q8_0, values, block, LCAL__Q8_BLOCK, &bad));
    assert_int_equal(block[0] | block[1] << 8, 0x4000); /* f16 of 2 */
    assert_memory_equal(block + 2, expected, LCAL__Q8_BLOCK);
    memset(values, 0, sizeof(values));
    assert_true(lcal__ggml_encode(LCAL__GGML_Q8_0, values, block, LCAL__Q8_BLOCK, &bad));
    for (size_t i = 0; i < sizeof(block); i++)
        assert_int_equal(block[i], 0);
}

static void test_limits_of_types(void **state)
{
    (void)state;
    static const struct {
        lcal__ggml_type type;
        float fits, exceeds;
    } cases[] = {
        {LCAL__GGML_F32, 3e38f, INFINITY},   {LCAL__GGML_F16, 65519.0f, 65520.0f},
        {LCAL__GGML_BF16, 3.3e38f, 3.4e38f}, {LCAL__GGML_Q8_0, 8.3e6f, 8.4e6f},
        {LCAL__GGML_F32, -1.0f, NAN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        float values[LCAL__Q8_BLOCK] = {0}, back[LCAL__Q8_BLOCK];
        unsigned char out[sizeof(values)];
        size_t bad = 0;
        values[3] = cases[i].fits;
        assert_true(lcal__ggml_encode(cases[i].type, values, out, LCAL__Q8_BLOCK, &bad));
        lcal__ggml_decode(cases[i].type, out, back, LCAL__Q8_BLOCK);
        assert_true(isfinite(back[3]));
        values[3] = cases[i].exceeds;
        assert_false(lcal__ggml_encode(cases[i].type, values, out, LCAL__Q8_BLOCK, &bad));
        assert_int_equal(bad, 3);
    }
}

static void begin(lcal__gguf_writer *w)
{
    lcal__gguf_writer_init(w, path);
    assert_int_equal(lcal__gguf_add_matrix(w, "m", 2, 4, LCAL__GGML_F16, NULL), LCAL_OK);
    assert_int_equal(lcal__gguf_writer_begin(w, NULL), LCAL_OK);
}

static void test_faults(void **state)
{
    (void)state;
    lcal__gguf_writer w;
    lcal_error err = {0};
    char name[LCAL__GGUF_NAME_MAX + 2];
    const float values[12] = {1.0f, 2.0f, 70000.0f};
    unlink(path);

    lcal__gguf_writer_init(&w, path);
    memset(name, 'x', sizeof(name));
    name[LCAL__GGUF_NAME_MAX + 1] = 0;
    assert_int_equal(lcal__gguf_add_vector(&w, name, 4, &err), LCAL_UNSUPPORTED);
    name[LCAL__GGUF_NAME_MAX] = 0;
    assert_int_equal(lcal__gguf_add_vector(&w, name, 4, &err), LCAL_OK);
    assert_int_equal(lcal__gguf_add_vector(&w, name, 4, &err), LCAL_OK);
    assert_int_equal(lcal__gguf_writer_begin(&w, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "twice"));
    lcal__gguf_writer_free(&w);

    begin(&w);
    assert_int_equal(lcal__gguf_write_rows(&w, "m", values, 2, &err), LCAL_NUMERIC);
    assert_non_null(strstr(err.message, "tensor m: 70000 does not fit F16"));
    lcal__gguf_writer_free(&w);

    begin(&w);
    assert_int_equal(lcal__gguf_write_rows(&w, "n", values, 1, &err), LCAL_INTERNAL);
    assert_int_equal(lcal__gguf_write_rows(&w, "m", values, 3, &err), LCAL_INTERNAL);
    assert_int_equal(lcal__gguf_write_rows(&w, "m", values + 4, 1, &err), LCAL_OK);
    assert_int_equal(lcal__gguf_writer_commit(&w, &err), LCAL_INTERNAL);
    lcal__gguf_writer_free(&w);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_q8_block),
        cmocka_unit_test(test_limits_of_types),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
