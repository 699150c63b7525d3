/*
 * The engine against references computed in double precision with another program: losses,
 * gradients of every kind of trained set, and 20 AdamW steps, for four models.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "golden/fixture.h"

#define GRADIENT_BAR 2e-5
#define LOSS_BAR 1e-5
#define TRAJECTORY_BAR 2e-5
#define FINAL_BAR 1e-3

static const json_t *case_of(const fixture *f, const char *name)
{
    return json_object_get(json_object_get(f->golden, "cases"), name);
}

static void assert_loss(const fixture *f, const char *name, double loss)
{
    double expected = json_number_value(json_object_get(case_of(f, name), "loss"));
    if (!(fabs(loss - expected) <= LOSS_BAR * fabs(expected)))
        fail_msg("%s, %s: loss %.9g, expected %.9g", f->name, name, loss, expected);
}

/* The reference's name of one of our tensors. */
typedef void rename_fn(const fixture *f, const char *ours, char *theirs, size_t size);

static void rename_bias(const fixture *f, const char *ours, char *theirs, size_t size)
{
    (void)f;
    snprintf(theirs, size, "%.*s.bias", (int)strcspn(ours, "."), ours);
}

static void rename_update(const fixture *f, const char *ours, char *theirs, size_t size)
{
    (void)f;
    snprintf(theirs, size, "%.*s.update", (int)strcspn(ours, "."), ours);
}

static void rename_same(const fixture *f, const char *ours, char *theirs, size_t size)
{
    (void)f;
    snprintf(theirs, size, "%s", ours);
}

/* "layers.3.q_proj.A" in its pieces. */
static void split(const char *ours, size_t *layer, lcal__proj *proj, char leaf[8])
{
    char name[32];
    assert_int_equal(sscanf(ours, "layers.%zu.%31[a-z_].%7s", layer, name, leaf), 3);
    assert_true(lcal__proj_from_name(name, proj));
}

static void rename_lora(const fixture *f, const char *ours, char *theirs, size_t size)
{
    size_t layer;
    lcal__proj proj;
    char leaf[8];
    (void)f;
    split(ours, &layer, &proj, leaf);
    snprintf(theirs, size, "base_model.model.model.layers.%zu.%s.lora_%s.weight", layer,
             lcal__proj_module(proj), leaf);
}

static void rename_columns(const fixture *f, const char *ours, char *theirs, size_t size)
{
    size_t adapter, layer;
    lcal__proj proj;
    char leaf[8];
    int skip;
    (void)f;
    assert_int_equal(sscanf(ours, "adapters.%zu.%n", &adapter, &skip), 1);
    split(ours + skip, &layer, &proj, leaf);
    snprintf(theirs, size, "%zu.model.layers.%zu.%s", adapter, layer, lcal__proj_module(proj));
}

static void load_values(rig *r, const char *file, rename_fn *rename)
{
    vectors v;
    vectors_open(&v, r->fixture->name, file);
    lcal__params *params = &r->assembly.params;
    assert_int_equal(params->count, v.file.count);
    for (size_t i = 0; i < params->count; i++) {
        char theirs[256];
        rename(r->fixture, params->items[i].name, theirs, sizeof(theirs));
        const lcal__tensor *tensor = lcal__safetensors_find(&v.file, theirs);
        if (!tensor)
            fail_msg("no reference %s", theirs);
        assert_int_equal(tensor->elements, params->items[i].rows * params->items[i].cols);
        lcal__convert_to_f32(tensor->dtype, tensor->data, params->values + params->items[i].offset,
                             tensor->elements);
    }
    vectors_close(&v);
}

