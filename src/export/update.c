#include "export/update.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "calib/composition_parts.h"
#include "num/gemm.h"

/* Numbers of a block of rows: 4 MiB. */
#define BLOCK_FLOATS ((size_t)1 << 20)

lcal_status lcal__update_open(const lcal__composition *model, lcal__update *out, lcal_error *err)
{
    *out = (lcal__update){
        .model = model,
        .spec = model->calibration_path ? &model->calibration.facts.spec : NULL,
    };
    lcal_status status = lcal__merge_open(&model->merge, model->adapters.uses, model->merged,
                                          &model->base.config, &model->exec, &out->merge, err);
    if (status == LCAL_OK)
        status = lcal__merge_prepare(&out->merge, err);
    if (status != LCAL_OK)
        lcal__update_close(out);
    return status;
}

void lcal__update_close(lcal__update *update)
{
    lcal__merge_close(&update->merge);
    *update = (lcal__update){0};
}

/* --- what a module has --------------------------------------------------------------------- */

/* A module and where its parts come from. */
typedef struct site {
    const lcal__update *update;
    const lcal__adapter_list *adapters;
    size_t layer;
    lcal__proj proj;
    size_t rows, cols;
    bool columns; /* the adapters' inputs are scaled: their pairs stay apart */
    bool trained; /* lc or lcpp changes it */
} site;

static site site_of(const lcal__update *update, size_t layer, lcal__proj proj)
{
    const lcal__composition *model = update->model;
    const bool targeted = update->spec && lcal__calib_targets(update->spec, proj);
    const bool columns = targeted && update->spec->method == LCAL__METHOD_COLUMNS;
    return (site){
        .update = update,
        .adapters = &model->adapters,
        .layer = layer,
        .proj = proj,
        .rows = lcal__proj_out(&model->base.config, proj),
        .cols = lcal__proj_in(&model->base.config, proj),
        .columns = columns,
        .trained = targeted && !columns,
    };
}

static const lcal__lora_pair *pair_of(const site *s, size_t adapter)
{
    const lcal__adapter_use *use = &s->adapters->uses[adapter];
    const lcal__lora_pair *pair = lcal__adapter_pair(use->adapter, s->layer, s->proj);
    return pair->a ? pair : NULL;
}

static bool is_output(const site *s)
{
    const lcal__calib_spec *spec = s->update->spec;
    return s->trained && spec->method == LCAL__METHOD_LC && spec->form == LCAL__FORM_OUTPUT;
}

/* The first adapter whose own pair is added: those before it are in the merge. */
static size_t first_apart(const site *s)
{
    return s->columns ? 0 : s->update->merge.count;
}

static bool has_bias(const site *s)
{
    for (size_t a = 0; a < s->adapters->count; a++) {
        const lcal__lora_pair *pair = pair_of(s, a);
        if (pair && pair->bias)
            return true;
    }
    return is_output(s);
}

lcal__update_shape lcal__update_shape_of(const lcal__update *update, size_t layer, lcal__proj proj)
{
    const site s = site_of(update, layer, proj);
    const lcal__merge_shape merged = lcal__merge_shape_of(&update->merge, layer, proj);
    lcal__update_shape shape = {.bias = has_bias(&s)};
    if (!s.columns) {
        shape.dense = merged.adapters > 0 && merged.pairs == 0;
        shape.rank = merged.rank;
    }
    for (size_t a = first_apart(&s); a < s.adapters->count; a++) {
        const lcal__lora_pair *pair = pair_of(&s, a);
        shape.rank += pair ? pair->rank : 0;
    }
    if (s.trained && !is_output(&s))
        shape.rank += update->spec->method == LCAL__METHOD_LC ? 1 : update->spec->rank;
    return shape;
}

bool lcal__update_is_empty(const lcal__update *update)
{
    for (size_t layer = 0; layer < update->model->base.config.layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__update_shape shape = lcal__update_shape_of(update, layer, p);
            if (shape.dense || shape.rank || shape.bias)
                return false;
        }
    return true;
}

/* --- its parts ------------------------------------------------------------------------------ */

/* A tensor of the calibration at a site: "q_proj.p", "layers.3.q_proj.P1",
 * "adapters.0.layers.3.q_proj.m". */
