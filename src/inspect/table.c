#include "lcal/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "inspect/table_parts.h"

/* --- rows and columns ------------------------------------------------------------------------ */

lcal_status lcal__table_add_column(lcal__table_reader *r, const char *name)
{
    lcal_table *table = r->table;
    if (table->columns == LCAL__TABLE_COLUMNS_MAX)
        return lcal__fail(r->err, LCAL_FORMAT, "%s:%zu: expected at most %zu columns, found more",
                          r->source, lcal__lines_number(r->lines), LCAL__TABLE_COLUMNS_MAX);
    void *columns = table->column;
    bool grown =
        lcal__grow(&columns, &r->columns_capacity, table->columns + 1, sizeof(*table->column));
    table->column = columns;
    if (!grown)
        return lcal__fail_nomem(r->err, r->source);
    lcal_column *column = &table->column[table->columns];
    *column = (lcal_column){.name = lcal__strdup(name)};
    column->values = lcal__calloc(r->rows_capacity ? r->rows_capacity : 1, sizeof(double));
    table->columns++; /* freed with the others from here on */
    if (!column->name || !column->values)
        return lcal__fail_nomem(r->err, r->source);
    for (size_t i = 0; i < table->rows; i++)
        column->values[i] = NAN;
    return LCAL_OK;
}

/* Also where there is no column yet: one that comes later has room for the rows before it. */
static bool grow_rows(lcal__table_reader *r)
{
    size_t wanted = 8;
    if (r->rows_capacity && !lcal__size_mul(r->rows_capacity, 2, &wanted))
        return false;
    for (size_t c = 0; c < r->table->columns; c++) {
        void *values = r->table->column[c].values;
        size_t capacity = r->rows_capacity;
        bool grown = lcal__grow(&values, &capacity, wanted, sizeof(double));
        r->table->column[c].values = values;
        if (!grown)
            return false;
    }
    r->rows_capacity = wanted;
    return true;
}

lcal_status lcal__table_add_row(lcal__table_reader *r)
{
    if (r->table->rows == r->rows_capacity && !grow_rows(r))
        return lcal__fail_nomem(r->err, r->source);
    for (size_t c = 0; c < r->table->columns; c++)
        r->table->column[c].values[r->table->rows] = NAN;
    r->table->rows++;
    return LCAL_OK;
}

void lcal__table_set(lcal__table_reader *r, size_t column, double value)
{
    r->table->column[column].values[r->table->rows - 1] = isfinite(value) ? value : NAN;
}

lcal_status lcal__table_set_text(lcal__table_reader *r, size_t column, const char *text)
{
    lcal_column *c = &r->table->column[column];
    if (c->text)
        return LCAL_OK;
    c->text = lcal__strdup(text);
    c->text_line = lcal__lines_number(r->lines);
    return c->text ? LCAL_OK : lcal__fail_nomem(r->err, r->source);
}

/* --- lines ----------------------------------------------------------------------------------- */

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

/* An object being appended while it is read is no mistake: it has no newline and nothing follows.
 */
static lcal_status read_object_line(lcal__table_reader *r, const char *text, size_t length,
                                    bool complete)
{
    lcal_error problem = {0}, *err = r->err;
    r->err = &problem;
    lcal_status status = lcal__table_read_object(r, text, length);
    r->err = err;
    if (status == LCAL_OK)
        return LCAL_OK;
    const char *next = text;
    if (status == LCAL_FORMAT && !complete
        && lcal__lines_next(r->lines, &next, &length, NULL) == LCAL_OK && !next)
        return LCAL_OK;
    return lcal__fail(err, status, "%s", problem.message);
}

static lcal_status read_lines(lcal__table_reader *r, bool complete)
{
    const char *text;
    size_t length;
    bool objects = false, first = true;
    for (;;) {
        LCAL_TRY(lcal__lines_next(r->lines, &text, &length, r->err));
        if (!text)
            return LCAL_OK;
        if (is_blank(text, length))
            continue;
        if (first)
            objects = text[strspn(text, " \t\r")] == '{';
        first = false;
        LCAL_TRY(objects ? read_object_line(r, text, length, complete)
                         : lcal__table_read_csv(r, text, length));
    }
}

/* --- order ----------------------------------------------------------------------------------- */

typedef struct place {
    double step;
    size_t row;
} place;

