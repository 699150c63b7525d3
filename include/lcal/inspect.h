/*
 * Looking inside: calibrations, checkpoints, adapters, models, run directories, data files.
 * Checksums are verified where the format has them, tensors are scanned for NaN and infinities.
 */
#ifndef LCAL_INSPECT_H
#define LCAL_INSPECT_H

#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lcal_inspect_style { LCAL_INSPECT_TEXT, LCAL_INSPECT_JSON } lcal_inspect_style;

/* Describes a file or directory, recognised by content. Free *text with lcal_text_free
 * (lcal/config.h). */
LCAL_API lcal_status lcal_inspect(const char *path, lcal_inspect_style style, char **text,
                                  lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
