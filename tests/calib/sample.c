#include "calib/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

static void fill(lcal__params *params, lcal__store dtype, uint64_t seed)
{
    lcal__rng rng = {seed, 1, 0};
    for (size_t i = 0; i < params->total; i++) {
        float value = (float)(lcal__rng_normal(&rng) * 0.05);
        if (dtype == LCAL__STORE_F16)
            value = lcal__f32_from_f16(lcal__f16_from_f32(value));
        if (dtype == LCAL__STORE_BF16)
            value = lcal__f32_from_bf16(lcal__bf16_from_f32(value));
        params->values[i] = value;
    }
}

void sample_open(sample *s, const lcal__calib_spec *spec, const char *shape, lcal__store dtype,
                 uint64_t seed)
{
    static const float number;
    lcal_error err = {0};
    *s = (sample){.facts = {.spec = *spec, .seed = 7, .step = 120, .tokens = 1ull << 40}};
    assert_true(lcal__model_config_shape(shape, &s->facts.config));
    const size_t sites = s->facts.config.layers * LCAL__PROJ_COUNT;
    memset(s->facts.base_sha256, 'b', LCAL__SHA256_HEX - 1);
    s->facts.valid_loss = 1.0 / 3.0;
    s->facts.adapters = lcal__calloc(SAMPLE_ADAPTERS, sizeof(*s->facts.adapters));
    s->facts.adapter_count = SAMPLE_ADAPTERS;
    for (size_t a = 0; a < SAMPLE_ADAPTERS; a++) {
        s->facts.adapters[a].name = lcal__strdup(a ? "zwei \"\xC3\xBC\"\n" : "lora_a");
        s->facts.adapters[a].weight = (double)(a ? 0.7f : 1.0f);
        memset(s->facts.adapters[a].sha256, a ? '1' : 'a', LCAL__SHA256_HEX - 1);
        s->pairs[a] = lcal__calloc(sites, sizeof(*s->pairs[a]));
        for (size_t i = 0; i < sites; i++)
            if (a == 0
                || (i / LCAL__PROJ_COUNT % 2 == 1
                    && (i % LCAL__PROJ_COUNT == LCAL__Q || i % LCAL__PROJ_COUNT == LCAL__UP)))
                s->pairs[a][i].a = &number;
        s->adapters[a] = (lcal__adapter){.layers = s->facts.config.layers, .pairs = s->pairs[a]};
        s->uses[a].adapter = &s->adapters[a];
    }
    check(lcal__calib_layout(spec, &s->facts.config, s->uses, SAMPLE_ADAPTERS, &s->params, &err),
          &err);
    check(lcal__params_allocate(&s->params, &err), &err);
    fill(&s->params, dtype, seed);
}

void sample_close(sample *s)
{
    lcal__calib_facts_free(&s->facts);
    lcal__params_free(&s->params);
    for (size_t a = 0; a < SAMPLE_ADAPTERS; a++)
        lcal__free(s->pairs[a]);
}

void sample_save(const sample *s, bool safetensors, lcal__store dtype, const char *path)
{
    lcal_error err = {0};
    check(safetensors
              ? lcal__calib_save_safetensors(path, &s->facts, &s->params, s->params.values, dtype,
                                             &err)
              : lcal__calib_save_h5(path, &s->facts, &s->params, s->params.values, dtype, &err),
          &err);
}

void read_bytes(const char *path, unsigned char **bytes, size_t *size)
{
    lcal_error err = {0};
    check(lcal__file_read(path, SIZE_MAX - 1, bytes, size, &err), &err);
}