static int compare_places(const void *left, const void *right)
{
    const place *a = left, *b = right;
    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Moves each column's values to the order of places[0..count). */
static void permute(lcal_table *table, const place *places, size_t count, double *scratch)
{
    for (size_t c = 0; c < table->columns; c++) {
        double *values = table->column[c].values;
        for (size_t i = 0; i < count; i++)
            scratch[i] = values[places[i].row];
        memcpy(values, scratch, count * sizeof(*values));
    }
    table->rows = count;
}

/* Rows in the order of `step`, the last of each; as they are where a row has none. */
static lcal_status order_steps(lcal_table *table, const char *source, lcal_error *err)
{
    const size_t step = lcal_table_find(table, "step");
    bool ordered = true;
    if (step == table->columns)
        return LCAL_OK;
    const double *steps = table->column[step].values;
    for (size_t i = 0; i < table->rows; i++) {
        if (isnan(steps[i]))
            return LCAL_OK;
        ordered = ordered && (i == 0 || steps[i] > steps[i - 1]);
    }
    if (ordered)
        return LCAL_OK;
    place *places = lcal__calloc(table->rows, sizeof(*places));
    double *scratch = lcal__calloc(table->rows, sizeof(*scratch));
    if (places && scratch) {
        size_t kept = 0;
        for (size_t i = 0; i < table->rows; i++)
            places[i] = (place){steps[i], i};
        qsort(places, table->rows, sizeof(*places), compare_places);
        for (size_t i = 0; i < table->rows; i++)
            if (i + 1 == table->rows || places[i + 1].step != places[i].step)
                places[kept++] = places[i];
        permute(table, places, kept, scratch);
    }
    const bool done = places && scratch;
    lcal__free(places);
    lcal__free(scratch);
    return done ? LCAL_OK : lcal__fail_nomem(err, source);
}

/* --- the public functions -------------------------------------------------------------------- */

lcal_status lcal__table_parse(const void *bytes, size_t size, const char *source, lcal_table *out,
                              lcal_error *err)
{
    const unsigned char *data = bytes;
    lcal__table_reader r = {.table = out, .source = source, .err = err};
    const bool gzip = size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
    LCAL_TRY(lcal__lines_open(bytes, size, source, &r.lines, err));
    lcal_status status = read_lines(&r, gzip || size == 0 || data[size - 1] == '\n');
    lcal__strbuf_free(&r.field);
    lcal__lines_close(&r.lines);
    LCAL_TRY(status);
    if (out->rows == 0)
        return lcal__fail(err, LCAL_FORMAT, "%s: expected at least one row, found none", source);
    return r.delimiter ? LCAL_OK : order_steps(out, source, err);
}

static lcal_status read_file(const char *path, lcal_table *out, lcal_error *err)
{
    lcal__map map = {0};
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal__table_parse(map.data, map.size, path, out, err);
    lcal__map_close(&map);
    return status;
}

static lcal_status read_run(const char *directory, lcal_table *out, lcal_error *err)
{
    char *path = lcal__path_join(directory, "metrics.jsonl");
    if (!path)
        return lcal__fail_nomem(err, directory);
    lcal_status status =
        lcal__path_is_file(path)
            ? read_file(path, out, err)
            : lcal__fail(err, LCAL_IO,
                         "%s: expected metrics.jsonl in this directory, found none; a run writes "
                         "it with its first logged step",
                         directory);
    lcal__free(path);
    return status;
}

lcal_status lcal_table_read(const char *path, lcal_table *out, lcal_error *err)
{
    if (!path || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_table_read: path and out must be given");
    *out = (lcal_table){0};
    lcal_status status =
        lcal__path_is_dir(path) ? read_run(path, out, err) : read_file(path, out, err);
    if (status != LCAL_OK)
        lcal_table_free(out);
    return status;
}

void lcal_table_free(lcal_table *table)
{
    if (!table)
        return;
    for (size_t c = 0; c < table->columns; c++) {
        lcal__free(table->column[c].name);
        lcal__free(table->column[c].values);
        lcal__free(table->column[c].text);
    }
    lcal__free(table->column);
    *table = (lcal_table){0};
}

size_t lcal_table_find(const lcal_table *table, const char *name)
{
    size_t column = 0;
    while (column < table->columns && strcmp(table->column[column].name, name) != 0)
        column++;
    return column;
}