/* Every tensor of our block against a file; `skip` (NULL: none) is not compared. */
static void compare(const rig *r, const float *block, const char *file, rename_fn *rename,
                    double bar, const char *skip)
{
    vectors v;
    double worst = 0;
    vectors_open(&v, r->fixture->name, file);
    const lcal__params *params = &r->assembly.params;
    assert_int_equal(params->count, v.file.count);
    for (size_t i = 0; i < params->count; i++) {
        char theirs[256];
        rename(r->fixture, params->items[i].name, theirs, sizeof(theirs));
        const lcal__tensor *tensor = lcal__safetensors_find(&v.file, theirs);
        if (!tensor)
            fail_msg("no reference %s", theirs);
        if (skip && strstr(theirs, skip))
            continue;
        double error = relative_error(block + params->items[i].offset, tensor);
        worst = error > worst ? error : worst;
        if (!(error <= bar))
            fail_msg("%s, %s: %s: relative error %.3g, bar %.1g", r->fixture->name, file, theirs,
                     error, bar);
    }
    print_message("    %-14s %-18s worst of %2zu tensors: %.2g\n", r->fixture->name, file,
                  params->count, worst);
    vectors_close(&v);
}

/* PyTorch's AdamW after clipping to the global norm, by the library's kernel. */
static void adamw_step(rig *r, const json_t *hyper, float *m, float *v, int step)
{
    lcal__params *params = &r->assembly.params;
    const lcal__kernels *k = r->exec.kernels;
    double clip = json_number_value(json_object_get(hyper, "clip_norm"));
    double beta1 = json_number_value(json_object_get(hyper, "beta1"));
    double beta2 = json_number_value(json_object_get(hyper, "beta2"));
    double norm = sqrt(k->sum_squares(params->grads, params->total));
    double factor = fmin(1.0, clip / (norm + 1e-6));
    k->adamw(params->values, m, v, params->grads, (float)factor,
             (float)json_number_value(json_object_get(hyper, "lr")), (float)beta1, (float)beta2,
             (float)json_number_value(json_object_get(hyper, "eps")),
             (float)json_number_value(json_object_get(hyper, "weight_decay")),
             (float)(1 - pow(beta1, step)), (float)(1 - pow(beta2, step)), params->total);
}

/* 20 steps; afterwards the block holds the final values. */
static void follow_trajectory(rig *r, const char *name)
{
    const json_t *golden = case_of(r->fixture, name);
    const json_t *losses = json_object_get(golden, "loss_20_steps");
    size_t total = r->assembly.params.total;
    float *moments = test_calloc(2 * total, sizeof(float));
    double worst = 0;
    for (size_t step = 0; step < json_array_size(losses); step++) {
        double loss = rig_step(r), expected = json_number_value(json_array_get(losses, step));
        double error = fabs(loss - expected) / fabs(expected);
        worst = error > worst ? error : worst;
        if (!(error <= TRAJECTORY_BAR))
            fail_msg("%s, %s: loss at step %zu is %.9g, expected %.9g", r->fixture->name, name,
                     step, loss, expected);
        adamw_step(r, json_object_get(golden, "adamw"), moments, moments + total, (int)step + 1);
    }
    print_message("    %-14s %-18s worst of %zu losses: %.2g\n", r->fixture->name, name,
                  json_array_size(losses), worst);
    test_free(moments);
}

typedef struct calibration_case {
    const char *name;
    lcal__calib_spec spec;
    rename_fn *rename;
    const char *skip_final;
} calibration_case;

#define ALL 0x7F

static const calibration_case calibrations[] = {
    /* A bias on k hardly moves a softmax: Adam turns the rounding of its gradient into steps. */
    {"output",
     {LCAL__METHOD_LC, LCAL__FORM_OUTPUT, .scale = 1, .targets = ALL},
     rename_bias,
     "k_proj"},
    {"broadcast",
     {LCAL__METHOD_LC, LCAL__FORM_BROADCAST, .scale = 1, .targets = ALL},
     rename_update,
     NULL},
    {"lowrank", {LCAL__METHOD_LCPP, .rank = 4, .scale = 1, .targets = ALL}, rename_same, NULL},
};

static void check_calibration(const fixture *f, const calibration_case *c, lcal__memory memory,
                              size_t recompute, bool trajectory)
{
    rig r;
    char file[64];
    rig_open(&r, f, &c->spec, f->uses, 2, memory, recompute, 2);
    snprintf(file, sizeof(file), "%s.init", c->name);
    load_values(&r, file, c->rename);
    assert_loss(f, c->name, rig_step(&r));
    snprintf(file, sizeof(file), "%s.grad", c->name);
    compare(&r, r.assembly.params.grads, file, c->rename, GRADIENT_BAR, NULL);
    if (trajectory) {
        follow_trajectory(&r, c->name);
        snprintf(file, sizeof(file), "%s.final20", c->name);
        compare(&r, r.assembly.params.values, file, c->rename, FINAL_BAR, c->skip_final);
    }
    rig_close(&r);
}

