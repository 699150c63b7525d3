/*
 * Lines of a text file, plain or gzip (the only user of zlib), recognised by content. Whole lines
 * only: "\n" or "\r\n" ends are cut, a last line without one counts. A line over the limit, a
 * damaged or truncated gzip stream is an error that names the line or the offset.
 */
#ifndef LCAL_FORMAT_LINES_H
#define LCAL_FORMAT_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define LCAL__LINE_MAX ((size_t)64 << 20)

typedef struct lcal__lines lcal__lines;

/* From memory that must outlive the reader. */
lcal_status lcal__lines_open(const void *bytes, size_t size, const char *source, lcal__lines **out,
                             lcal_error *err);
void lcal__lines_close(lcal__lines **lines);

/* Next line: *text is zero-terminated, valid until the next call, *length without the zero (it may
 * hold zero bytes). At the end *text is NULL. */
lcal_status lcal__lines_next(lcal__lines *lines, const char **text, size_t *length,
                             lcal_error *err);

/* Number of the line that was read last, from 1. */
size_t lcal__lines_number(const lcal__lines *lines);

#endif
