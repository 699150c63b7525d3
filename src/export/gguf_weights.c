#include "export/gguf_weights.h"

#include <string.h>

#include "base/mem.h"
#include "export/merged_tensor.h"
#include "model/gguf_config.h"
#include "model/gguf_names.h"
#include "model/interleave.h"

/* --- what there is --------------------------------------------------------------------------- */

static bool has_factors(const lcal__model_config *config)
{
    return config->rope.kind == LCAL__ROPE_LLAMA3 || config->rope.kind == LCAL__ROPE_FACTORS;
}

/* llama.cpp takes the embedding for an absent head, but not of a stablelm. */
static bool repeats_embedding(const lcal__model_config *config)
{
    return config->tied && config->arch == LCAL__ARCH_STABLELM;
}

static lcal__ggml_type type_of(const lcal__exporting *job, const lcal__hf_tensor *tensor)
{
    const lcal__ggml_type type = lcal__export_ggml_type(job->type);
    if (tensor->vector)
        return LCAL__GGML_F32;
    return type == LCAL__GGML_Q8_0 && tensor->cols % LCAL__Q8_BLOCK ? LCAL__GGML_F16 : type;
}

static lcal_status add_tensor(const lcal__exporting *job, const lcal__hf_tensor *tensor,
                              const char *name, lcal__gguf_writer *out, lcal_error *err)
{
    if (tensor->vector)
        return lcal__gguf_add_vector(out, name, tensor->rows, err);
    return lcal__gguf_add_matrix(out, name, tensor->rows, tensor->cols, type_of(job, tensor), err);
}

lcal_status lcal__gguf_add_weights(const lcal__exporting *job, const lcal__hf_target *target,
                                   lcal__gguf_writer *out, lcal_error *err)
{
    char name[LCAL__GGUF_NAME_MAX + 1];
    size_t uneven = 0;
    const lcal__hf_tensor *last = NULL;
    for (size_t i = 0; i < target->count; i++) {
        const lcal__hf_tensor *tensor = &target->tensors[i];
        lcal__gguf_name(tensor->name, name);
        LCAL_TRY(add_tensor(job, tensor, name, out, err));
        if (!tensor->vector && type_of(job, tensor) != lcal__export_ggml_type(job->type)) {
            uneven++;
            last = tensor;
        }
    }
    if (has_factors(&target->config))
        LCAL_TRY(
            lcal__gguf_add_vector(out, LCAL__GGUF_ROPE_FACTORS, target->config.rope.dims / 2, err));
    if (repeats_embedding(&target->config))
        LCAL_TRY(add_tensor(job, &target->tensors[0], "output.weight", out, err));
    if (last)
        lcal__log(job->log, LCAL_LOG_NOTICE,
                  "%zu tensors are F16, not Q8_0, which needs rows that are a multiple of %d "
                  "(%s: %zu)",
                  uneven, LCAL__Q8_BLOCK, last->name, last->cols);
    return LCAL_OK;
}

/* --- one tensor ------------------------------------------------------------------------------ */

/* Numbers rounded at a time: whole blocks of every type. */
#define CHUNK ((size_t)4096)

typedef struct writing {
    const lcal__exporting *job;
    const lcal__hf_target *target;
    lcal__gguf_writer *out;
    lcal__merging merging;
    char name[LCAL__GGUF_NAME_MAX + 1]; /* of the tensor at work */
    float *whole; /* a tensor whose rows change places, gathered first; else NULL */
} writing;

static lcal_status put_rows(void *context, const lcal__hf_tensor *tensor, size_t first, size_t rows,
                            const float *values, lcal_error *err)
{
    writing *w = context;
    if (w->whole) {
        memcpy(w->whole + first * tensor->cols, values, rows * tensor->cols * sizeof(float));
        return LCAL_OK;
    }
    /* A vector is one row of the file. */
    return lcal__gguf_write_rows(w->out, w->name, values, tensor->vector ? 1 : rows, err);
}

