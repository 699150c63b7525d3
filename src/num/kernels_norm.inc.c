/* Part of kernels.inc.c: RMSNorm and LayerNorm of one row, forward beside backward. */

static float rms_forward(float *restrict y, const float *restrict x, const float *restrict w,
                         float eps, size_t n)
{
    float rstd = 1.0f / sqrtf(dot(x, x, n) / (float)n + eps);
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * rstd * w[i];
    return rstd;
}

static void rms_backward(float *restrict dx, const float *restrict dy, const float *restrict x,
                         const float *restrict w, float rstd, int add_to, size_t n)
{
    float along; /* of g and x */
    SUM_OVER(float, along, n, w[i] * dy[i] * x[i]);
    float pull = along * rstd * rstd / (float)n;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float grad = rstd * (w[i] * dy[i] - x[i] * pull);
        dx[i] = add_to ? dx[i] + grad : grad;
    }
}

static void layer_forward(float *restrict y, const float *restrict x, const float *restrict w,
                          const float *restrict b, float eps, float stats[2], size_t n)
{
    float mean = sum(x, n) / (float)n;
    float squares;
    SUM_OVER(float, squares, n, (x[i] - mean) * (x[i] - mean));
    float rstd = 1.0f / sqrtf(squares / (float)n + eps);
    stats[0] = mean;
    stats[1] = rstd;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * rstd * w[i];
    if (b != NULL)
        add(y, b, n);
}

static void layer_backward(float *restrict dx, const float *restrict dy, const float *restrict x,
                           const float *restrict w, const float stats[2], int add_to, size_t n)
{
    float mean = stats[0];
    float rstd = stats[1];
    float level; /* mean of g */
    float along; /* mean of g xhat */
    SUM_OVER(float, level, n, w[i] * dy[i]);
    SUM_OVER(float, along, n, w[i] * dy[i] * (x[i] - mean));
    level /= (float)n;
    along *= rstd / (float)n;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float normed = (x[i] - mean) * rstd;
        float grad = rstd * (w[i] * dy[i] - level - normed * along);
        dx[i] = add_to ? dx[i] + grad : grad;
    }
}
