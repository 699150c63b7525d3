#include "export/hf_weights.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"
#include "export/provenance.h"
#include "export/rounding.h"
#include "format/json.h"
#include "format/safetensors.h"

/* Numbers converted at a time: 1 MiB of f32. */
#define CHUNK ((size_t)1 << 18)
#define SHARD_NAME_MAX 64

/* One file being written: tensors first..first+count-1 of the target. */
typedef struct writing {
    const lcal__exporting *job;
    const lcal__hf_target *target;
    size_t first;
    lcal__dtype dtype;
    lcal__module_update module; /* of the last projection: its bias and weight are neighbours */
    /* The tensor at work. */
    const lcal__hf_tensor *tensor;
    lcal__tensor_sink *sink;
    lcal__rounding rounding;
    float *exact, *stored; /* [capacity] scratch */
    unsigned char *narrow; /* [capacity] elements of dtype */
    size_t capacity;
} writing;

static lcal_status reserve(writing *w, size_t count, lcal_error *err)
{
    if (count <= w->capacity)
        return LCAL_OK;
    lcal__free(w->exact);
    lcal__free(w->stored);
    lcal__free(w->narrow);
    w->exact = lcal__alloc_aligned(count, sizeof(float));
    w->stored = lcal__alloc_aligned(count, sizeof(float));
    w->narrow = lcal__alloc_aligned(count, sizeof(float));
    w->capacity = w->exact && w->stored && w->narrow ? count : 0;
    return w->capacity ? LCAL_OK : lcal__fail_nomem(err, "a block of weights");
}

/* --- one tensor ------------------------------------------------------------------------------ */

/* exact[count] = elements first..first+count-1 of the base's tensor. */
static void read_base(const writing *w, size_t first, size_t count)
{
    const lcal__hf_tensor *t = w->tensor;
    if (!t->data) {
        memset(w->exact, 0, count * sizeof(float));
        return;
    }
    const size_t size = lcal__dtype_size(t->dtype);
    const unsigned char *data = (const unsigned char *)t->data + first * size;
    lcal__convert_to_f32(t->dtype, data, w->exact, count);
    if (!t->vector)
        lcal__model_release(&w->job->model->base, data, count * size);
}

static lcal_status put_base(writing *w, lcal_error *err)
{
    const size_t total = w->tensor->rows * w->tensor->cols;
    LCAL_TRY(reserve(w, total < CHUNK ? total : CHUNK, err));
    for (size_t first = 0; first < total; first += CHUNK) {
        const size_t count = total - first < CHUNK ? total - first : CHUNK;
        read_base(w, first, count);
        LCAL_TRY(lcal__tensor_put_f32(w->sink, w->exact, count, err));
    }
    return LCAL_OK;
}

/* Adds, rounds and measures elements first..first+count-1. */
static lcal_status put_changed(writing *w, size_t first, size_t count, const float *update,
                               const float *calibration, lcal_error *err)
{
    LCAL_TRY(reserve(w, count, err));
    read_base(w, first, count);
    w->job->model->exec.kernels->add(w->exact, update, count);
    lcal__convert_from_f32(w->dtype, w->exact, w->narrow, count);
    lcal__convert_to_f32(w->dtype, w->narrow, w->stored, count);
    lcal__rounding_add(&w->rounding, w->exact, w->stored, update, calibration, count);
    return lcal__tensor_put_f32(w->sink, w->exact, count, err);
}

static lcal_status put_rows(void *context, size_t first, size_t count, const float *rows,
                            const float *calibration, lcal_error *err)
{
    writing *w = context;
    const size_t cols = w->tensor->cols;
    return put_changed(w, first * cols, count * cols, rows, calibration, err);
}

static lcal_status open_module(writing *w, lcal_error *err)
{
    const lcal__hf_tensor *t = w->tensor;
    if (w->module.update && w->module.layer == t->layer && w->module.proj == t->proj)
        return LCAL_OK;
    lcal__module_update_free(&w->module);
    return lcal__update_module(w->job->update, t->layer, t->proj, &w->module, err);
}

static lcal_status put_projection(writing *w, lcal_error *err)
{
    const lcal__hf_tensor *t = w->tensor;
    const lcal__module_update *m = &w->module;
    LCAL_TRY(open_module(w, err));
    if (t->vector ? !m->bias : !m->dense && m->count == 0)
        return put_base(w, err);
    w->rounding = (lcal__rounding){0};
    if (t->vector)
        LCAL_TRY(put_changed(w, 0, t->rows, m->bias, w->job->update->spec ? m->bias : NULL, err));
    else
        LCAL_TRY(lcal__module_update_rows(m, put_rows, w, err));
    lcal_export_module *note;
    LCAL_TRY(lcal__export_note(w->job, t->layer, t->proj, &note, err));
    lcal__rounding_note(&w->rounding, note);
    note->truncation = m->merged.truncation;
    return LCAL_OK;
}

static lcal_status put_tensor(void *context, size_t index, lcal__tensor_sink *sink, lcal_error *err)
{
    writing *w = context;
    w->tensor = &w->target->tensors[w->first + index];
    w->sink = sink;
    return w->tensor->projection ? put_projection(w, err) : put_base(w, err);
}

