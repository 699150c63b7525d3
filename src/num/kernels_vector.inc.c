/* Part of kernels.inc.c: elementwise operations, reductions, widening. */

/*
 * result = the sum over i of `term`, an expression in i. Four sums run side by side over the four
 * quarters of the row: one alone would wait for its own additions. The order of the additions
 * depends on n only, never on where the row lies.
 */
#define SUM_OVER(type, result, n, term)                                                            \
    do {                                                                                           \
        const size_t quarter = (n) / 4;                                                            \
        type s0 = 0, s1 = 0, s2 = 0, s3 = 0;                                                       \
        _Pragma("omp simd reduction(+ : s0, s1, s2, s3)") for (size_t at = 0; at < quarter; at++)  \
        {                                                                                          \
            size_t i = at;                                                                         \
            s0 += (term);                                                                          \
            i += quarter;                                                                          \
            s1 += (term);                                                                          \
            i += quarter;                                                                          \
            s2 += (term);                                                                          \
            i += quarter;                                                                          \
            s3 += (term);                                                                          \
        }                                                                                          \
        type rest = 0;                                                                             \
        for (size_t i = 4 * quarter; i < (n); i++)                                                 \
            rest += (term);                                                                        \
        (result) = ((s0 + s1) + (s2 + s3)) + rest;                                                 \
    } while (0)

static inline uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void add(float *restrict y, const float *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void axpy(float *restrict y, float a, const float *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void scale(float *y, float a, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] *= a;
}

static void mul(float *restrict y, const float *restrict x, const float *restrict m, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * m[i];
}

static void mul_add(float *restrict y, const float *restrict a, const float *restrict b, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += a[i] * b[i];
}

static float sum(const float *x, size_t n)
{
    float total;
    SUM_OVER(float, total, n, x[i]);
    return total;
}

static float dot(const float *a, const float *b, size_t n)
{
    float total;
    SUM_OVER(float, total, n, a[i] * b[i]);
    return total;
}

static double sum_squares(const float *x, size_t n)
{
    double total;
    SUM_OVER(double, total, n, (double)x[i] * (double)x[i]);
    return total;
}

/* Order of floats as order of signed integers, its own inverse. Comparing integers vectorises
 * without a promise that there are no NaNs, and a positive NaN comes out as the largest. */
static inline int32_t ordered(int32_t bits)
{
    return bits ^ (int32_t)((uint32_t)(bits >> 31) & 0x7FFFFFFFu);
}

static float max(const float *x, size_t n)
{
    int32_t best = ordered((int32_t)0xFF800000u);
#pragma omp simd reduction(max : best)
    for (size_t i = 0; i < n; i++) {
        int32_t value = ordered((int32_t)bits_of(x[i]));
        best = value > best ? value : best;
    }
    return float_of((uint32_t)ordered(best));
}

static void rotate(float *x, const float *restrict c, const float *restrict s, float sign,
                   size_t half)
{
    float *restrict low = x;
    float *restrict high = x + half;
#pragma omp simd
    for (size_t i = 0; i < half; i++) {
        float a = low[i];
        float b = high[i];
        float turn = sign * s[i];
        low[i] = a * c[i] - b * turn;
        high[i] = b * c[i] + a * turn;
    }
}

static void widen_bf16(float *restrict dst, const uint16_t *restrict src, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dst[i] = float_of((uint32_t)src[i] << 16);
}

static void widen_f16(float *restrict dst, const uint16_t *restrict src, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        uint32_t half = src[i];
        uint32_t rest = half & 0x7FFFu;
        uint32_t normal = (rest << 13) + 0x38000000u;
        uint32_t special = 0x7F800000u | (rest & 0x3FFu) << 13;
        uint32_t subnormal = bits_of((float)(int32_t)rest * 0x1p-24f);
        uint32_t finite = rest < 0x400u ? subnormal : normal;
        uint32_t magnitude = rest >= 0x7C00u ? special : finite;
        dst[i] = float_of((half & 0x8000u) << 16 | magnitude);
    }
}