static void test_calibrations(void **state)
{
    (void)state;
    for (int m = 0; m < FIXTURE_MODELS; m++) {
        fixture f;
        fixture_open(&f, fixture_names[m]);
        for (size_t c = 0; c < sizeof(calibrations) / sizeof(calibrations[0]); c++)
            check_calibration(&f, &calibrations[c], LCAL__MEMORY_FAST, 0, true);
        fixture_close(&f);
    }
}

/* Adapters kept factored, and blocks recomputed: other roads to the same numbers. */
static void test_low_memory(void **state)
{
    (void)state;
    for (int m = 0; m < FIXTURE_MODELS; m++) {
        fixture f;
        fixture_open(&f, fixture_names[m]);
        for (size_t c = 0; c < sizeof(calibrations) / sizeof(calibrations[0]); c++)
            check_calibration(&f, &calibrations[c], LCAL__MEMORY_LOW, f.model.config.layers, false);
        fixture_close(&f);
    }
}

static void test_lora(void **state)
{
    (void)state;
    for (int m = 0; m < FIXTURE_MODELS; m++) {
        fixture f;
        rig r;
        fixture_open(&f, fixture_names[m]);
        lcal__calib_spec spec = {.method = LCAL__METHOD_LORA};
        for (int p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__lora_pair *pair = lcal__adapter_pair(&f.adapters[1], 0, p);
            if (!pair->a)
                continue;
            spec.targets |= 1u << p;
            spec.rank = pair->rank;
            spec.scale = pair->scale;
        }
        rig_open(&r, &f, &spec, NULL, 0, LCAL__MEMORY_FAST, 1, 2);
        for (size_t i = 0; i < r.assembly.params.count; i++) {
            const lcal__param *param = &r.assembly.params.items[i];
            size_t layer;
            lcal__proj proj;
            char leaf[8];
            split(param->name, &layer, &proj, leaf);
            const lcal__lora_pair *pair = lcal__adapter_pair(&f.adapters[1], layer, proj);
            memcpy(r.assembly.params.values + param->offset, leaf[0] == 'A' ? pair->a : pair->b,
                   param->rows * param->cols * sizeof(float));
        }
        assert_loss(&f, "lora_b_alone", rig_step(&r));
        compare(&r, r.assembly.params.grads, "lora_b.grad", rename_lora, GRADIENT_BAR, NULL);
        rig_close(&r);
        fixture_close(&f);
    }
}

static void test_columns(void **state)
{
    (void)state;
    for (int m = 0; m < FIXTURE_MODELS; m++) {
        fixture f;
        rig r;
        fixture_open(&f, fixture_names[m]);
        lcal__calib_spec spec = {.method = LCAL__METHOD_COLUMNS, .scale = 1, .targets = ALL};
        rig_open(&r, &f, &spec, f.uses, 2, LCAL__MEMORY_FAST, 0, 2);
        load_values(&r, "columns.init", rename_columns);
        assert_loss(&f, "columns", rig_step(&r));
        compare(&r, r.assembly.params.grads, "columns.grad", rename_columns, GRADIENT_BAR, NULL);
        rig_close(&r);
        fixture_close(&f);
    }
}

static void test_base(void **state)
{
    (void)state;
    for (int m = 0; m < FIXTURE_MODELS; m++) {
        fixture f;
        rig r;
        fixture_open(&f, fixture_names[m]);
        lcal__calib_spec spec = {.method = LCAL__METHOD_BASE};
        rig_open(&r, &f, &spec, NULL, 0, LCAL__MEMORY_FAST, 2, 2);
        assert_loss(&f, "base", rig_step(&r));
        compare(&r, r.assembly.params.grads, "base.grad", rename_same, GRADIENT_BAR, NULL);
        rig_close(&r);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calibrations), cmocka_unit_test(test_low_memory),
        cmocka_unit_test(test_lora),         cmocka_unit_test(test_columns),
        cmocka_unit_test(test_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
