/* Calibrations in safetensors: the tensor q_proj.p as calib.q_proj.p, facts as __metadata__. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "calib/file_parts.h"
#include "config/number.h"
#include "format/safetensors.h"

#define PREFIX "calib."

/* "format" itself is taken: by convention it says "pt". */
static const char *metadata_key(const char *key)
{
    return strcmp(key, "format") == 0 ? "lcal_format" : key;
}

/* --- writing ---------------------------------------------------------------------------- */

/* Pairs of key and value; both owned. */
typedef struct metadata {
    char **items; /* [2 * pairs] */
    size_t count, capacity;
} metadata;

static lcal_status put_text(void *file, const char *key, const char *value, lcal_error *err)
{
    metadata *m = file;
    if (!lcal__grow((void **)&m->items, &m->capacity, m->count + 2, sizeof(*m->items)))
        return lcal__fail_nomem(err, "the metadata of a calibration");
    m->items[m->count] = lcal__strdup(metadata_key(key));
    m->items[m->count + 1] = lcal__strdup(value);
    m->count += 2;
    if (!m->items[m->count - 2] || !m->items[m->count - 1])
        return lcal__fail_nomem(err, "the metadata of a calibration");
    return LCAL_OK;
}

static lcal_status put_integer(void *file, const char *key, int64_t value, lcal_error *err)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    return put_text(file, key, text, err);
}

static lcal_status put_real(void *file, const char *key, double value, lcal_error *err)
{
    char text[LCAL__NUMBER_TEXT_MAX];
    lcal__number_print(value, text);
    return put_text(file, key, text, err);
}

static void free_tensors(lcal__tensor *tensors, size_t count)
{
    for (size_t i = 0; tensors && i < count; i++) {
        lcal__free((void *)tensors[i].name);
        lcal__free((void *)tensors[i].data);
    }
    lcal__free(tensors);
}

static lcal_status fill_tensor(const lcal__param *param, const float *values, lcal__store dtype,
                               const char *target, lcal__tensor *out, lcal_error *err)
{
    const size_t elements = param->rows * param->cols, size = sizeof(PREFIX) + strlen(param->name);
    char *name = lcal__calloc(size, 1);
    void *data = lcal__alloc_aligned(elements, lcal__dtype_size(lcal__store_dtype(dtype)));
    *out = (lcal__tensor){
        .name = name,
        .dtype = lcal__store_dtype(dtype),
        .rank = param->vector ? 1 : 2,
        .shape = {param->vector ? param->cols : param->rows, param->vector ? 0 : param->cols},
        .elements = elements,
        .data = data,
    };
    if (!name || !data)
        return lcal__fail_nomem(err, target);
    snprintf(name, size, PREFIX "%s", param->name);
    return lcal__calib_narrow(param, values, dtype, data, target, err);
}

lcal_status lcal__calib_save_safetensors(const char *path, const lcal__calib_facts *facts,
                                         const lcal__params *params, const float *values,
                                         lcal__store dtype, lcal_error *err)
{
    metadata m = {0};
    const lcal__facts_sink sink = {&m, put_text, put_integer, put_real};
    lcal__tensor *tensors = lcal__calloc(params->count, sizeof(*tensors));
    lcal_status status = tensors ? LCAL_OK : lcal__fail_nomem(err, path);
    for (size_t i = 0; status == LCAL_OK && i < params->count; i++)
        status = fill_tensor(&params->items[i], values + params->items[i].offset, dtype, path,
                             &tensors[i], err);
    if (status == LCAL_OK)
        status = lcal__calib_facts_put(facts, LCAL__CALIB_KIND_RESULT, dtype, &sink, err);
    if (status == LCAL_OK)
        status = lcal__safetensors_write(path, tensors, params->count, (const char *const *)m.items,
                                         m.count / 2, err);
    for (size_t i = 0; i < m.count; i++)
        lcal__free(m.items[i]);
    lcal__free(m.items);
    free_tensors(tensors, params->count);
    return status;
}

/* --- reading ---------------------------------------------------------------------------- */

typedef struct reader {
    lcal__safetensors tensors;
    const char *source;
} reader;

static bool has(void *file, const char *key)
{
    const reader *r = file;
    return lcal__safetensors_metadata(&r->tensors, metadata_key(key)) != NULL;
}

