#include "golden/fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

const char *const fixture_names[FIXTURE_MODELS] = {"stories260K", "tiny-llama3", "tiny-qwen2",
                                                   "tiny-stablelm2"};

#define OK(call)                                                                                   \
    do {                                                                                           \
        lcal_error err_ = {0};                                                                     \
        lcal_error *err = &err_;                                                                   \
        if ((call) != LCAL_OK)                                                                     \
            fail_msg("%s: %s", #call, err_.message);                                               \
    } while (0)

const char *fixture_path(const char *format, ...)
{
    static char path[4096];
    const char *root = getenv("LCAL_TEST_SOURCE");
    int head = snprintf(path, sizeof(path), "%s/golden/", root ? root : "tests");
    va_list args;
    va_start(args, format);
    vsnprintf(path + head, sizeof(path) - (size_t)head, format, args);
    va_end(args);
    return path;
}

void vectors_open(vectors *v, const char *model, const char *name)
{
    const char *path = fixture_path("vectors/%s/%s.safetensors", model, name);
    OK(lcal__map_open(path, &v->map, err));
    OK(lcal__safetensors_parse(v->map.data, v->map.size, path, &v->file, err));
}

void vectors_close(vectors *v)
{
    lcal__safetensors_free(&v->file);
    lcal__map_close(&v->map);
}

static void read_batch(fixture *f)
{
    vectors v;
    vectors_open(&v, f->name, "batch");
    const lcal__tensor *ids = lcal__safetensors_find(&v.file, "input_ids");
    const lcal__tensor *labels = lcal__safetensors_find(&v.file, "labels");
    const json_t *lengths = json_object_get(f->golden, "seq_len");
    size_t width = ids->shape[1];
    OK(lcal__batch_init(&f->batch, ids->elements, ids->shape[0], err));
    for (size_t d = 0; d < ids->shape[0]; d++) {
        int32_t id[64], label[64];
        size_t length = (size_t)json_integer_value(json_array_get(lengths, d));
        assert_true(length <= width && width <= 64);
        for (size_t t = 0; t < length; t++) {
            int64_t value;
            memcpy(&value, ids->data + (d * width + t) * 8, 8);
            id[t] = (int32_t)value;
            memcpy(&value, labels->data + (d * width + t) * 8, 8);
            label[t] = t ? (int32_t)value : LCAL__LABEL_IGNORE;
        }
        lcal__batch_add(&f->batch, &(lcal__example){.ids = id, .labels = label, .length = length},
                        false);
    }
    vectors_close(&v);
}

void fixture_open(fixture *f, const char *name)
{
    *f = (fixture){.name = name};
    OK(lcal__json_read_object(fixture_path("vectors/%s/golden.json", name), &f->golden, err));
    OK(lcal__model_open(fixture_path("models/%s", name), NULL, &f->model, err));
    for (int i = 0; i < 2; i++) {
        OK(lcal__adapter_open(fixture_path("models/%s/lora_%c", name, 'a' + i), &f->model.config,
                              NULL, &f->adapters[i], err));
        f->uses[i] = (lcal__adapter_use){&f->adapters[i], 1.0f};
    }
    read_batch(f);
}

void fixture_close(fixture *f)
{
    lcal__batch_free(&f->batch);
    for (int i = 0; i < 2; i++)
        lcal__adapter_close(&f->adapters[i]);
    lcal__model_close(&f->model);
    json_decref(f->golden);
}

void rig_open(rig *r, const fixture *f, const lcal__calib_spec *spec, const lcal__adapter_use *uses,
              size_t count, lcal__memory memory, size_t recompute_blocks, size_t threads)
{
    *r = (rig){.fixture = f, .exec = lcal__exec_init(threads), .spec = *spec};
    lcal__assembly_options options = {.spec = &r->spec, .memory = memory, .training = true};
    OK(lcal__assemble(&f->model, uses, count, &options, &r->exec, &r->assembly, err));
    lcal__tape_options plan = {
        .capacity = {f->batch.tokens, f->batch.documents, f->batch.rows, f->batch.tokens},
        .training = true,
        .recompute_blocks = recompute_blocks,
    };
    OK(lcal__tape_record(&r->assembly.network, &r->exec, &plan, &r->tape, err));
    size_t bytes = lcal__tape_workspace(r->tape);
    r->workspace = lcal__alloc_aligned(bytes, 1);
    assert_non_null(r->workspace);
    memset(r->workspace, 0xFF, bytes); /* NaN: nothing may be read before it is written */
    lcal__tape_bind(r->tape, r->workspace);
}

void rig_close(rig *r)
{
    lcal__tape_close(&r->tape);
    lcal__free(r->workspace);
    lcal__assembly_free(&r->assembly);
}

double rig_step(rig *r)
{
    const lcal__batch *batch = &r->fixture->batch;
    lcal__feed feed = {.batch = batch, .row_weight = 1.0f / (float)batch->counted};
    memset(r->assembly.params.grads, 0, r->assembly.params.total * sizeof(float));
    lcal__tape_run(r->tape, &feed);
    return feed.loss_sum / (double)batch->counted;
}

double relative_error(const float *a, const lcal__tensor *reference)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < reference->elements; i++) {
        double b;
        if (reference->dtype == LCAL__F64) {
            memcpy(&b, reference->data + i * 8, 8);
        } else {
            float single;
            assert_int_equal(reference->dtype, LCAL__F32);
            memcpy(&single, reference->data + i * 4, 4);
            b = single;
        }
        difference += (a[i] - b) * (a[i] - b);
        norm += b * b;
    }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}
