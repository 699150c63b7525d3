/* Files as lcal writes them: a kill at any moment leaves the old file or the new one. */
#ifndef LCAL_FILE_H
#define LCAL_FILE_H

#include <stddef.h>

#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes or replaces a file as a whole, through a temporary file in the same directory. LCAL_IO: it
 * cannot be written; what was there before still is. */
LCAL_API lcal_status lcal_file_write(const char *path, const void *data, size_t size,
                                     lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
