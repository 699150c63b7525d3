#include "inspect/tensors.h"

#include <math.h>

#define CHUNK 4096 /* values widened at a time */

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

static spread scan(lcal__dtype dtype, const unsigned char *data, size_t count)
{
    float values[CHUNK];
    spread out = {0};
    const size_t size = lcal__dtype_size(dtype);
    for (size_t at = 0, n; at < count; at += n) {
        n = count - at < CHUNK ? count - at : CHUNK;
        lcal__convert_to_f32(dtype, data + at * size, values, n);
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

void lcal__tensor_table_add(lcal__tensor_table *table, const char *name, lcal__dtype shown,
                            size_t rank, const size_t *shape, lcal__dtype dtype, const void *data)
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
    lcal__report_text(&row, "dtype", lcal__dtype_name(shown));
    spread values = {0};
    if (data && is_floating(dtype))
        values = scan(dtype, data, count);
    const double nothing = values.finite ? 0.0 : (double)NAN;
    lcal__report_real(&row, "min", values.min + nothing);
    lcal__report_real(&row, "max", values.max + nothing);
    lcal__report_real(&row, "rms", sqrt(values.squares / (double)values.finite));
    lcal__report_count(&row, "non_finite", values.non_finite);
    lcal__report_append(&table->holder, table->rows, &row);
    table->parameters += count;
    table->non_finite += values.non_finite;
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
