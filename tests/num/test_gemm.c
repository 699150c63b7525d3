#include "numbers.h"

#include "num/gemm.h"
#include "num/tiles.h"

typedef struct product {
    bool ta, tb;
    size_t m, n, k;
    size_t pad; /* floats beyond the end of every stored row */
    float alpha, beta;
} product;

typedef struct operands {
    size_t lda, ldb, ldc;
    size_t size_a, size_b, size_c;
    float *a, *b, *c;
} operands;

static void operands_init(operands *o, const product *p)
{
    o->lda = (p->ta ? p->m : p->k) + p->pad;
    o->ldb = (p->tb ? p->k : p->n) + p->pad;
    o->ldc = p->n + p->pad;
    o->size_a = (p->ta ? p->k : p->m) * o->lda;
    o->size_b = (p->tb ? p->n : p->k) * o->ldb;
    o->size_c = p->m * o->ldc;
    o->a = numbers_new(o->size_a, -1, 1, 1);
    o->b = numbers_new(o->size_b, -1, 1, 2);
    o->c = numbers_new(o->size_c, -1, 1, 3);
    for (size_t i = 0; p->beta == 0.0f && i < p->m; i++)
        for (size_t j = 0; j < p->n; j++)
            o->c[i * o->ldc + j] = NAN; /* beta 0 must not read C */
}

static void operands_free(operands *o)
{
    numbers_free(o->a);
    numbers_free(o->b);
    numbers_free(o->c);
}

static double element(const product *p, const operands *o, size_t i, size_t j)
{
    double total = 0;
    for (size_t l = 0; l < p->k; l++)
        total += (double)o->a[p->ta ? l * o->lda + i : i * o->lda + l]
                 * o->b[p->tb ? j * o->ldb + l : l * o->ldb + j];
    double old = p->beta == 0.0f ? 0.0 : p->beta * (double)o->c[i * o->ldc + j];
    return p->alpha * total + old;
}

/* Against the plain sum in double for every step-th element, and what lies between the rows. */
static void check_result(const product *p, const operands *o, const float *c, size_t step)
{
    double tolerance = 2e-7 * fabs((double)p->alpha) * (1 + (double)p->k) + 1e-6;
    size_t at = 0;
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < o->ldc; j++, at++) {
            if (j >= p->n)
                assert_near(c[at], o->c[at], 0);
            else if (at % step == 0)
                assert_near(c[at], element(p, o, i, j), tolerance);
        }
}

static void check(const product *p, size_t step)
{
    operands o;
    operands_init(&o, p);
    size_t bytes = o.size_c * sizeof(float);
    float *first = numbers_new(o.size_c, 0, 0, 0);
    float *c = numbers_new(o.size_c, 0, 0, 0);
    for (size_t threads = 1; threads <= 4; threads++) {
        lcal__exec exec = lcal__exec_init(threads);
        float *out = threads == 1 ? first : c;
        memcpy(out, o.c, bytes);
        lcal__gemm(&exec, p->ta, p->tb, p->m, p->n, p->k, p->alpha, o.a, o.lda, o.b, o.ldb, p->beta,
                   out, o.ldc);
        if (threads > 1)
            assert_memory_equal(first, c, bytes);
    }
    check_result(p, &o, first, step);
    memcpy(c, o.c, bytes);
    lcal__gemm_serial(lcal__kernels_select(), p->ta, p->tb, p->m, p->n, p->k, p->alpha, o.a, o.lda,
                      o.b, o.ldb, p->beta, c, o.ldc);
    check_result(p, &o, c, step);
    numbers_free(first);
    numbers_free(c);
    operands_free(&o);
}

static void check_all_forms(product p, size_t step)
{
    static const float factors[][2] = {{1, 0}, {1, 1}, {-0.5f, 0.75f}, {0, 2}};
    for (int form = 0; form < 4; form++)
        for (size_t f = 0; f < sizeof(factors) / sizeof(factors[0]); f++) {
            p.ta = form & 1;
            p.tb = form & 2;
            p.alpha = factors[f][0];
            p.beta = factors[f][1];
            p.pad = f * 3;
            check(&p, step);
        }
}

