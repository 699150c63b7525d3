#include "export/hf_weights.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"
#include "export/merged_tensor.h"
#include "export/provenance.h"
#include "format/json.h"
#include "format/safetensors.h"

/* Numbers rounded at a time. */
#define CHUNK ((size_t)4096)
#define SHARD_NAME_MAX 64

/* One file being written: tensors first..first+count-1 of the target. */
typedef struct writing {
    const lcal__hf_target *target;
    size_t first;
    lcal__dtype dtype;
    lcal__merging merging;
    lcal__tensor_sink *sink; /* of the tensor at work */
} writing;

static lcal_status put_values(void *context, const lcal__hf_tensor *tensor, size_t first,
                              size_t rows, const float *values, lcal_error *err)
{
    const writing *w = context;
    (void)first;
    return lcal__tensor_put_f32(w->sink, values, rows * tensor->cols, err);
}

static bool round_values(void *context, const lcal__hf_tensor *tensor, const float *values,
                         float *stored, size_t count)
{
    const writing *w = context;
    float narrow[CHUNK]; /* elements of dtype, which are no wider */
    (void)tensor;
    for (size_t at = 0; at < count; at += CHUNK) {
        const size_t n = count - at < CHUNK ? count - at : CHUNK;
        lcal__convert_from_f32(w->dtype, values + at, narrow, n);
        lcal__convert_to_f32(w->dtype, narrow, stored + at, n);
    }
    return true;
}

static lcal_status put_tensor(void *context, size_t index, lcal__tensor_sink *sink, lcal_error *err)
{
    writing *w = context;
    w->sink = sink;
    return lcal__merge_tensor(&w->merging, &w->target->tensors[w->first + index], err);
}

/* --- one file -------------------------------------------------------------------------------- */

static lcal_status write_file(const lcal__exporting *job, const lcal__hf_target *target,
                              size_t first, size_t count, const char *path, const char *provenance,
                              lcal_error *err)
{
    writing w = {.target = target, .first = first, .dtype = lcal__export_dtype(job->type)};
    w.merging = (lcal__merging){.job = job, .sink = {put_values, round_values, &w}};
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
    lcal__merging_free(&w.merging);
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