static const float *tensor_of(const site *s, size_t adapter, const char *leaf)
{
    const lcal__params *params = &s->update->model->calibration.params;
    char name[128], prefix[64] = "";
    if (s->columns)
        snprintf(prefix, sizeof(prefix), "adapters.%zu.layers.%zu.", adapter, s->layer);
    else if (s->update->spec->share == LCAL__SHARE_NONE)
        snprintf(prefix, sizeof(prefix), "layers.%zu.", s->layer);
    snprintf(name, sizeof(name), "%s%s.%s", prefix, lcal__proj_name(s->proj), leaf);
    return params->values + lcal__params_find(params, name)->offset;
}

/* A diag(m) in numbers of our own. */
static void scale_columns(const site *s, size_t adapter, lcal__lora_pair *pair, float **values)
{
    const float *m = tensor_of(s, adapter, "m");
    float *a = *values;
    for (size_t r = 0; r < pair->rank; r++)
        for (size_t c = 0; c < s->cols; c++)
            a[r * s->cols + c] = pair->a[r * s->cols + c] * m[c];
    pair->a = a;
    *values += pair->rank * s->cols;
}

static void add_adapters(const site *s, lcal__module_update *out, float *values)
{
    for (size_t i = 0; !s->columns && i < out->merged.count; i++)
        out->pairs[out->count++] = out->merged.pairs[i];
    for (size_t a = first_apart(s); a < s->adapters->count; a++) {
        const lcal__lora_pair *of_adapter = pair_of(s, a);
        if (!of_adapter)
            continue;
        lcal__lora_pair *pair = &out->pairs[out->count++];
        *pair = *of_adapter;
        pair->scale *= s->adapters->uses[a].weight;
        if (s->columns)
            scale_columns(s, a, pair, &values);
    }
}

/* lcpp as it is; lc broadcast as y += scale p (1 ... 1) x. */
static void add_calibration(const site *s, lcal__module_update *out)
{
    const lcal__calib_spec *spec = s->update->spec;
    out->calibration = out->count;
    if (!s->trained || is_output(s))
        return;
    lcal__lora_pair pair = {.rank = spec->rank, .scale = (float)spec->scale};
    if (spec->method == LCAL__METHOD_LC) {
        for (size_t c = 0; c < s->cols; c++)
            out->values[c] = 1.0f;
        pair.rank = 1;
        pair.a = out->values;
        pair.b = tensor_of(s, 0, "p");
    } else {
        pair.a = tensor_of(s, 0, "P1");
        pair.b = tensor_of(s, 0, "P2");
    }
    out->pairs[out->count++] = pair;
}

static void add_bias(const site *s, float *bias)
{
    for (size_t a = 0; a < s->adapters->count; a++) {
        const lcal__lora_pair *pair = pair_of(s, a);
        const float weight = s->adapters->uses[a].weight;
        for (size_t r = 0; pair && pair->bias && r < s->rows; r++)
            bias[r] += weight * pair->scale * pair->bias[r];
    }
    if (!is_output(s))
        return;
    const float *p = tensor_of(s, 0, "p"), scale = (float)s->update->spec->scale;
    for (size_t r = 0; r < s->rows; r++)
        bias[r] += scale * p[r];
}

/* Numbers that the pairs made here need: scaled A of every adapter, or one row of ones. */
static size_t made_floats(const site *s)
{
    size_t rank = s->trained ? 1 : 0;
    for (size_t a = 0; s->columns && a < s->adapters->count; a++) {
        const lcal__lora_pair *pair = pair_of(s, a);
        rank += pair ? pair->rank : 0;
    }
    return rank * s->cols;
}

static lcal_status fill(const site *s, lcal__module_update *out, lcal_error *err)
{
    if (!s->columns)
        LCAL_TRY(lcal__merge_module(&s->update->merge, s->layer, s->proj, &out->merged, err));
    out->dense = out->merged.merge && !out->merged.factored;
    out->pairs = lcal__calloc(out->merged.count + s->adapters->count + 1, sizeof(*out->pairs));
    out->values = lcal__alloc_aligned(made_floats(s), sizeof(float));
    if (has_bias(s))
        out->bias = lcal__calloc(s->rows, sizeof(float));
    if (!out->pairs || !out->values || (has_bias(s) && !out->bias))
        return lcal__fail_nomem(err, "the update of a module");
    add_adapters(s, out, out->values);
    add_calibration(s, out);
    if (out->bias)
        add_bias(s, out->bias);
    return LCAL_OK;
}

