/* A table while it is read: the readers of both forms add rows, then fill their last one. */
#ifndef LCAL_INSPECT_TABLE_PARTS_H
#define LCAL_INSPECT_TABLE_PARTS_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "format/lines.h"
#include "lcal/table.h"

#define LCAL__TABLE_COLUMNS_MAX ((size_t)1024)

typedef struct lcal__table_reader {
    lcal_table *table;
    const char *source; /* what messages call the file */
    lcal__lines *lines;
    size_t columns_capacity, rows_capacity; /* the columns' values all have room for as many rows */
    char delimiter;                         /* of CSV; 0: the header was not read yet */
    lcal__strbuf field;                     /* of CSV: scratch */
    lcal_error *err;
} lcal__table_reader;

/* The whole of a file in memory into *out, which is zeroed; lcal_table_free ends it in any case. */
lcal_status lcal__table_parse(const void *bytes, size_t size, const char *source, lcal_table *out,
                              lcal_error *err);

/* A column of rows without values; `name` is copied. LCAL_FORMAT: too many. */
lcal_status lcal__table_add_column(lcal__table_reader *r, const char *name);

/* A row without values. */
lcal_status lcal__table_add_row(lcal__table_reader *r);

/* Sets a value of the last row; text that is no number is kept where it is the column's first. */
void lcal__table_set(lcal__table_reader *r, size_t column, double value);
lcal_status lcal__table_set_text(lcal__table_reader *r, size_t column, const char *text);

/* One line that is not blank, without its end. The first line of CSV is the header. */
typedef lcal_status lcal__table_line_fn(lcal__table_reader *r, const char *text, size_t length);
lcal__table_line_fn lcal__table_read_object, lcal__table_read_csv;

#endif
