/*
 * Part of kernels.inc.c: products of rows by rows, each element one dot product. Neither operand is
 * packed: a tile of some rows of A by four of B stays in registers while both pass along k, B
 * widened on the way. An element's sum runs in the same order in every tile (VEC_LANES partial
 * sums, then a fixed tree), so that it does not depend on the rows beside it.
 */
#define DOT_COLS 4
/* So many rows ahead B is asked for: four short rows side by side are no pattern that processors
 * foresee. Measured best or near it from 1 to 64 rows of A. */
#define DOT_AHEAD 16

/* Four results side by side. */
typedef float quad __attribute__((vector_size(16)));

static inline quad quad_zero(void)
{
    return (quad){0, 0, 0, 0};
}

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define DOT_ROWS 6
#define VEC_LANES 16
typedef __m512 vec;

static inline vec vec_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vec vec_load(const float *x)
{
    return _mm512_loadu_ps(x);
}

/* The first n < VEC_LANES of x, the others zero. */
static inline vec vec_load_first(const float *x, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), x);
}

static inline vec vec_mul_add(vec a, vec b, vec sum)
{
    return _mm512_fmadd_ps(a, b, sum);
}

static inline vec vec_widen_bf16(const uint16_t *x)
{
    const __m256i narrow = _mm256_loadu_si256((const __m256i *)(const void *)x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

static inline vec vec_widen_f16(const uint16_t *x)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)x));
}

/* (sum of a, of b, of c, of d) */
static inline quad vec_sums(vec a, vec b, vec c, vec d)
{
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512d abd = _mm512_castps_pd(ab), cdd = _mm512_castps_pd(cd);
    const __m512 all = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(abd, cdd)),
                                     _mm512_castpd_ps(_mm512_unpackhi_pd(abd, cdd)));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
#elif defined(__AVX2__)
#define DOT_ROWS 3
#define VEC_LANES 8
typedef __m256 vec;

static inline vec vec_zero(void)
{
    return _mm256_setzero_ps();
}

static inline vec vec_load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline vec vec_load_first(const float *x, size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(x, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane));
}

static inline vec vec_mul_add(vec a, vec b, vec sum)
{
    return _mm256_fmadd_ps(a, b, sum);
}

static inline vec vec_widen_bf16(const uint16_t *x)
{
    const __m128i narrow = _mm_loadu_si128((const __m128i *)(const void *)x);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
}

static inline vec vec_widen_f16(const uint16_t *x)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)x));
}

static inline quad vec_sums(vec a, vec b, vec c, vec d)
{
    const __m256 all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
}
#else
#define DOT_ROWS 3
#define VEC_LANES 4
typedef quad vec;

static inline vec vec_zero(void)
{
    return quad_zero();
}

static inline vec vec_load(const float *x)
{
    vec loaded;
    memcpy(&loaded, x, sizeof(loaded));
    return loaded;
}

static inline vec vec_load_first(const float *x, size_t n)
{
    vec loaded = vec_zero();
    for (size_t i = 0; i < n; i++)
        loaded[i] = x[i];
    return loaded;
}

static inline vec vec_mul_add(vec a, vec b, vec sum)
{
    return a * b + sum;
}

static inline vec vec_widen_bf16(const uint16_t *x)
{
    float wide[VEC_LANES];
    widen_bf16(wide, x, VEC_LANES);
    return vec_load(wide);
}

static inline vec vec_widen_f16(const uint16_t *x)
{
    float wide[VEC_LANES];
    widen_f16(wide, x, VEC_LANES);
    return vec_load(wide);
}
static inline quad vec_sums(vec a, vec b, vec c, vec d)
{
    return (quad){a[0], b[0], c[0], d[0]} + (quad){a[1], b[1], c[1], d[1]}
           + ((quad){a[2], b[2], c[2], d[2]} + (quad){a[3], b[3], c[3], d[3]});
}
#endif

static inline size_t dot_size(lcal__dtype dtype)
{
    return dtype == LCAL__F32 ? sizeof(float) : sizeof(uint16_t);
}

/* VEC_LANES elements of a row of B from `at` on. dtype is a constant wherever this is called. */
static inline __attribute__((always_inline)) vec dot_load(lcal__dtype dtype, const char *row,
                                                          size_t at)
{
    const void *x = row + at * dot_size(dtype);
    return dtype == LCAL__F32    ? vec_load(x)
           : dtype == LCAL__BF16 ? vec_widen_bf16(x)
                                 : vec_widen_f16(x);
}

/* The same where only n < VEC_LANES are there, zeros after them. */
static inline __attribute__((always_inline)) vec dot_load_first(lcal__dtype dtype, const char *row,
                                                                size_t at, size_t n)
{
    uint16_t narrow[VEC_LANES] = {0};
    if (dtype == LCAL__F32)
        return vec_load_first((const float *)(const void *)row + at, n);
    for (size_t i = 0; i < n; i++)
        narrow[i] = ((const uint16_t *)(const void *)row)[at + i];
    return dtype == LCAL__BF16 ? vec_widen_bf16(narrow) : vec_widen_f16(narrow);
}

static inline quad quad_load(const float *x, size_t n)
{
    quad loaded = quad_zero();
    if (n == DOT_COLS)
        memcpy(&loaded, x, sizeof(loaded));
    else
        for (size_t i = 0; i < n; i++)
            loaded[i] = x[i];
    return loaded;
}

static inline void quad_store(quad stored, float *x, size_t n)
{
    if (n == DOT_COLS)
        memcpy(x, &stored, sizeof(stored));
    else
        for (size_t i = 0; i < n; i++)
            x[i] = stored[i];
}

/* One tile: n <= DOT_COLS rows of b. rows and dtype are constants wherever this is called, so that
 * every loop over rows unrolls into registers. */