/* --- one file -------------------------------------------------------------------------------- */

static lcal_status write_file(const lcal__exporting *job, const lcal__hf_target *target,
                              size_t first, size_t count, const char *path, const char *provenance,
                              lcal_error *err)
{
    writing w = {
        .job = job, .target = target, .first = first, .dtype = lcal__export_dtype(job->type)};
    lcal__tensor *tensors = lcal__calloc(count, sizeof(*tensors));
    if (!tensors)
        return lcal__fail_nomem(err, path);
    for (size_t i = 0; i < count; i++) {
        const lcal__hf_tensor *t = &target->tensors[first + i];
        tensors[i] = (lcal__tensor){.name = t->name,
                                    .dtype = w.dtype,
                                    .rank = t->vector ? 1 : 2,
                                    .shape = {t->rows, t->cols},
                                    .elements = t->rows * t->cols};
    }
    const char *const metadata[] = {LCAL__PROVENANCE_KEY, provenance};
    lcal_status status =
        lcal__safetensors_write_from(path, tensors, count, metadata, 1, put_tensor, &w, err);
    lcal__module_update_free(&w.module);
    lcal__free(w.exact);
    lcal__free(w.stored);
    lcal__free(w.narrow);
    lcal__free(tensors);
    return status;
}

/* --- shards ---------------------------------------------------------------------------------- */

static size_t bytes_of(const lcal__hf_tensor *t, lcal__dtype dtype)
{
    return t->rows * t->cols * lcal__dtype_size(dtype);
}

/* Tensors from `first` on that fit one shard; at least one. */
static size_t shard_length(const lcal__exporting *job, const lcal__hf_target *target, size_t first)
{
    const lcal__dtype dtype = lcal__export_dtype(job->type);
    const uint64_t most = job->options->shard_bytes;
    uint64_t bytes = 0;
    size_t count = 0;
    while (first + count < target->count) {
        bytes += bytes_of(&target->tensors[first + count], dtype);
        if (count && most && bytes > most)
            break;
        count++;
    }
    return count;
}

static void shard_name(size_t index, size_t shards, char out[SHARD_NAME_MAX])
{
    if (shards == 1)
        snprintf(out, SHARD_NAME_MAX, "model.safetensors");
    else
        snprintf(out, SHARD_NAME_MAX, "model-%05zu-of-%05zu.safetensors", index + 1, shards);
}

static lcal_status write_index(const lcal__exporting *job, const lcal__hf_target *target,
                               size_t shards, const char *path, lcal_error *err)
{
    json_t *map = json_object();
    json_int_t total = 0;
    bool failed = false;
    for (size_t shard = 0, first = 0; shard < shards; shard++) {
        const size_t count = shard_length(job, target, first);
        char name[SHARD_NAME_MAX];
        shard_name(shard, shards, name);
        for (size_t i = first; i < first + count; i++) {
            total += (json_int_t)bytes_of(&target->tensors[i], lcal__export_dtype(job->type));
            failed =
                failed || json_object_set_new(map, target->tensors[i].name, json_string(name)) != 0;
        }
        first += count;
    }
    json_t *root = json_pack("{s:{s:I},s:o}", "metadata", "total_size", total, "weight_map", map);
    char *text = NULL;
    lcal_status status =
        failed || !root ? lcal__fail_nomem(err, path) : lcal__json_write(root, &text, err);
    json_decref(root);
    if (status == LCAL_OK)
        status = lcal__file_replace(path, text, strlen(text), err);
    lcal__free(text);
    return status;
}

static lcal_status write_shards(const lcal__exporting *job, const lcal__hf_target *target,
                                const char *directory, size_t shards, const char *provenance,
                                lcal_error *err)
{
    for (size_t shard = 0, first = 0; shard < shards; shard++) {
        const size_t count = shard_length(job, target, first);
        char name[SHARD_NAME_MAX];
        shard_name(shard, shards, name);
        char *path = lcal__path_join(directory, name);
        lcal_status status = path ? write_file(job, target, first, count, path, provenance, err)
                                  : lcal__fail_nomem(err, directory);
        lcal__free(path);
        LCAL_TRY(status);
        first += count;
    }
    if (shards == 1)
        return LCAL_OK;
    char *path = lcal__path_join(directory, "model.safetensors.index.json");
    lcal_status status =
        path ? write_index(job, target, shards, path, err) : lcal__fail_nomem(err, directory);
    lcal__free(path);
    return status;
}

lcal_status lcal__hf_write_weights(const lcal__exporting *job, const lcal__hf_target *target,
                                   const char *directory, lcal_error *err)
{
    size_t shards = 0;
    char *provenance = NULL;
    for (size_t first = 0; first < target->count; shards++)
        first += shard_length(job, target, first);
    LCAL_TRY(lcal__provenance(job->model, 0, &provenance, err));
    lcal_status status = write_shards(job, target, directory, shards, provenance, err);
    lcal__free(provenance);
    return status;
}
