/* metrics.jsonl: one row every train.log_every steps (DESIGN.md 5). */
#ifndef LCAL_TRAIN_METRICS_H
#define LCAL_TRAIN_METRICS_H

#include "base/status.h"
#include "lcal/train.h"

/* Appends a row; val_loss is there where it is known, any other unknown number is null. Allocates
 * nothing. */
lcal_status lcal__metrics_append(const char *path, const lcal_progress *row, lcal_error *err);

/* Cuts the file back to the rows up to `step`; a last line that a kill left unfinished goes too.
 * LCAL_FORMAT: another line is no row. A missing file is fine. */
lcal_status lcal__metrics_truncate(const char *path, uint64_t step, lcal_error *err);

#endif
