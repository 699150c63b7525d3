/*
 * Tables of numbers: the metrics.jsonl of a run, any file of JSON objects, CSV with a header.
 */
#ifndef LCAL_TABLE_H
#define LCAL_TABLE_H

#include <stddef.h>

#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One key of the objects, or one field of the header. */
typedef struct lcal_column {
    char *name;
    double *values;   /* [rows of the table]; NAN: empty, null, not finite or text */
    char *text;       /* the first value that is no number; NULL: there is none */
    size_t text_line; /* where it stands, from 1 */
} lcal_column;

/* A zeroed table is valid and empty. */
typedef struct lcal_table {
    size_t rows, columns;
    lcal_column *column; /* [columns], in the order of first appearance */
} lcal_table;

/*
 * Reads a run directory (its metrics.jsonl), or a file, plain or gzip: objects where its first
 * character is "{", else CSV (fields apart by comma, semicolon or tab, quotes doubled inside
 * quotes). Rows of objects that have the key "step" are put in its order and the last one of a step
 * counts: a run that was continued may have written it twice. A last line without its newline that
 * is no object is a row still being written and left out.
 * LCAL_FORMAT: a line that does not fit, with its number; LCAL_IO: nothing to read. Free with
 * lcal_table_free.
 */
LCAL_API lcal_status lcal_table_read(const char *path, lcal_table *out, lcal_error *err);
LCAL_API void lcal_table_free(lcal_table *table);

/* Index of a column; table->columns where there is none of that name. */
LCAL_API size_t lcal_table_find(const lcal_table *table, const char *name);

#ifdef __cplusplus
}
#endif
#endif
