#include "inspect/tensors.h"

#include <math.h>
#include <string.h>

#include "format/ggml_type.h"

#define CHUNK 4096 /* values widened at a time; whole blocks of every type */

/* Of the finite values. */
typedef struct spread {
    double min, max, squares;
    uint64_t finite, non_finite;
} spread;

static void scan_values(const float *x, size_t count, spread *out)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(x[i])) {
            out->non_finite++;
            continue;
        }
        out->min = out->finite && out->min < x[i] ? out->min : x[i];
        out->max = out->finite && out->max > x[i] ? out->max : x[i];
        out->squares += (double)x[i] * x[i];
        out->finite++;
    }
}

/* Numbers as stored: of a dtype, or of a type of GGUF. */
typedef struct stored {
    const unsigned char *data; /* NULL: unknown */
    bool gguf;
    lcal__dtype dtype;
    lcal__ggml_type type;
} stored;

static spread scan(const stored *from, size_t count)
{
    float values[CHUNK];
    spread out = {0};
    for (size_t at = 0, n; at < count; at += n) {
        n = count - at < CHUNK ? count - at : CHUNK;
        if (from->gguf)
            lcal__ggml_decode(from->type, from->data + lcal__ggml_bytes(from->type, at), values, n);
        else
            lcal__convert_to_f32(from->dtype, from->data + at * lcal__dtype_size(from->dtype),
                                 values, n);
        scan_values(values, n, &out);
    }
    return out;
}

static bool is_floating(lcal__dtype dtype)
{
    return dtype != LCAL__I64 && dtype != LCAL__I32;
}

lcal__tensor_table lcal__tensor_table_new(void)
{
    lcal__tensor_table table = {.holder = lcal__report_new()};
    table.rows = lcal__report_list(&table.holder, "tensors");
    return table;
}

static void add(lcal__tensor_table *table, const char *name, const char *shown, size_t rank,
                const size_t *shape, const stored *from)
{
    lcal__report row = lcal__report_new();
    lcal__report_text(&row, "name", name);
    json_t *extents = lcal__report_list(&row, "shape");
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        count *= shape[i];
        if (json_array_append_new(extents, json_integer((json_int_t)shape[i])) != 0)
            row.failed = true;
    }
    lcal__report_text(&row, "dtype", shown);
    spread values = {0};
    if (from->data)
        values = scan(from, count);
    const double nothing = values.finite ? 0.0 : (double)NAN;
    lcal__report_real(&row, "min", values.min + nothing);
    lcal__report_real(&row, "max", values.max + nothing);
    lcal__report_real(&row, "rms", sqrt(values.squares / (double)values.finite));
    lcal__report_count(&row, "non_finite", values.non_finite);
    lcal__report_append(&table->holder, table->rows, &row);
    table->parameters += count;
    table->non_finite += values.non_finite;
}

void lcal__tensor_table_add(lcal__tensor_table *table, const char *name, lcal__dtype shown,
                            size_t rank, const size_t *shape, lcal__dtype dtype, const void *data)
{
    const stored from = {.data = is_floating(dtype) ? data : NULL, .dtype = dtype};
    add(table, name, lcal__dtype_name(shown), rank, shape, &from);
}

void lcal__tensor_table_add_gguf(lcal__tensor_table *table, const lcal__gguf_tensor *tensor)
{
    char name[LCAL__GGUF_NAME_MAX + 1];
    size_t shape[LCAL__GGUF_DIMS];
    const bool known = lcal__ggml_known(tensor->type);
    const stored from = {.data = known ? tensor->data : NULL,
                         .gguf = true,
                         .type = known ? (lcal__ggml_type)tensor->type : LCAL__GGML_F32};
    memcpy(name, tensor->name.text, tensor->name.length);
    name[tensor->name.length] = '\0';
    for (size_t i = 0; i < tensor->dims; i++) /* the slowest first, as other tables have it */
        shape[i] = tensor->extent[tensor->dims - 1 - i];
    add(table, name, tensor->type_name, tensor->dims, shape, &from);
}

void lcal__tensor_table_finish(lcal__tensor_table *table, uint64_t file_bytes, lcal__report *facts)
{
    lcal__report_count(facts, "parameters", table->parameters);
    if (table->parameters)
        lcal__report_real(facts, "bytes_per_parameter",
                          (double)file_bytes / (double)table->parameters);
    lcal__report_count(facts, "non_finite", table->non_finite);
    facts->failed = facts->failed || table->holder.failed;
    lcal__report_value(facts, "tensors", json_incref(table->rows));
    lcal__tensor_table_free(table);
}

void lcal__tensor_table_free(lcal__tensor_table *table)
{
    lcal__report_free(&table->holder);
    *table = (lcal__tensor_table){0};
}
