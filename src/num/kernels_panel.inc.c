/*
 * Part of kernels.inc.c: matrix products with packed panels, for instruction sets with 32 registers
 * of 16 floats. 12 rows of C by one panel of 32 columns stay in 24 registers while two of B and one
 * broadcast of A pass through; rows of A are read where they are, which saves packing them.
 */
#ifdef __AVX512F__
#include <immintrin.h>

#define MICRO_ROWS 12

/* Lanes below n of the first and the second half of a panel's row. */
static inline __mmask16 lanes(size_t n, size_t half)
{
    const size_t from = half * 16;
    return n >= from + 16 ? 0xFFFF : n > from ? (__mmask16)((1u << (n - from)) - 1u) : 0;
}

/* rows is a constant wherever this is called, so that every loop over it unrolls into registers. */
static inline __attribute__((always_inline)) void
micro_product(size_t rows, const lcal__start *start, const float *a, size_t row_step,
              size_t depth_step, const float *panel, size_t n, size_t k, float *c, size_t ldc)
{
    __m512 sums[MICRO_ROWS][2];
    /* Every third row has a pointer of its own, the two between are one and two steps away: so few
     * address registers serve 12 rows. */
    const float *a0 = a, *a3 = a + 3 * row_step, *a6 = a + 6 * row_step, *a9 = a + 9 * row_step;
#pragma GCC unroll 12
    for (size_t i = 0; i < rows; i++)
        sums[i][0] = sums[i][1] = _mm512_setzero_ps();
    for (size_t t = 0; t < k; t++) {
        const __m512 b0 = _mm512_load_ps(panel), b1 = _mm512_load_ps(panel + 16);
        panel += LCAL__PANEL_COLS;
#pragma GCC unroll 12
        for (size_t i = 0; i < rows; i++) {
            const float *third = i < 3 ? a0 : i < 6 ? a3 : i < 9 ? a6 : a9;
            const __m512 x = _mm512_set1_ps(third[i % 3 * row_step]);
            sums[i][0] = _mm512_fmadd_ps(x, b0, sums[i][0]);
            sums[i][1] = _mm512_fmadd_ps(x, b1, sums[i][1]);
        }
        a0 += depth_step;
        a3 += depth_step;
        a6 += depth_step;
        a9 += depth_step;
    }
#pragma GCC unroll 2
    for (size_t half = 0; half < 2; half++) {
        const __mmask16 mask = lanes(n, half);
        const size_t at = half * 16;
        const __m512 constant = start->constant ? _mm512_maskz_loadu_ps(mask, start->constant + at)
                                                : _mm512_setzero_ps();
#pragma GCC unroll 12
        for (size_t i = 0; i < rows; i++) {
            __m512 y = _mm512_add_ps(sums[i][half], constant);
            if (start->rows)
                y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, start->rows + i * start->ld + at));
            _mm512_mask_storeu_ps(c + i * ldc + at, mask, y);
        }
    }
}

static void panel_product(const lcal__start *start, const float *a, size_t row_step,
                          size_t depth_step, const float *panel, size_t m, size_t n, size_t k,
                          float *c, size_t ldc)
{
    lcal__start at = *start;
    for (size_t i = 0; i < m; i += MICRO_ROWS) {
        switch (m - i) {
#define MICRO_CASE(rows)                                                                           \
    case rows:                                                                                     \
        micro_product(rows, &at, a, row_step, depth_step, panel, n, k, c, ldc);                    \
        break;
            MICRO_CASE(1)
            MICRO_CASE(2)
            MICRO_CASE(3)
            MICRO_CASE(4)
            MICRO_CASE(5)
            MICRO_CASE(6)
            MICRO_CASE(7)
            MICRO_CASE(8)
            MICRO_CASE(9)
            MICRO_CASE(10)
            MICRO_CASE(11)
#undef MICRO_CASE
        default:
            micro_product(MICRO_ROWS, &at, a, row_step, depth_step, panel, n, k, c, ldc);
        }
        a += MICRO_ROWS * row_step;
        c += MICRO_ROWS * ldc;
        if (at.rows)
            at.rows += MICRO_ROWS * at.ld;
    }
}

static void pack_rows(float *panel, const float *b, size_t ldb, size_t k, size_t n, __m512 alpha)
{
    const __mmask16 low = lanes(n, 0), high = lanes(n, 1);
    for (size_t t = 0; t < k; t++) {
        const __m512 x = _mm512_maskz_loadu_ps(low, b + t * ldb);
        const __m512 y = _mm512_maskz_loadu_ps(high, b + t * ldb + 16);
        _mm512_store_ps(panel + t * LCAL__PANEL_COLS, _mm512_mul_ps(alpha, x));
        _mm512_store_ps(panel + t * LCAL__PANEL_COLS + 16, _mm512_mul_ps(alpha, y));
    }
}

/* r[i] lane j becomes r[j] lane i, in four rounds of exchanges at distance 1, 2, 4 and 8. */
static inline void transpose16(__m512 r[16])
{
    __m512 t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            const __m512d x = _mm512_castps_pd(t[i + j]), y = _mm512_castps_pd(t[i + j + 2]);
            r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
            r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
        }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0xDD);
        t[8 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0xDD);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0x88);
        r[8 + i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0xDD);
        r[4 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0x88);
        r[12 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0xDD);
    }
}

static void pack_columns(float *panel, const float *b, size_t ldb, size_t k, size_t n, __m512 alpha)
{
    for (size_t half = 0; half < 2; half++)
        for (size_t t = 0; t < k; t += 16) {
            const __mmask16 mask = lanes(k - t, 0);
            __m512 r[16];
            for (size_t i = 0; i < 16; i++)
                r[i] = half * 16 + i < n
                           ? _mm512_maskz_loadu_ps(mask, b + (half * 16 + i) * ldb + t)
                           : _mm512_setzero_ps();
            transpose16(r);
            for (size_t i = 0; i < 16 && t + i < k; i++)
                _mm512_store_ps(panel + (t + i) * LCAL__PANEL_COLS + half * 16,
                                _mm512_mul_ps(alpha, r[i]));
        }
}

static void panel_pack(float *panel, bool transposed, const float *b, size_t ldb, size_t k,
                       size_t n, float alpha)
{
    const __m512 factor = _mm512_set1_ps(alpha);
    if (transposed)
        pack_columns(panel, b, ldb, k, n, factor);
    else
        pack_rows(panel, b, ldb, k, n, factor);
}

#define PANEL_KERNELS .panel_pack = panel_pack, .panel_product = panel_product,
#else
#define PANEL_KERNELS
#endif
