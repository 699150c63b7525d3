/* Part of kernels.inc.c: the optimiser's step. */

static void adamw(float *restrict w, float *restrict m, float *restrict v, const float *restrict g,
                  float g_scale, float lr, double beta1, double beta2, float eps, float decay,
                  float correction1, float correction2, size_t n)
{
    const float keep1 = (float)beta1;
    const float keep2 = (float)beta2;
    const float take1 = (float)(1.0 - beta1);
    const float take2 = (float)(1.0 - beta2);
    const float step = lr / correction1;
    const float shrink = lr * decay;
    const float root_scale = 1.0f / sqrtf(correction2);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float grad = g[i] * g_scale;
        float first = keep1 * m[i] + take1 * grad;
        float second = keep2 * v[i] + take2 * (grad * grad);
        m[i] = first;
        v[i] = second;
        float move = step * first / (sqrtf(second) * root_scale + eps);
        w[i] -= move + shrink * w[i]; /* decay and step both from the old w */
    }
}