static inline __attribute__((always_inline)) void
dot_tile(size_t rows, lcal__dtype dtype, const lcal__start *start, float alpha, const float *a,
         size_t lda, const char *b, size_t ldb, size_t n, size_t k, float *c, size_t ldc)
{
    vec sums[DOT_ROWS][DOT_COLS];
    const size_t step = ldb * dot_size(dtype), ahead = DOT_AHEAD * step;
    /* Where rows of b are missing the last is taken again, and what comes of it not stored. */
    const char *b0 = b, *b1 = b + (n > 1 ? 1 : 0) * step;
    const char *b2 = b + (n > 2 ? 2 : n - 1) * step, *b3 = b + (n - 1) * step;
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++)
        sums[i][0] = sums[i][1] = sums[i][2] = sums[i][3] = vec_zero();
    size_t t = 0;
    for (; t + VEC_LANES <= k; t += VEC_LANES) {
        const vec y0 = dot_load(dtype, b0, t), y1 = dot_load(dtype, b1, t);
        const vec y2 = dot_load(dtype, b2, t), y3 = dot_load(dtype, b3, t);
        const size_t soon = ahead + t * dot_size(dtype);
        __builtin_prefetch(b0 + soon, 0, 2);
        __builtin_prefetch(b1 + soon, 0, 2);
        __builtin_prefetch(b2 + soon, 0, 2);
        __builtin_prefetch(b3 + soon, 0, 2);
#pragma GCC unroll 8
        for (size_t i = 0; i < rows; i++) {
            const vec x = vec_load(a + i * lda + t);
            sums[i][0] = vec_mul_add(x, y0, sums[i][0]);
            sums[i][1] = vec_mul_add(x, y1, sums[i][1]);
            sums[i][2] = vec_mul_add(x, y2, sums[i][2]);
            sums[i][3] = vec_mul_add(x, y3, sums[i][3]);
        }
    }
    if (t < k) {
        const size_t left = k - t;
        const vec y0 = dot_load_first(dtype, b0, t, left), y1 = dot_load_first(dtype, b1, t, left);
        const vec y2 = dot_load_first(dtype, b2, t, left), y3 = dot_load_first(dtype, b3, t, left);
#pragma GCC unroll 8
        for (size_t i = 0; i < rows; i++) {
            const vec x = vec_load_first(a + i * lda + t, left);
            sums[i][0] = vec_mul_add(x, y0, sums[i][0]);
            sums[i][1] = vec_mul_add(x, y1, sums[i][1]);
            sums[i][2] = vec_mul_add(x, y2, sums[i][2]);
            sums[i][3] = vec_mul_add(x, y3, sums[i][3]);
        }
    }
    const quad factor = {alpha, alpha, alpha, alpha};
    const quad constant = start->constant ? quad_load(start->constant, n) : quad_zero();
#pragma GCC unroll 8
    for (size_t i = 0; i < rows; i++) {
        quad y = factor * vec_sums(sums[i][0], sums[i][1], sums[i][2], sums[i][3]) + constant;
        if (start->rows)
            y += quad_load(start->rows + i * start->ld, n);
        quad_store(y, c + i * ldc, n);
    }
}

/* As dot_tile, for any n: some rows of a against all of b. */
static inline __attribute__((always_inline)) void
dot_rows(size_t rows, lcal__dtype dtype, const lcal__start *start, float alpha, const float *a,
         size_t lda, const char *b, size_t ldb, size_t n, size_t k, float *c, size_t ldc)
{
    lcal__start at = *start;
    for (size_t j = 0; j < n; j += DOT_COLS) {
        const size_t cols = n - j < DOT_COLS ? n - j : DOT_COLS;
        dot_tile(rows, dtype, &at, alpha, a, lda, b + j * ldb * dot_size(dtype), ldb, cols, k,
                 c + j, ldc);
        if (at.constant)
            at.constant += DOT_COLS;
        if (at.rows)
            at.rows += DOT_COLS;
    }
}

static inline __attribute__((always_inline)) void
dots_of(lcal__dtype dtype, const lcal__start *start, float alpha, const float *a, size_t lda,
        const char *b, size_t ldb, size_t m, size_t n, size_t k, float *c, size_t ldc)
{
    lcal__start at = *start;
    /* Tiles of nearly equal heights: a last one of a single row would hardly use its registers. */
    for (size_t tiles = (m + DOT_ROWS - 1) / DOT_ROWS; tiles > 0; tiles--) {
        const size_t rows = (m + tiles - 1) / tiles;
        switch (rows) {
#define DOT_CASE(count)                                                                            \
    case count:                                                                                    \
        dot_rows(count, dtype, &at, alpha, a, lda, b, ldb, n, k, c, ldc);                          \
        break;
            DOT_CASE(1)
            DOT_CASE(2)
            DOT_CASE(3)
#if DOT_ROWS > 3
            DOT_CASE(4)
            DOT_CASE(5)
            DOT_CASE(6)
#endif
#undef DOT_CASE
        }
        m -= rows;
        a += rows * lda;
        c += rows * ldc;
        if (at.rows)
            at.rows += rows * at.ld;
    }
}

static void dots(const lcal__start *start, float alpha, const float *a, size_t lda, const void *b,
                 lcal__dtype dtype, size_t ldb, size_t m, size_t n, size_t k, float *c, size_t ldc)
{
    if (dtype == LCAL__F32)
        dots_of(LCAL__F32, start, alpha, a, lda, b, ldb, m, n, k, c, ldc);
    else if (dtype == LCAL__BF16)
        dots_of(LCAL__BF16, start, alpha, a, lda, b, ldb, m, n, k, c, ldc);
    else
        dots_of(LCAL__F16, start, alpha, a, lda, b, ldb, m, n, k, c, ldc);
}
