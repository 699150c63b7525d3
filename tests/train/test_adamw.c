/* AdamW against PyTorch's formula in double, and a case that can be done by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/adamw.h"

#define TOTAL 40009 /* three blocks, the last one short */

static void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

/* The first step of Adam moves by lr whatever the gradient is, the second too if it stays. */
static void test_by_hand(void **state)
{
    (void)state;
    lcal__adamw adamw;
    lcal_error err = {0};
    const lcal__exec exec = lcal__exec_init(1);
    const float grads[3] = {0.5f, -4.0f, 0.0f};
    float values[3] = {1.0f, -1.0f, 2.0f};
    lcal__adamw_rates rates = {
        .lr = 0.125, .beta1 = 0.9, .beta2 = 0.999, .eps = 0, .scale = 1, .time = 1};
    check(lcal__adamw_init(&adamw, 2, &err), &err);
    for (; rates.time <= 2; rates.time++)
        lcal__adamw_step(&adamw, &exec, &rates, values, grads);
    assert_true(fabsf(values[0] - 0.75f) < 1e-6f && fabsf(values[1] + 0.75f) < 1e-6f);
    assert_true(fabsf(adamw.m[0] - 0.095f) < 1e-7f);            /* 0.5 (1 - 0.9^2) */
    assert_true(fabsf(adamw.v[1] - 16.0f * 0.001999f) < 1e-6f); /* 16 (1 - 0.999^2) */
    assert_true(values[2] == 2.0f);                             /* beyond the block */
    lcal__adamw_free(&adamw);

    /* No gradient: nothing but the decay, 1 - 0.125 * 0.5. */
    check(lcal__adamw_init(&adamw, 1, &err), &err);
    rates = (lcal__adamw_rates){.lr = 0.125,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .eps = 1e-8,
                                .weight_decay = 0.5,
                                .scale = 1,
                                .time = 1};
    lcal__adamw_step(&adamw, &exec, &rates, values + 2, grads + 2);
    assert_true(values[2] == 1.875f);
    lcal__adamw_free(&adamw);
}

typedef struct reference {
    double *w, *m, *v;
} reference;

/* torch.optim.AdamW, in double: decay first, then the step of the decayed value. */
static void reference_step(reference *r, const float *g, const lcal__adamw_rates *rates)
{
    const double t = (double)rates->time;
    for (size_t i = 0; i < TOTAL; i++) {
        double grad = g[i] * rates->scale;
        r->w[i] *= 1 - rates->lr * rates->weight_decay;
        r->m[i] = rates->beta1 * r->m[i] + (1 - rates->beta1) * grad;
        r->v[i] = rates->beta2 * r->v[i] + (1 - rates->beta2) * grad * grad;
        double root = sqrt(r->v[i]) / sqrt(1 - pow(rates->beta2, t)) + rates->eps;
        r->w[i] -= rates->lr / (1 - pow(rates->beta1, t)) * r->m[i] / root;
    }
}

static void draw(float *out, uint64_t stream, double spread)
{
    lcal__rng rng = {4, stream, 0};
    for (size_t i = 0; i < TOTAL; i++)
        out[i] = (float)(spread * lcal__rng_normal(&rng));
}

static void test_against_double(void **state)
{
    (void)state;
    float *values = lcal__alloc_aligned(TOTAL, sizeof(float));
    float *grads = lcal__alloc_aligned(TOTAL, sizeof(float));
    reference r = {lcal__calloc(TOTAL, sizeof(double)), lcal__calloc(TOTAL, sizeof(double)),
                   lcal__calloc(TOTAL, sizeof(double))};
    lcal__adamw adamw;
    lcal_error err = {0};
    const lcal__exec exec = lcal__exec_init(2);
    check(lcal__adamw_init(&adamw, TOTAL, &err), &err);
    draw(values, 0, 1.0);
    for (size_t i = 0; i < TOTAL; i++)
        r.w[i] = values[i];
    for (uint64_t t = 1; t <= 25; t++) {
        const lcal__adamw_rates rates = {.lr = 0.01 * (double)t,
                                         .beta1 = 0.9,
                                         .beta2 = 0.95,
                                         .eps = 1e-8,
                                         .weight_decay = 0.1,
                                         .scale = 1.0 / (double)t,
                                         .time = t};
        draw(grads, t, 0.1);
        lcal__adamw_step(&adamw, &exec, &rates, values, grads);
        reference_step(&r, grads, &rates);
    }
    double difference = 0, norm = 0;
    for (size_t i = 0; i < TOTAL; i++) {
        difference += (values[i] - r.w[i]) * (values[i] - r.w[i]);
        norm += r.w[i] * r.w[i];
    }
    assert_true(sqrt(difference / norm) < 5e-7);
    lcal__adamw_free(&adamw);
    lcal__free(values);
    lcal__free(grads);
    lcal__free(r.w);
    lcal__free(r.m);
    lcal__free(r.v);
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    float *values[2], *grads = lcal__alloc_aligned(TOTAL, sizeof(float));
    double norms[2];
    for (size_t run = 0; run < 2; run++) {
        const lcal__exec exec = lcal__exec_init(run ? 4 : 1);
        lcal__adamw adamw;
        lcal_error err = {0};
        values[run] = lcal__alloc_aligned(TOTAL, sizeof(float));
        draw(values[run], 0, 1.0);
        draw(grads, 1, 1.0);
        check(lcal__adamw_init(&adamw, TOTAL, &err), &err);
        norms[run] = lcal__adamw_norm(&adamw, &exec, grads);
        const lcal__adamw_rates rates = {
            .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .scale = 0.3, .time = 1};
        lcal__adamw_step(&adamw, &exec, &rates, values[run], grads);
        lcal__adamw_free(&adamw);
    }
    assert_memory_equal(values[0], values[1], TOTAL * sizeof(float));
    assert_memory_equal(&norms[0], &norms[1], sizeof(double));
    lcal__free(values[0]);
    lcal__free(values[1]);
    lcal__free(grads);
}

static void test_norm_and_clipping(void **state)
{
    (void)state;
    float *grads = lcal__alloc_aligned(TOTAL, sizeof(float));
    lcal__adamw adamw;
    lcal_error err = {0};
    const lcal__exec exec = lcal__exec_init(2);
    double sum = 0;
    check(lcal__adamw_init(&adamw, TOTAL, &err), &err);
    draw(grads, 2, 3.0);
    for (size_t i = 0; i < TOTAL; i++)
        sum += (double)grads[i] * grads[i];
    assert_true(fabs(lcal__adamw_norm(&adamw, &exec, grads) / sqrt(sum) - 1) < 1e-12);
    memset(grads, 0, TOTAL * sizeof(float));
    assert_true(lcal__adamw_norm(&adamw, &exec, grads) == 0.0);
    grads[TOTAL - 1] = 3e38f; /* its square is beyond f32 */
    assert_true(fabs(lcal__adamw_norm(&adamw, &exec, grads) / 3e38 - 1) < 1e-6);
    grads[17] = NAN;
    assert_true(isnan(lcal__adamw_norm(&adamw, &exec, grads)));
    lcal__adamw_free(&adamw);
    lcal__free(grads);

    assert_true(lcal__clip_factor(0.5, 1.0) == 1.0);
    assert_true(lcal__clip_factor(4.0, 1.0) == 1.0 / (4.0 + 1e-6));
    assert_true(lcal__clip_factor(0.0, 1.0) == 1.0);
    assert_true(lcal__clip_factor(1e30, 0.0) == 1.0); /* 0: no clipping */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_against_double),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_norm_and_clipping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
