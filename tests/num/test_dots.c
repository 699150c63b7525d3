#include "numbers.h"

#include "num/dots.h"
#include "num/gemm.h"
#include "num/weight.h"

typedef struct operands {
    lcal__dots p;
    float *a, *b, *c, *constant, *rows;
    void *narrow; /* b as stored */
    size_t size_c;
} operands;

#define PAD 3 /* elements beyond the end of every stored row */

/* form: bit 0 rows to start from, bit 1 a constant, bit 2 in place. */
static void operands_init(operands *o, size_t m, size_t n, size_t k, lcal__dtype dtype,
                          unsigned form)
{
    o->size_c = m * (n + PAD);
    o->a = numbers_new(m * (k + PAD), -1, 1, 1);
    o->b = numbers_new(n * (k + PAD), -1, 1, 2);
    o->c = numbers_new(o->size_c, -1, 1, 3);
    o->rows = numbers_new(o->size_c, -1, 1, 3);
    o->constant = numbers_new(n, -1, 1, 4);
    o->narrow = lcal__calloc(n * (k + PAD) + 1, lcal__dtype_size(dtype));
    assert_non_null(o->narrow);
    lcal__convert_from_f32(dtype, o->b, o->narrow, n * (k + PAD));
    lcal__convert_to_f32(dtype, o->narrow, o->b, n * (k + PAD));
    const bool in_place = form & 4;
    if (!(form & 1) || !in_place)
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                o->c[i * (n + PAD) + j] = NAN; /* is not read */
    o->p = (lcal__dots){
        .m = m,
        .n = n,
        .k = k,
        .alpha = form & 2 ? -0.75f : 1.0f,
        .a = o->a,
        .lda = k + PAD,
        .b = o->narrow,
        .dtype = dtype,
        .ldb = k + PAD,
        .start = {.rows = !(form & 1) ? NULL
                          : in_place  ? o->c
                                      : o->rows,
                  .ld = n + PAD,
                  .constant = form & 2 ? o->constant : NULL},
        .c = o->c,
        .ldc = n + PAD,
    };
}

static void operands_free(operands *o)
{
    numbers_free(o->a);
    numbers_free(o->b);
    numbers_free(o->c);
    numbers_free(o->rows);
    numbers_free(o->constant);
    lcal__free(o->narrow);
}

/* Every element against the sum in double; what lies between the rows is left alone. */
static void check(const lcal__kernels *kernels, size_t m, size_t n, size_t k, lcal__dtype dtype,
                  unsigned form)
{
    operands o;
    operands_init(&o, m, n, k, dtype, form);
    lcal__dots_run(&(lcal__exec){.threads = 2, .kernels = kernels}, &o.p);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n + PAD; j++) {
            const size_t at = i * (n + PAD) + j;
            double want = 0.0;
            for (size_t t = 0; j < n && t < k; t++)
                want += (double)o.a[i * o.p.lda + t] * (double)o.b[j * o.p.ldb + t];
            want *= (double)o.p.alpha;
            if (j >= n || form & 1)
                want += (double)o.rows[at];
            if (j < n && form & 2)
                want += (double)o.constant[j];
            assert_near(o.c[at], want, j < n ? 2e-7 * (double)(1 + k) + 1e-6 : 0);
        }
    operands_free(&o);
}

static void test_products(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},    {1, 5, 3},     {6, 4, 16},    {7, 9, 17},
                                       {13, 66, 31}, {2, 3, 0},     {25, 130, 40}, {3, 10, 1100},
                                       {1, 200, 65}, {150, 3, 513}, {30, 70, 1025}};
    static const lcal__dtype types[] = {LCAL__F32, LCAL__F16, LCAL__BF16};
    const lcal__kernels *tables[3];
    const size_t count = lcal__kernels_all(tables);
    for (size_t t = 0; t < count; t++)
        for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
            for (size_t d = 0; d < sizeof(types) / sizeof(types[0]); d++)
                for (unsigned form = 0; form < 8; form++)
                    check(tables[t], shapes[s][0], shapes[s][1], shapes[s][2], types[d], form);
}