static lcal_status find(const reader *r, const char *key, const char **out, lcal_error *err)
{
    *out = lcal__safetensors_metadata(&r->tensors, metadata_key(key));
    return *out ? LCAL_OK
                : lcal__fail(err, LCAL_FORMAT, "%s: metadata %s: missing", r->source,
                             metadata_key(key));
}

static lcal_status get_text(void *file, const char *key, char **out, lcal_error *err)
{
    const char *text;
    LCAL_TRY(find(file, key, &text, err));
    *out = lcal__strdup(text);
    return *out ? LCAL_OK : lcal__fail_nomem(err, "metadata");
}

static lcal_status get_integer(void *file, const char *key, int64_t *out, lcal_error *err)
{
    const reader *r = file;
    const char *text;
    uint64_t value;
    LCAL_TRY(find(r, key, &text, err));
    if (strspn(text, "0123456789") != strlen(text) || !lcal__whole_parse(text, &value)
        || value > INT64_MAX)
        return lcal__fail(err, LCAL_FORMAT, "%s: metadata %s: expected an integer, found \"%.80s\"",
                          r->source, key, text);
    *out = (int64_t)value;
    return LCAL_OK;
}

static lcal_status get_real(void *file, const char *key, double *out, lcal_error *err)
{
    const reader *r = file;
    const char *text;
    LCAL_TRY(find(r, key, &text, err));
    if (!lcal__number_parse(text, out))
        return lcal__fail(err, LCAL_FORMAT, "%s: metadata %s: expected a number, found \"%.80s\"",
                          r->source, key, text);
    return LCAL_OK;
}

static lcal_status read_tensor(const reader *r, const lcal__param *param, lcal__dtype expected,
                               float *values, lcal_error *err)
{
    lcal__strbuf name = {0};
    lcal__strbuf_printf(&name, PREFIX "%s", param->name);
    if (name.failed)
        return lcal__fail_nomem(err, r->source);
    const lcal__tensor *tensor = lcal__safetensors_find(&r->tensors, name.text);
    lcal__strbuf_free(&name);
    const size_t rank = param->vector ? 1 : 2, first = param->vector ? param->cols : param->rows;
    if (tensor->rank != rank || tensor->shape[0] != first
        || (rank == 2 && tensor->shape[1] != param->cols))
        return lcal__fail(err, LCAL_SHAPE, "%s: tensor %s: expected %zu x %zu, found another shape",
                          r->source, param->name, param->rows, param->cols);
    if (tensor->dtype != expected)
        return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: expected %s, found %s", r->source,
                          param->name, lcal__dtype_name(expected), lcal__dtype_name(tensor->dtype));
    lcal__convert_to_f32(tensor->dtype, tensor->data, values, tensor->elements);
    return lcal__calib_check_finite(param, values, r->source, err);
}

static lcal_status read_file(reader *r, lcal__calib_names *names, lcal__calib_file *out,
                             lcal_error *err)
{
    const lcal__facts_source facts = {r, r->source, has, get_text, get_integer, get_real};
    LCAL_TRY(lcal__calib_facts_get(&facts, LCAL__CALIB_KIND_RESULT, &out->facts, &out->dtype, err));
    for (size_t i = 0; i < r->tensors.count; i++) {
        const char *name = r->tensors.tensors[i].name;
        if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
            return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: not one of this calibration's",
                              r->source, name);
        LCAL_TRY(lcal__calib_names_add(names, name + strlen(PREFIX), r->source, err));
    }
    LCAL_TRY(lcal__calib_expect(out, names, r->source, err));
    for (size_t i = 0; i < out->params.count; i++)
        LCAL_TRY(read_tensor(r, &out->params.items[i], lcal__store_dtype(out->dtype),
                             out->params.values + out->params.items[i].offset, err));
    return LCAL_OK;
}

lcal_status lcal__calib_parse_safetensors(const void *bytes, size_t size, const char *source,
                                          lcal__calib_file *out, lcal_error *err)
{
    reader r = {.source = source};
    lcal__calib_names names = {0};
    *out = (lcal__calib_file){.safetensors = true};
    LCAL_TRY(lcal__safetensors_parse(bytes, size, source, &r.tensors, err));
    lcal_status status = read_file(&r, &names, out, err);
    lcal__calib_names_free(&names);
    lcal__safetensors_free(&r.tensors);
    if (status != LCAL_OK)
        lcal__calib_file_free(out);
    return status;
}
