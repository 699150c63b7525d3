/* What both formats share: which tensors a calibration holds, and putting them to use. */
#include "calib/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/file_parts.h"

#define NAMES_MAX ((size_t)1 << 20)

lcal__dtype lcal__store_dtype(lcal__store store)
{
    switch (store) {
    case LCAL__STORE_F16:
        return LCAL__F16;
    case LCAL__STORE_BF16:
        return LCAL__BF16;
    case LCAL__STORE_F32:
        break;
    }
    return LCAL__F32;
}

lcal_status lcal__calib_narrow(const lcal__param *param, const float *values, lcal__store dtype,
                               void *out, const char *target, lcal_error *err)
{
    const size_t count = param->rows * param->cols;
    for (size_t i = 0; i < count; i++) {
        float stored = values[i];
        if (dtype == LCAL__STORE_F16)
            stored = lcal__f32_from_f16(lcal__f16_from_f32(values[i]));
        else if (dtype == LCAL__STORE_BF16)
            stored = lcal__f32_from_bf16(lcal__bf16_from_f32(values[i]));
        if (!isfinite(values[i]))
            return lcal__fail(err, LCAL_NUMERIC,
                              "%s: tensor %s: element %zu is %g, expected a finite number", target,
                              param->name, i, (double)values[i]);
        if (!isfinite(stored))
            return lcal__fail(err, LCAL_NUMERIC,
                              "%s: tensor %s: element %zu is %g, too large for 16 bits; set "
                              "calibration.dtype: f32",
                              target, param->name, i, (double)values[i]);
    }
    lcal__convert_from_f32(lcal__store_dtype(dtype), values, out, count);
    return LCAL_OK;
}

lcal_status lcal__calib_check_finite(const lcal__param *param, const float *values,
                                     const char *source, lcal_error *err)
{
    for (size_t i = 0; i < param->rows * param->cols; i++)
        if (!isfinite(values[i]))
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: tensor %s: element %zu is %g, expected a finite number", source,
                              param->name, i, (double)values[i]);
    return LCAL_OK;
}

/* --- names ------------------------------------------------------------------------------ */

lcal_status lcal__calib_names_add(lcal__calib_names *names, const char *name, const char *source,
                                  lcal_error *err)
{
    if (names->count >= NAMES_MAX)
        return lcal__fail(err, LCAL_FORMAT, "%s: more than %zu tensors", source, NAMES_MAX);
    char *copy = lcal__strdup(name);
    if (!copy
        || !lcal__grow((void **)&names->items, &names->capacity, names->count + 1,
                       sizeof(*names->items))) {
        lcal__free(copy);
        return lcal__fail_nomem(err, source);
    }
    names->items[names->count++] = copy;
    return LCAL_OK;
}

void lcal__calib_names_free(lcal__calib_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        lcal__free(names->items[i]);
    lcal__free(names->items);
    *names = (lcal__calib_names){0};
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool has_name(const lcal__calib_names *names, const char *name)
{
    return names->count
           && bsearch(&name, names->items, names->count, sizeof(*names->items), by_text) != NULL;
}

/* --- the layout of a file --------------------------------------------------------------- */

/* Column mergers stand where the adapters have pairs, which a file does not know: adapters with
 * pairs just where it has tensors. Both arrays are freed with lcal__free. */
static lcal_status adapters_of_names(const lcal__calib_facts *facts, const lcal__calib_names *names,
                                     const char *source, lcal__adapter **adapters,
                                     lcal__lora_pair **pairs, lcal_error *err)
{
    static const float present;
    const size_t layers = facts->config.layers, sites = layers * LCAL__PROJ_COUNT;
    size_t total;
    if (!lcal__size_mul(facts->adapter_count, sites, &total) || total > NAMES_MAX)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: %zu adapters of %zu layers are more than this lcal reads", source,
                          facts->adapter_count, layers);
    *adapters = lcal__calloc(facts->adapter_count, sizeof(**adapters));
    *pairs = lcal__calloc(total, sizeof(**pairs));
    if (!*adapters || !*pairs)
        return lcal__fail_nomem(err, "the layout of a calibration");
    for (size_t a = 0; a < facts->adapter_count; a++)
        (*adapters)[a] = (lcal__adapter){.layers = layers, .pairs = *pairs + a * sites};
    for (size_t i = 0; i < names->count; i++) {
        size_t adapter, layer;
        char name[16];
        lcal__proj proj;
        /* Anything misspelt here is found when the names are compared. */
        if (sscanf(names->items[i], "adapters.%8zu.layers.%8zu.%15[^.]", &adapter, &layer, name)
                == 3
            && adapter < facts->adapter_count && layer < layers
            && lcal__proj_from_name(name, &proj))
            (*pairs)[adapter * sites + layer * LCAL__PROJ_COUNT + proj].a = &present;
    }
    return LCAL_OK;
}

