/* Part of kernels.inc.c: exp and what is made of it. */

/*
 * e^x without a branch, 1 to 2 ulp (the reduction and polynomial of Cephes' expf): x = n ln 2 + r
 * with |r| <= ln(2)/2, ln 2 in two parts so that n times the first is exact. 2^n is applied in two
 * halves, so that results down to the smallest subnormal, and infinity, come out by rounding alone.
 * NaN fails both comparisons and goes through.
 */
static inline float exp_one(float x)
{
    const float round_to_int = 0x1.8p23f; /* adding it leaves the nearest integer in the low bits */
    x = x > 89.0f ? 89.0f : x;            /* infinity in f32 from 88.73 on */
    x = x < -104.0f ? -104.0f : x;        /* 0 in f32 from -103.98 on */
    float shifted = x * 0x1.715476p0f + round_to_int;
    float n = shifted - round_to_int;
    int32_t exponent = (int32_t)(bits_of(shifted) - bits_of(round_to_int));

    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;

    uint32_t half = (uint32_t)(exponent >> 1);
    uint32_t rest = (uint32_t)exponent - half;
    return p * float_of((half + 127u) << 23) * float_of((rest + 127u) << 23);
}

static float exp_sum(float *x, float factor, float shift, size_t n)
{
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (size_t i = 0; i < n; i++) {
        float y = exp_one(factor * x[i] - shift);
        x[i] = y;
        total += y;
    }
    return total;
}

/* For large -g the denominator is infinite and the result -0, never infinity over infinity. */
static void swiglu_forward(float *restrict y, const float *restrict g, const float *restrict u,
                           size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = g[i] / (1.0f + exp_one(-g[i])) * u[i];
}

static void swiglu_backward(float *dg, float *du, const float *dy, const float *g, const float *u,
                            size_t n)
{
    /* Places may be shared, but only at the same index. */
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float gate = g[i];
        float up = u[i];
        float dout = dy[i];
        float sigmoid = 1.0f / (1.0f + exp_one(-gate));
        dg[i] = dout * up * (sigmoid * (1.0f + gate * (1.0f - sigmoid)));
        du[i] = dout * (gate * sigmoid);
    }
}
