#include "export/merged_tensor.h"

#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"

/* Numbers converted at a time: 1 MiB of f32. */
#define CHUNK ((size_t)1 << 18)

static lcal_status reserve(lcal__merging *m, size_t count, lcal_error *err)
{
    if (count <= m->capacity)
        return LCAL_OK;
    lcal__free(m->exact);
    lcal__free(m->stored);
    m->exact = lcal__alloc_aligned(count, sizeof(float));
    m->stored = lcal__alloc_aligned(count, sizeof(float));
    m->capacity = m->exact && m->stored ? count : 0;
    return m->capacity ? LCAL_OK : lcal__fail_nomem(err, "a block of weights");
}

/* exact[rows * cols] = rows of the base's tensor. */
static void read_base(const lcal__merging *m, size_t first, size_t rows)
{
    const lcal__hf_tensor *t = m->tensor;
    const size_t count = rows * t->cols;
    if (!t->data) {
        memset(m->exact, 0, count * sizeof(float));
        return;
    }
    const size_t size = lcal__dtype_size(t->dtype);
    const unsigned char *data = (const unsigned char *)t->data + first * t->cols * size;
    lcal__convert_to_f32(t->dtype, data, m->exact, count);
    if (!t->vector)
        lcal__model_release(&m->job->model->base, data, count * size);
}

static lcal_status put(lcal__merging *m, size_t first, size_t rows, lcal_error *err)
{
    return m->sink.put(m->sink.context, m->tensor, first, rows, m->exact, err);
}

static lcal_status put_base(lcal__merging *m, lcal_error *err)
{
    const lcal__hf_tensor *t = m->tensor;
    size_t step = CHUNK / t->cols ? CHUNK / t->cols : 1;
    if (step > t->rows || t->vector)
        step = t->rows;
    LCAL_TRY(reserve(m, step * t->cols, err));
    for (size_t first = 0; first < t->rows; first += step) {
        const size_t rows = t->rows - first < step ? t->rows - first : step;
        read_base(m, first, rows);
        LCAL_TRY(put(m, first, rows, err));
    }
    return LCAL_OK;
}

/* Adds, measures what rounding does, and puts. */
static lcal_status put_changed(void *context, size_t first, size_t rows, const float *update,
                               const float *calibration, lcal_error *err)
{
    lcal__merging *m = context;
    const size_t count = rows * m->tensor->cols;
    LCAL_TRY(reserve(m, count, err));
    read_base(m, first, rows);
    m->job->model->exec.kernels->add(m->exact, update, count);
    if (m->sink.round(m->sink.context, m->tensor, m->exact, m->stored, count))
        lcal__rounding_add(&m->rounding, m->exact, m->stored, update, calibration, count);
    return put(m, first, rows, err);
}

static lcal_status open_module(lcal__merging *m, lcal_error *err)
{
    const lcal__hf_tensor *t = m->tensor;
    if (m->module.update && m->module.layer == t->layer && m->module.proj == t->proj)
        return LCAL_OK;
    lcal__module_update_free(&m->module);
    return lcal__update_module(m->job->update, t->layer, t->proj, &m->module, err);
}

static lcal_status put_projection(lcal__merging *m, lcal_error *err)
{
    const lcal__hf_tensor *t = m->tensor;
    const lcal__module_update *u = &m->module;
    LCAL_TRY(open_module(m, err));
    if (t->vector ? !u->bias : !u->dense && u->count == 0)
        return put_base(m, err);
    m->rounding = (lcal__rounding){0};
    if (t->vector)
        LCAL_TRY(put_changed(m, 0, t->rows, u->bias, m->job->update->spec ? u->bias : NULL, err));
    else
        LCAL_TRY(lcal__module_update_rows(u, put_changed, m, err));
    lcal_export_module *note;
    LCAL_TRY(lcal__export_note(m->job, t->layer, t->proj, &note, err));
    lcal__rounding_note(&m->rounding, note);
    note->truncation = u->merged.truncation;
    return LCAL_OK;
}

lcal_status lcal__merge_tensor(lcal__merging *merging, const lcal__hf_tensor *tensor,
                               lcal_error *err)
{
    merging->tensor = tensor;
    return tensor->projection ? put_projection(merging, err) : put_base(merging, err);
}

void lcal__merging_free(lcal__merging *merging)
{
    lcal__module_update_free(&merging->module);
    lcal__free(merging->exact);
    lcal__free(merging->stored);
    *merging = (lcal__merging){0};
}