static bool round_rows(void *context, const lcal__hf_tensor *tensor, const float *values,
                       float *stored, size_t count)
{
    const writing *w = context;
    const lcal__ggml_type type = type_of(w->job, tensor);
    float narrow[CHUNK]; /* elements of the type, which are no wider */
    size_t bad;
    for (size_t at = 0; at < count; at += CHUNK) {
        const size_t n = count - at < CHUNK ? count - at : CHUNK;
        if (!lcal__ggml_encode(type, values + at, narrow, n, &bad))
            return false;
        lcal__ggml_decode(type, narrow, stored + at, n);
    }
    return true;
}

/* The gathered tensor, row by row from where it stands; a vector has rows of one number. */
static lcal_status put_interleaved(writing *w, const lcal__hf_tensor *t, lcal_error *err)
{
    const size_t head_dim = w->target->config.head_dim;
    if (!t->vector) {
        for (size_t row = 0; row < t->rows; row++)
            LCAL_TRY(lcal__gguf_write_rows(
                w->out, w->name, w->whole + lcal__halved_row(row, head_dim) * t->cols, 1, err));
        return LCAL_OK;
    }
    float *moved = lcal__alloc_aligned(t->rows, sizeof(float));
    if (!moved)
        return lcal__fail_nomem(err, t->name);
    for (size_t i = 0; i < t->rows; i++)
        moved[i] = w->whole[lcal__halved_row(i, head_dim)];
    lcal_status status = lcal__gguf_write_rows(w->out, w->name, moved, 1, err);
    lcal__free(moved);
    return status;
}

static lcal_status write_tensor(writing *w, const lcal__hf_tensor *tensor, lcal_error *err)
{
    lcal__gguf_name(tensor->name, w->name);
    if (tensor->projection && lcal__gguf_interleaves(w->target->config.arch, tensor->proj)) {
        w->whole = lcal__alloc_aligned(tensor->rows * tensor->cols, sizeof(float));
        if (!w->whole)
            return lcal__fail_nomem(err, tensor->name);
    }
    lcal_status status = lcal__merge_tensor(&w->merging, tensor, err);
    if (status == LCAL_OK && w->whole)
        status = put_interleaved(w, tensor, err);
    lcal__free(w->whole);
    w->whole = NULL;
    return status;
}

/* --- all of them ----------------------------------------------------------------------------- */

static lcal_status write_factors(const writing *w, lcal_error *err)
{
    const lcal__model_config *config = &w->target->config;
    const size_t count = config->rope.dims / 2;
    float *factors = lcal__alloc_aligned(count, sizeof(float));
    if (!factors)
        return lcal__fail_nomem(err, LCAL__GGUF_ROPE_FACTORS);
    for (size_t i = 0; i < count; i++)
        factors[i] = (float)lcal__rope_slowdown(config, i);
    lcal_status status = lcal__gguf_write_rows(w->out, LCAL__GGUF_ROPE_FACTORS, factors, 1, err);
    lcal__free(factors);
    return status;
}

static lcal_status write_all(writing *w, lcal_error *err)
{
    const lcal__hf_target *target = w->target;
    for (size_t i = 0; i < target->count; i++)
        LCAL_TRY(write_tensor(w, &target->tensors[i], err));
    if (has_factors(&target->config))
        LCAL_TRY(write_factors(w, err));
    if (!repeats_embedding(&target->config))
        return LCAL_OK;
    strcpy(w->name, "output.weight");
    return lcal__merge_tensor(&w->merging, &target->tensors[0], err);
}

lcal_status lcal__gguf_write_weights(const lcal__exporting *job, const lcal__hf_target *target,
                                     lcal__gguf_writer *out, lcal_error *err)
{
    writing w = {.job = job, .target = target, .out = out};
    w.merging = (lcal__merging){.job = job, .sink = {put_rows, round_rows, &w}};
    lcal_status status = write_all(&w, err);
    lcal__merging_free(&w.merging);
    return status;
}
