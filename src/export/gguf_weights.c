#include "export/gguf_weights.h"

#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "export/rounding.h"
#include "model/gguf_config.h"
#include "model/gguf_names.h"
#include "model/interleave.h"

/* Numbers converted at a time: 1 MiB of f32. */
#define CHUNK ((size_t)1 << 18)

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

/* The tensor being written. */
typedef struct writing {
    const lcal__exporting *job;
    const lcal__hf_target *target;
    lcal__gguf_writer *out;
    lcal__module_update module; /* of the last projection: its bias and weight are neighbours */
    const lcal__hf_tensor *tensor;
    char name[LCAL__GGUF_NAME_MAX + 1];
    lcal__rounding rounding;
    float *exact, *stored; /* [capacity] scratch */
    unsigned char *narrow; /* [capacity] elements as stored */
    size_t capacity;
    float *whole; /* a tensor whose rows change places, gathered first; else NULL */
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

/* exact[count rows] = rows of the base's tensor. */
static void read_base(const writing *w, size_t first, size_t rows)
{
    const lcal__hf_tensor *t = w->tensor;
    const size_t count = rows * t->cols;
    if (!t->data) {
        memset(w->exact, 0, count * sizeof(float));
        return;
    }
    const size_t size = lcal__dtype_size(t->dtype);
    const unsigned char *data = (const unsigned char *)t->data + first * t->cols * size;
    lcal__convert_to_f32(t->dtype, data, w->exact, count);
    if (!t->vector)
        lcal__model_release(&w->job->model->base, data, count * size);
}

/* A vector is one row of the file. */
static lcal_status put(writing *w, size_t first, size_t rows, lcal_error *err)
{
    if (w->whole) {
        memcpy(w->whole + first * w->tensor->cols, w->exact,
               rows * w->tensor->cols * sizeof(float));
        return LCAL_OK;
    }
    return lcal__gguf_write_rows(w->out, w->name, w->exact, w->tensor->vector ? 1 : rows, err);
}

static lcal_status put_base(writing *w, lcal_error *err)
{
    const lcal__hf_tensor *t = w->tensor;
    size_t step = CHUNK / t->cols ? CHUNK / t->cols : 1;
    if (step > t->rows || t->vector)
        step = t->rows;
    LCAL_TRY(reserve(w, step * t->cols, err));
    for (size_t first = 0; first < t->rows; first += step) {
        const size_t rows = t->rows - first < step ? t->rows - first : step;
        read_base(w, first, rows);
        LCAL_TRY(put(w, first, rows, err));
    }
    return LCAL_OK;
}

/* Adds, measures what rounding will do, and puts. */
static lcal_status put_rows(void *context, size_t first, size_t rows, const float *update,
                            const float *calibration, lcal_error *err)
{
    writing *w = context;
    const lcal__ggml_type type = type_of(w->job, w->tensor);
    const size_t count = rows * w->tensor->cols;
    size_t bad;
    LCAL_TRY(reserve(w, count, err));
    read_base(w, first, rows);
    w->job->model->exec.kernels->add(w->exact, update, count);
    /* What does not fit is told when it is written. */
    if (lcal__ggml_encode(type, w->exact, w->narrow, count, &bad)) {
        lcal__ggml_decode(type, w->narrow, w->stored, count);
        lcal__rounding_add(&w->rounding, w->exact, w->stored, update, calibration, count);
    }
    return put(w, first, rows, err);
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
        LCAL_TRY(put_rows(w, 0, t->rows, m->bias, w->job->update->spec ? m->bias : NULL, err));
    else
        LCAL_TRY(lcal__module_update_rows(m, put_rows, w, err));
    lcal_export_module *note;
    LCAL_TRY(lcal__export_note(w->job, t->layer, t->proj, &note, err));
    lcal__rounding_note(&w->rounding, note);
    note->truncation = m->merged.truncation;
    return LCAL_OK;
}

/* The gathered tensor, row by row from where it stands; a vector is one row of single numbers. */
static lcal_status put_interleaved(writing *w, lcal_error *err)
{
    const lcal__hf_tensor *t = w->tensor;
    const size_t head_dim = w->target->config.head_dim;
    if (t->vector) {
        for (size_t i = 0; i < t->rows; i++)
            w->exact[i] = w->whole[lcal__halved_row(i, head_dim)];
        return lcal__gguf_write_rows(w->out, w->name, w->exact, 1, err);
    }
    for (size_t row = 0; row < t->rows; row++)
        LCAL_TRY(lcal__gguf_write_rows(
            w->out, w->name, w->whole + lcal__halved_row(row, head_dim) * t->cols, 1, err));
    return LCAL_OK;
}

static lcal_status write_tensor(writing *w, const lcal__hf_tensor *tensor, lcal_error *err)
{
    const lcal__arch arch = w->target->config.arch;
    w->tensor = tensor;
    lcal__gguf_name(tensor->name, w->name);
    if (tensor->projection && lcal__gguf_interleaves(arch, tensor->proj)) {
        w->whole = lcal__alloc_aligned(tensor->rows * tensor->cols, sizeof(float));
        if (!w->whole)
            return lcal__fail_nomem(err, tensor->name);
    }
    lcal_status status = tensor->projection ? put_projection(w, err) : put_base(w, err);
    if (status == LCAL_OK && w->whole)
        status = put_interleaved(w, err);
    lcal__free(w->whole);
    w->whole = NULL;
    return status;
}

/* --- all of them ----------------------------------------------------------------------------- */

static lcal_status write_factors(writing *w, lcal_error *err)
{
    const lcal__model_config *config = &w->target->config;
    const size_t count = config->rope.dims / 2;
    LCAL_TRY(reserve(w, count, err));
    for (size_t i = 0; i < count; i++)
        w->exact[i] = (float)lcal__rope_slowdown(config, i);
    return lcal__gguf_write_rows(w->out, LCAL__GGUF_ROPE_FACTORS, w->exact, 1, err);
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
    w->tensor = &target->tensors[0];
    strcpy(w->name, "output.weight");
    return put_base(w, err);
}

lcal_status lcal__gguf_write_weights(const lcal__exporting *job, const lcal__hf_target *target,
                                     lcal__gguf_writer *out, lcal_error *err)
{
    writing w = {.job = job, .target = target, .out = out};
    lcal_status status = write_all(&w, err);
    lcal__module_update_free(&w.module);
    lcal__free(w.exact);
    lcal__free(w.stored);
    lcal__free(w.narrow);
    return status;
}