lcal_status lcal__update_module(const lcal__update *update, size_t layer, lcal__proj proj,
                                lcal__module_update *out, lcal_error *err)
{
    const site s = site_of(update, layer, proj);
    *out = (lcal__module_update){
        .update = update, .layer = layer, .proj = proj, .rows = s.rows, .cols = s.cols};
    lcal_status status = fill(&s, out, err);
    if (status != LCAL_OK)
        lcal__module_update_free(out);
    return status;
}

void lcal__module_update_free(lcal__module_update *module)
{
    lcal__merged_free(&module->merged);
    lcal__free(module->pairs);
    lcal__free(module->bias);
    lcal__free(module->values);
    *module = (lcal__module_update){0};
}

/* --- as rows of a matrix --------------------------------------------------------------------- */

typedef struct walk {
    const lcal__module_update *module;
    lcal__update_rows_fn *fn;
    void *context;
    lcal_error *err;
    lcal_status status;
    size_t most;
    float *rows, *calibration; /* [most, cols]; calibration NULL where there is none */
} walk;

/* out[count, cols] (+)= the pairs first_pair..end-1. */
static void multiply(const walk *w, size_t first_pair, size_t end, size_t first, size_t count,
                     bool add, float *out)
{
    const lcal__module_update *m = w->module;
    for (size_t i = first_pair; i < end; i++) {
        const lcal__lora_pair *pair = &m->pairs[i];
        lcal__gemm(&m->update->model->exec, false, false, count, m->cols, pair->rank, pair->scale,
                   pair->b + first * pair->rank, pair->rank, pair->a, m->cols,
                   add || i > first_pair ? 1.0f : 0.0f, out, m->cols);
    }
}

/* `rows` holds the dense part. */
static void finish_block(walk *w, size_t first, size_t count)
{
    const lcal__module_update *m = w->module;
    if (w->status != LCAL_OK)
        return;
    multiply(w, 0, m->calibration, first, count, true, w->rows);
    if (w->calibration) {
        multiply(w, m->calibration, m->count, first, count, false, w->calibration);
        m->update->model->exec.kernels->add(w->rows, w->calibration, count * m->cols);
    }
    w->status = w->fn(w->context, first, count, w->rows, w->calibration, w->err);
}

/* The merge has blocks of its own. */
static void dense_block(void *context, size_t first, size_t count, const float *rows)
{
    walk *w = context;
    const size_t cols = w->module->cols;
    for (size_t done = 0; done < count; done += w->most) {
        const size_t left = count - done, n = left < w->most ? left : w->most;
        memcpy(w->rows, rows + done * cols, n * cols * sizeof(float));
        finish_block(w, first + done, n);
    }
}

static lcal_status walk_blocks(walk *w)
{
    const lcal__module_update *m = w->module;
    if (m->dense) {
        LCAL_TRY(lcal__merged_rows(&m->merged, dense_block, w, w->err));
        return w->status;
    }
    for (size_t first = 0; first < m->rows; first += w->most) {
        const size_t left = m->rows - first, count = left < w->most ? left : w->most;
        memset(w->rows, 0, count * m->cols * sizeof(float));
        finish_block(w, first, count);
    }
    return w->status;
}

lcal_status lcal__module_update_rows(const lcal__module_update *module, lcal__update_rows_fn *fn,
                                     void *context, lcal_error *err)
{
    size_t most = BLOCK_FLOATS / module->cols;
    if (most > module->rows)
        most = module->rows;
    if (most == 0)
        most = 1;
    walk w = {.module = module, .fn = fn, .context = context, .err = err, .most = most};
    const bool calibrated = module->calibration < module->count;
    w.rows = lcal__alloc_aligned(most * module->cols, sizeof(float));
    if (calibrated)
        w.calibration = lcal__alloc_aligned(most * module->cols, sizeof(float));
    lcal_status status = w.rows && (!calibrated || w.calibration)
                             ? walk_blocks(&w)
                             : lcal__fail_nomem(err, "rows of an update");
    lcal__free(w.rows);
    lcal__free(w.calibration);
    return status;
}
