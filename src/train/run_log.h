/* log.txt: every message of a run, also passed on to the caller. */
#ifndef LCAL_TRAIN_RUN_LOG_H
#define LCAL_TRAIN_RUN_LOG_H

#include "base/strbuf.h"
#include "lcal/log.h"

/* What comes before the run directory may be touched is kept and written then. */
typedef struct lcal__run_log {
    lcal_log log;          /* to be handed on */
    const lcal_log *outer; /* of the caller; may be NULL */
    const char *path;      /* NULL: not open yet */
    lcal__strbuf pending;
} lcal__run_log;

void lcal__run_log_init(lcal__run_log *run, const lcal_log *outer);

/* From now on lines are appended to `path`, which must outlive the log. */
lcal_status lcal__run_log_open(lcal__run_log *run, const char *path, lcal_error *err);

/* A line for the file alone: the caller learns it another way. Nothing where it is not open. */
void lcal__run_log_note(const lcal__run_log *run, lcal_log_level level, const char *format, ...)
    LCAL_PRINTF(3, 4);

void lcal__run_log_free(lcal__run_log *run);

#endif
