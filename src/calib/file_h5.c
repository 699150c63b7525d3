/* Calibrations in HDF5: facts as attributes of "/", the tensor q_proj.p as /calib/q_proj/p. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "calib/file_parts.h"

#define GROUP "/calib"
#define DEPTH_MAX 8 /* groups in one another; "adapters/0/layers/0/q_proj" needs five */

/* --- facts ------------------------------------------------------------------------------ */

static lcal_status put_text(void *file, const char *key, const char *value, lcal_error *err)
{
    return lcal__h5_put_text(file, "/", key, value, err);
}

static lcal_status put_integer(void *file, const char *key, int64_t value, lcal_error *err)
{
    return lcal__h5_put_int(file, "/", key, value, err);
}

static lcal_status put_real(void *file, const char *key, double value, lcal_error *err)
{
    return lcal__h5_put_real(file, "/", key, value, err);
}

lcal__facts_sink lcal__calib_sink_h5(lcal__h5 *file)
{
    return (lcal__facts_sink){file, put_text, put_integer, put_real};
}

static bool has(void *file, const char *key)
{
    return lcal__h5_has_attribute(file, "/", key);
}

static lcal_status get_text(void *file, const char *key, char **out, lcal_error *err)
{
    return lcal__h5_get_text(file, "/", key, out, err);
}

static lcal_status get_integer(void *file, const char *key, int64_t *out, lcal_error *err)
{
    return lcal__h5_get_int(file, "/", key, out, err);
}

static lcal_status get_real(void *file, const char *key, double *out, lcal_error *err)
{
    return lcal__h5_get_real(file, "/", key, out, err);
}

lcal__facts_source lcal__calib_source_h5(lcal__h5 *file, const char *name)
{
    return (lcal__facts_source){file, name, has, get_text, get_integer, get_real};
}

/* --- writing ---------------------------------------------------------------------------- */

char *lcal__calib_h5_path(const char *prefix, const char *name)
{
    size_t head = strlen(prefix), size = head + strlen(name) + 2;
    char *path = lcal__calloc(size, 1);
    if (!path)
        return NULL;
    snprintf(path, size, "%s/%s", prefix, name);
    for (char *dot = path + head; (dot = strchr(dot, '.'));)
        *dot = '/';
    return path;
}

static lcal_status put_tensor(lcal__h5 *file, const lcal__param *param, const float *values,
                              lcal__store dtype, const char *target, lcal_error *err)
{
    const size_t shape[2] = {param->rows, param->cols};
    const size_t elements = param->rows * param->cols;
    char *path = lcal__calib_h5_path(GROUP, param->name);
    void *stored = lcal__alloc_aligned(elements, lcal__dtype_size(lcal__store_dtype(dtype)));
    lcal_status status = path && stored ? LCAL_OK : lcal__fail_nomem(err, target);
    if (status == LCAL_OK)
        status = lcal__calib_narrow(param, values, dtype, stored, target, err);
    if (status == LCAL_OK)
        status = lcal__h5_put(file, path, lcal__store_dtype(dtype), param->vector ? 1 : 2,
                              param->vector ? shape + 1 : shape, stored, err);
    lcal__free(stored);
    lcal__free(path);
    return status;
}

static lcal_status fill(lcal__h5 *file, const lcal__calib_facts *facts, const lcal__params *params,
                        const float *values, lcal__store dtype, const char *target, lcal_error *err)
{
    const lcal__facts_sink sink = lcal__calib_sink_h5(file);
    LCAL_TRY(lcal__calib_facts_put(facts, LCAL__CALIB_KIND_RESULT, dtype, &sink, err));
    for (size_t i = 0; i < params->count; i++)
        LCAL_TRY(put_tensor(file, &params->items[i], values + params->items[i].offset, dtype,
                            target, err));
    return LCAL_OK;
}

lcal_status lcal__calib_save_h5(const char *path, const lcal__calib_facts *facts,
                                const lcal__params *params, const float *values, lcal__store dtype,
                                lcal_error *err)
{
    lcal__h5 *file = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0;
    LCAL_TRY(lcal__h5_create(&file, err));
    lcal_status status = fill(file, facts, params, values, dtype, path, err);
    if (status == LCAL_OK)
        status = lcal__h5_finish(&file, &bytes, &size, err);
    lcal__h5_close(&file);
    if (status == LCAL_OK)
        status = lcal__file_replace(path, bytes, size, err);
    lcal__free(bytes);
    return status;
}