static void test_small(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 5, 7, 13, 16, 17, 31, 33, 65};
    const size_t count = sizeof(sizes) / sizeof(sizes[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            for (size_t l = 0; l < count; l += 2)
                check_all_forms((product){.m = sizes[i], .n = sizes[j], .k = sizes[l]}, 1);
}

/* Shapes that are cut into tiles: wide, tall, square, thin, deep. */
static void test_tiled(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {
        {70, 1111, 65}, {1111, 70, 65}, {257, 301, 129}, {4, 2049, 333}, {2049, 4, 333},
        {1, 3000, 200}, {3000, 1, 200}, {9, 7, 5001},    {2100, 65, 33}, {40, 50, 2100},
        {61, 33, 1025}, {1021, 97, 40}, {24, 16, 1},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        check_all_forms((product){.m = shapes[i][0], .n = shapes[i][1], .k = shapes[i][2]}, 11);
}

/* Every start, with our kernels where a table has them and with the BLAS where it has none. */
static void test_starts(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},     {24, 16, 5},    {25, 31, 1030},
                                       {97, 130, 64}, {1100, 33, 20}, {30, 40, 0}};
    const lcal__kernels *tables[3];
    size_t count = lcal__kernels_all(tables);
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
        for (unsigned form = 0; form < 16; form++) {
            const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
            const product p = {
                .tb = form & 1, .m = m, .n = n, .k = k, .pad = 3, .alpha = 1.0f, .beta = 1.0f};
            const bool rows = form & 2, constant = form & 4, in_place = form & 8;
            operands o;
            operands_init(&o, &p);
            float *added = numbers_new(n, -1, 1, 4);
            float *c = numbers_new(o.size_c, 0, 0, 0);
            for (size_t t = 0; t < count; t++)
                for (size_t threads = 1; threads <= 3; threads += 2) {
                    const lcal__exec exec = {.threads = threads, .kernels = tables[t]};
                    const lcal__start start = {.rows = !rows      ? NULL
                                                       : in_place ? c
                                                                  : o.c,
                                               .ld = o.ldc,
                                               .constant = constant ? added : NULL};
                    memcpy(c, o.c, o.size_c * sizeof(float));
                    lcal__gemm_from(&exec, p.tb, m, n, k, o.a, o.lda, o.b, o.ldb, &start, c, o.ldc);
                    for (size_t i = 0; i < m; i++)
                        for (size_t j = 0; j < o.ldc; j++) {
                            const size_t at = i * o.ldc + j;
                            double want = o.c[at];
                            if (j < n)
                                want = element(&p, &o, i, j) - (rows ? 0.0 : (double)o.c[at])
                                       + (constant ? (double)added[j] : 0.0);
                            assert_near(c[at], want, 2e-7 * (double)(1 + k) + 1e-6);
                        }
                }
            numbers_free(added);
            numbers_free(c);
            operands_free(&o);
        }
}

static void test_nothing_to_add(void **state)
{
    (void)state;
    check_all_forms((product){.m = 5, .n = 7, .k = 0}, 1);
    check_all_forms((product){.m = 0, .n = 7, .k = 3}, 1);
    check_all_forms((product){.m = 5, .n = 0, .k = 3}, 1);
}

/* NaN in an operand must reach the result: it is how a broken run is noticed. */
static void test_nan_goes_through(void **state)
{
    (void)state;
    product p = {.m = 300, .n = 300, .k = 40, .alpha = 1};
    operands o;
    operands_init(&o, &p);
    o.a[17 * o.lda + 3] = NAN;
    lcal__exec exec = lcal__exec_init(2);
    lcal__gemm(&exec, false, false, p.m, p.n, p.k, 1, o.a, o.lda, o.b, o.ldb, 0, o.c, o.ldc);
    for (size_t j = 0; j < p.n; j++) {
        assert_true(isnan(o.c[17 * o.ldc + j]));
        assert_false(isnan(o.c[16 * o.ldc + j]));
    }
    operands_free(&o);
}

/* Every element of C lies in exactly one tile. */
static void test_tiles_cover(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 11, 64, 65, 255, 257, 511, 1000, 2047, 2048, 3001};
    const size_t count = sizeof(sizes) / sizeof(sizes[0]);
    for (size_t i = 0; i < count * count * 3; i++) {
        size_t m = sizes[i % count];
        size_t n = sizes[i / count % count];
        size_t k = sizes[4 * (i / count / count)];
        for (size_t widest = 100; widest != 0; widest = widest == 100 ? SIZE_MAX : 0) {
            lcal__tiles tiles = lcal__tiles_plan(m, n, k, widest);
            size_t area = 0;
            for (size_t t = 0; t < tiles.count; t++) {
                lcal__tile tile = lcal__tiles_at(&tiles, t);
                assert_true(tile.m > 0 && tile.n > 0 && tile.n <= widest);
                assert_true(tile.m0 + tile.m <= m && tile.n0 + tile.n <= n);
                area += tile.m * tile.n;
            }
            assert_int_equal(area, m * n);
        }
    }
}

static void test_blas_is_fit(void **state)
{
    (void)state;
    const char *complaint = lcal__blas_complaint();
    if (complaint != NULL)
        fail_msg("%s", complaint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blas_is_fit),
        cmocka_unit_test(test_tiles_cover),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_tiled),
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_nothing_to_add),
        cmocka_unit_test(test_nan_goes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