static lcal_status layout_columns(const lcal__calib_facts *facts, const lcal__calib_names *names,
                                  const char *source, lcal__params *params, lcal_error *err)
{
    lcal__adapter *adapters = NULL;
    lcal__lora_pair *pairs = NULL;
    lcal__adapter_use *uses = lcal__calloc(facts->adapter_count, sizeof(*uses));
    lcal_status status = uses ? adapters_of_names(facts, names, source, &adapters, &pairs, err)
                              : lcal__fail_nomem(err, "the layout of a calibration");
    for (size_t a = 0; status == LCAL_OK && a < facts->adapter_count; a++)
        uses[a].adapter = &adapters[a];
    if (status == LCAL_OK)
        status = lcal__calib_layout(&facts->spec, &facts->config, uses, facts->adapter_count,
                                    params, err);
    lcal__free(uses);
    lcal__free(adapters);
    lcal__free(pairs);
    return status;
}

static lcal_status layout(const lcal__calib_facts *facts, const lcal__calib_names *names,
                          const char *source, lcal__params *params, lcal_error *err)
{
    if (facts->spec.method == LCAL__METHOD_BASE)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: method base: its result is a model directory, not a calibration",
                          source);
    if (facts->spec.method == LCAL__METHOD_COLUMNS)
        return layout_columns(facts, names, source, params, err);
    return lcal__calib_layout(&facts->spec, &facts->config, NULL, 0, params, err);
}

static lcal_status compare_names(const lcal__params *params, const lcal__calib_names *names,
                                 const char *source, lcal_error *err)
{
    for (size_t i = 0; i < params->count; i++)
        if (!has_name(names, params->items[i].name))
            return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: missing", source,
                              params->items[i].name);
    /* "a.b" beside "a/b": two places of one name, of which only one would be read. */
    for (size_t i = 1; i < names->count; i++)
        if (strcmp(names->items[i - 1], names->items[i]) == 0)
            return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: found twice", source,
                              names->items[i]);
    for (size_t i = 0; names->count != params->count && i < names->count; i++)
        if (!lcal__params_find(params, names->items[i]))
            return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: not one of this calibration's",
                              source, names->items[i]);
    return LCAL_OK;
}

lcal_status lcal__calib_expect(lcal__calib_file *file, lcal__calib_names *names, const char *source,
                               lcal_error *err)
{
    if (names->count)
        qsort(names->items, names->count, sizeof(*names->items), by_text);
    LCAL_TRY(layout(&file->facts, names, source, &file->params, err));
    LCAL_TRY(compare_names(&file->params, names, source, err));
    if (file->params.total == 0 || file->params.total > LCAL__CALIB_NUMBERS_MAX)
        return lcal__fail(err, LCAL_FORMAT, "%s: expected 1 to %zu numbers, found %zu", source,
                          LCAL__CALIB_NUMBERS_MAX, file->params.total);
    file->params.values = lcal__alloc_aligned(file->params.total, sizeof(float));
    return file->params.values ? LCAL_OK : lcal__fail_nomem(err, source);
}

/* --- whole files ------------------------------------------------------------------------ */

lcal_status lcal__calib_parse(const void *bytes, size_t size, const char *source,
                              lcal__calib_file *out, lcal_error *err)
{
    /* Read as the length of a safetensors header this is over a gigabyte, more than one may be. */
    static const unsigned char signature[] = {0x89, 'H', 'D', 'F'};
    if (size >= sizeof(signature) && memcmp(bytes, signature, sizeof(signature)) == 0)
        return lcal__calib_parse_h5(bytes, size, source, out, err);
    return lcal__calib_parse_safetensors(bytes, size, source, out, err);
}

lcal_status lcal__calib_load(const char *path, lcal__calib_file *out, lcal_error *err)
{
    lcal__map map;
    *out = (lcal__calib_file){0};
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal__calib_parse(map.data, map.size, path, out, err);
    lcal__map_close(&map);
    return status;
}

void lcal__calib_file_free(lcal__calib_file *file)
{
    lcal__calib_facts_free(&file->facts);
    lcal__params_free(&file->params);
    *file = (lcal__calib_file){0};
}

/* The tensor of that name, which is usually at that index. */
static const lcal__param *find_near(const lcal__params *params, size_t index, const char *name)
{
    if (index < params->count && strcmp(params->items[index].name, name) == 0)
        return &params->items[index];
    return lcal__params_find(params, name);
}

lcal_status lcal__calib_apply(const lcal__calib_file *file, const char *source,
                              lcal__params *params, lcal_error *err)
{
    for (size_t i = 0; i < params->count; i++) {
        const lcal__param *want = &params->items[i];
        const lcal__param *have = find_near(&file->params, i, want->name);
        if (!have)
            return lcal__fail(err, LCAL_SHAPE, "%s: tensor %s: expected [%zu, %zu], found none",
                              source, want->name, want->rows, want->cols);
        if (have->rows != want->rows || have->cols != want->cols)
            return lcal__fail(err, LCAL_SHAPE,
                              "%s: tensor %s: expected [%zu, %zu], found [%zu, %zu]", source,
                              want->name, want->rows, want->cols, have->rows, have->cols);
    }
    for (size_t i = 0; i < file->params.count; i++)
        if (!find_near(params, i, file->params.items[i].name))
            return lcal__fail(err, LCAL_SHAPE,
                              "%s: tensor %s: has no place in what is trained here", source,
                              file->params.items[i].name);
    for (size_t i = 0; i < params->count; i++) {
        const lcal__param *to = &params->items[i];
        const lcal__param *from = find_near(&file->params, i, to->name);
        memcpy(params->values + to->offset, file->params.values + from->offset,
               to->rows * to->cols * sizeof(float));
    }
    return LCAL_OK;
}
