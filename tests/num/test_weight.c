#include "numbers.h"

#include "num/weight.h"

typedef struct fixture {
    lcal__weight w;
    float *wide; /* what is stored, in f32 */
    void *data;
} fixture;

static void fixture_init(fixture *f, lcal__dtype dtype, size_t rows, size_t cols)
{
    f->wide = numbers_new(rows * cols, -1, 1, 1);
    f->data = lcal__calloc(rows * cols, lcal__dtype_size(dtype));
    assert_non_null(f->data);
    lcal__convert_from_f32(dtype, f->wide, f->data, rows * cols);
    lcal__convert_to_f32(dtype, f->data, f->wide, rows * cols);
    f->w = (lcal__weight){.rows = rows, .cols = cols, .dtype = dtype, .data = f->data};
}

static void fixture_free(fixture *f)
{
    numbers_free(f->wide);
    lcal__free(f->data);
}

/* out[n, to] = in[n, from] op(W) + beta old, every step-th element against the sum in double. */
static void check_product(const fixture *f, bool forward, size_t n, float beta, size_t step)
{
    size_t from = forward ? f->w.cols : f->w.rows;
    size_t to = forward ? f->w.rows : f->w.cols;
    float *in = numbers_new(n * from, -1, 1, 2);
    float *old = numbers_new(n * to, -1, 1, 3);
    float *first = numbers_new(n * to, 0, 0, 0);
    float *out = numbers_new(n * to, 0, 0, 0);
    for (size_t threads = 1; threads <= 4; threads++) {
        lcal__exec exec = lcal__exec_init(threads);
        /* Exactly as large as promised, so that a sanitizer sees more. */
        size_t room = lcal__weight_scratch(&f->w, threads);
        float *scratch = lcal__alloc_aligned(room + 1, sizeof(*scratch));
        assert_non_null(scratch);
        float *y = threads == 1 ? first : out;
        for (size_t i = 0; i < n * to; i++)
            y[i] = beta == 0.0f ? NAN : old[i];
        const lcal__start start = {.rows = beta == 0.0f ? NULL : y, .ld = to};
        if (forward)
            lcal__weight_forward(&exec, &f->w, in, n, &start, y, scratch);
        else
            lcal__weight_backward(&exec, &f->w, in, n, beta != 0.0f, y, scratch);
        if (threads > 1)
            assert_memory_equal(first, out, n * to * sizeof(*out));
        lcal__free(scratch);
    }
    for (size_t at = 0; at < n * to; at += step) {
        double total = beta == 0.0f ? 0.0 : (double)old[at];
        for (size_t l = 0; l < from; l++)
            total += (double)in[at / to * from + l]
                     * f->wide[forward ? at % to * f->w.cols + l : l * f->w.cols + at % to];
        assert_near(first[at], total, 1e-6 + 1e-7 * (double)from);
    }
    numbers_free(in);
    numbers_free(old);
    numbers_free(first);
    numbers_free(out);
}

static const lcal__dtype types[] = {LCAL__F32, LCAL__F16, LCAL__BF16};

static void test_products(void **state)
{
    (void)state;
    /* rows, cols, n; the larger ones need several tiles and several panels a tile */
    static const size_t shapes[][3] = {
        {1, 1, 1},      {3, 5, 2},       {17, 33, 7},    {65, 129, 31},
        {700, 900, 33}, {90, 1500, 64},  {1500, 90, 64}, {33, 9000, 12},
        {9000, 33, 12}, {130, 70, 2100}, {600, 2100, 1},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
            fixture f;
            fixture_init(&f, types[t], shapes[i][0], shapes[i][1]);
            size_t step = 1 + shapes[i][0] * shapes[i][1] / 5000;
            for (int form = 0; form < 4; form++)
                check_product(&f, form & 1, shapes[i][2], form & 2 ? 1.0f : 0.0f, step);
            fixture_free(&f);
        }
}

static void test_no_rows(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        fixture f;
        fixture_init(&f, types[t], 4, 3);
        check_product(&f, true, 0, 0, 1);
        check_product(&f, false, 0, 1, 1);
        fixture_free(&f);
    }
}

static void test_scratch(void **state)
{
    (void)state;
    lcal__weight w = {.rows = 10, .cols = 20, .dtype = LCAL__F32};
    assert_int_equal(lcal__weight_scratch(&w, 8), 0);
    w.dtype = LCAL__BF16;
    assert_true(lcal__weight_scratch(&w, 1) > 0);
    assert_int_equal(lcal__weight_scratch(&w, 8), 8 * lcal__weight_scratch(&w, 1));
}

static void test_row(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        fixture f;
        fixture_init(&f, types[t], 9, 37);
        float out[37];
        for (size_t row = 0; row < 9; row++) {
            lcal__weight_row(&f.w, row, out);
            assert_memory_equal(out, f.wide + row * 37, sizeof(out));
        }
        fixture_free(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