/* All rows at once on any number of threads, and each element by itself: the same bits. */
static void check_apart(const lcal__kernels *kernels, size_t m, size_t n, size_t k,
                        lcal__dtype dtype, unsigned form)
{
    operands all;
    operands_init(&all, m, n, k, dtype, form);
    lcal__dots_run(&(lcal__exec){.threads = 1, .kernels = kernels}, &all.p);
    for (size_t threads = 2; threads <= 3; threads++) {
        operands o;
        operands_init(&o, m, n, k, dtype, form);
        lcal__dots_run(&(lcal__exec){.threads = threads, .kernels = kernels}, &o.p);
        assert_memory_equal(o.c, all.c, o.size_c * sizeof(float));
        operands_free(&o);
    }
    operands o;
    operands_init(&o, m, n, k, dtype, form);
    for (size_t i = 0; i < m; i++)
        for (size_t j = (i * 7) % 5; j < n; j += 5) {
            lcal__dots one = o.p;
            one.m = one.n = 1;
            one.a += i * one.lda;
            one.b = (const char *)one.b + j * one.ldb * lcal__dtype_size(dtype);
            one.start.rows = one.start.rows ? one.start.rows + i * one.ldc + j : NULL;
            one.start.constant = one.start.constant ? one.start.constant + j : NULL;
            one.c += i * one.ldc + j;
            lcal__dots_run(&(lcal__exec){.threads = 1, .kernels = kernels}, &one);
            assert_memory_equal(one.c, all.c + i * one.ldc + j, sizeof(float));
        }
    operands_free(&o);
    operands_free(&all);
}

static void test_elements_are_apart(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{5, 7, 3},      {16, 40, 48},  {27, 131, 70},
                                       {40, 66, 1100}, {100, 4, 600}, {8, 300, 513}};
    static const lcal__dtype types[] = {LCAL__F32, LCAL__F16, LCAL__BF16};
    const lcal__kernels *tables[3];
    const size_t count = lcal__kernels_all(tables);
    for (size_t t = 0; t < count; t++)
        for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
            for (size_t d = 0; d < sizeof(types) / sizeof(types[0]); d++)
                for (unsigned form = 0; form < 8; form += 3)
                    check_apart(tables[t], shapes[s][0], shapes[s][1], shapes[s][2], types[d],
                                form);
}

/* What is stored in 16 bits gives what the same numbers give in F32; serial is no other. */
static void test_types_agree(void **state)
{
    (void)state;
    static const lcal__dtype types[] = {LCAL__F16, LCAL__BF16};
    const lcal__exec exec = lcal__exec_init(2);
    for (size_t d = 0; d < sizeof(types) / sizeof(types[0]); d++) {
        operands narrow, wide;
        operands_init(&narrow, 30, 77, 700, types[d], 3);
        operands_init(&wide, 30, 77, 700, types[d], 3);
        wide.p.b = wide.b;
        wide.p.dtype = LCAL__F32;
        lcal__dots_run(&exec, &narrow.p);
        lcal__dots_serial(exec.kernels, &wide.p);
        assert_memory_equal(narrow.c, wide.c, wide.size_c * sizeof(float));
        operands_free(&narrow);
        operands_free(&wide);
    }
}

/* The doors that the ops use: a row_invariant exec gives a row alone its bits among many. */
static void test_row_invariant_exec(void **state)
{
    (void)state;
    enum { M = 29, N = 50, K = 530 };
    static const lcal__dtype types[] = {LCAL__F32, LCAL__F16, LCAL__BF16};
    lcal__exec exec = lcal__exec_init(2);
    exec.row_invariant = true;
    for (size_t d = 0; d < sizeof(types) / sizeof(types[0]); d++) {
        operands o;
        operands_init(&o, M, N, K, LCAL__F32, 1);
        const size_t room = lcal__weight_scratch(&(lcal__weight){.dtype = types[d]}, 2);
        float *x = numbers_new(M * K, -1, 1, 5), *y = numbers_new(2 * M * N, 0, 0, 0);
        float *one = numbers_new(2 * N, 0, 0, 0);
        float *scratch = lcal__alloc_aligned(room + 1, sizeof(float));
        void *stored = lcal__calloc(N * K, lcal__dtype_size(types[d]));
        assert_true(scratch && stored);
        lcal__convert_from_f32(types[d], o.b, stored, N * K);
        const lcal__weight w = {N, K, types[d], stored};
        const lcal__start start = {.rows = o.rows, .ld = N};
        lcal__weight_forward(&exec, &w, x, M, &start, y, scratch);
        lcal__gemm(&exec, false, true, M, N, K, 0.5f, x, K, o.b, K, 0.0f, y + M * N, N);
        for (size_t i = 0; i < M; i++) {
            const lcal__start here = {.rows = o.rows + i * N, .ld = N};
            lcal__weight_forward(&exec, &w, x + i * K, 1, &here, one, scratch);
            lcal__gemm(&exec, false, true, 1, N, K, 0.5f, x + i * K, K, o.b, K, 0.0f, one + N, N);
            assert_memory_equal(one, y + i * N, N * sizeof(float));
            assert_memory_equal(one + N, y + (M + i) * N, N * sizeof(float));
        }
        numbers_free(x);
        numbers_free(y);
        numbers_free(one);
        lcal__free(scratch);
        lcal__free(stored);
        operands_free(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_elements_are_apart),
        cmocka_unit_test(test_types_agree),
        cmocka_unit_test(test_row_invariant_exec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