/* --- reading ---------------------------------------------------------------------------- */

/* A walk through the groups of a file, gathering the names of its datasets. */
typedef struct walk {
    lcal__h5 *file;
    const char *source;
    lcal__calib_names *names;
    lcal__strbuf path; /* of the group it is in */
    size_t depth;
} walk;

static lcal_status visit(void *context, const char *name, bool is_group, lcal_error *err)
{
    walk *w = context;
    const size_t length = w->path.length;
    lcal__strbuf_printf(&w->path, "/%s", name);
    if (w->path.failed)
        return lcal__fail_nomem(err, w->source);
    lcal_status status;
    if (is_group && w->depth >= DEPTH_MAX)
        status = lcal__fail(err, LCAL_FORMAT, "%s: %s: groups deeper than a calibration has",
                            w->source, w->path.text);
    else if (is_group) {
        w->depth++;
        status = lcal__h5_list(w->file, w->path.text, visit, w, err);
        w->depth--;
    } else {
        status = lcal__calib_names_add(w->names, w->path.text + sizeof(GROUP), w->source, err);
        if (status == LCAL_OK)
            for (char *slash = w->names->items[w->names->count - 1]; (slash = strchr(slash, '/'));)
                *slash = '.';
    }
    w->path.length = length;
    w->path.text[length] = '\0';
    return status;
}

static lcal_status read_tensor(lcal__h5 *file, const lcal__param *param, lcal__dtype expected,
                               const char *source, float *values, lcal_error *err)
{
    const size_t rank = param->vector ? 1 : 2, extents[2] = {param->rows, param->cols};
    const size_t *shape = param->vector ? extents + 1 : extents;
    lcal__dtype dtype;
    size_t found_rank, found[8];
    char *path = lcal__calib_h5_path(GROUP, param->name);
    if (!path)
        return lcal__fail_nomem(err, source);
    lcal_status status = lcal__h5_shape(file, path, &dtype, &found_rank, found, err);
    if (status == LCAL_OK && dtype != expected)
        status = lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: expected %s, found %s", source,
                            param->name, lcal__dtype_name(expected), lcal__dtype_name(dtype));
    if (status == LCAL_OK)
        status = lcal__h5_get_f32(file, path, rank, shape, values, err);
    lcal__free(path);
    return status == LCAL_OK ? lcal__calib_check_finite(param, values, source, err) : status;
}

static lcal_status read_file(lcal__h5 *file, const char *source, lcal__calib_names *names,
                             lcal__calib_file *out, lcal_error *err)
{
    const lcal__facts_source facts = lcal__calib_source_h5(file, source);
    LCAL_TRY(lcal__calib_facts_get(&facts, LCAL__CALIB_KIND_RESULT, &out->facts, &out->dtype, err));
    walk w = {.file = file, .source = source, .names = names};
    lcal__strbuf_add(&w.path, GROUP);
    lcal_status status =
        w.path.failed ? lcal__fail_nomem(err, source) : lcal__h5_list(file, GROUP, visit, &w, err);
    lcal__strbuf_free(&w.path);
    if (status != LCAL_OK)
        return status;
    LCAL_TRY(lcal__calib_expect(out, names, source, err));
    for (size_t i = 0; i < out->params.count; i++)
        LCAL_TRY(read_tensor(file, &out->params.items[i], lcal__store_dtype(out->dtype), source,
                             out->params.values + out->params.items[i].offset, err));
    return LCAL_OK;
}

lcal_status lcal__calib_parse_h5(const void *bytes, size_t size, const char *source,
                                 lcal__calib_file *out, lcal_error *err)
{
    lcal__h5 *file = NULL;
    lcal__calib_names names = {0};
    *out = (lcal__calib_file){0};
    LCAL_TRY(lcal__h5_open(bytes, size, source, &file, err));
    lcal_status status = read_file(file, source, &names, out, err);
    lcal__calib_names_free(&names);
    lcal__h5_close(&file);
    if (status != LCAL_OK)
        lcal__calib_file_free(out);
    return status;
}
