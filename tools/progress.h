/*
 * What the user sees while something runs: one line rewritten in place on a terminal, plain lines
 * elsewhere. All of it goes to stderr.
 */
#ifndef LCAL_TOOLS_PROGRESS_H
#define LCAL_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "lcal/log.h"
#include "lcal/train.h"

typedef struct progress {
    bool quiet;    /* only notices are shown */
    bool rewrites; /* stderr is a terminal that can go back to the start of a line */
    bool colour;
    bool open;    /* a rewritten line stands on the terminal */
    double shown; /* when it was last rewritten, seconds */
} progress;

/* NO_COLOR and TERM=dumb are honoured (https://no-color.org). */
progress progress_init(bool quiet);

/* Hook of lcal_train_hooks; user: the progress. */
void progress_step(void *user, const lcal_progress *now);

/* The same for answers; hook of lcal_eval_options. */
void progress_answers(void *user, size_t done, size_t count);

/* Hook of lcal_log; user: the progress. */
void progress_log(void *user, lcal_log_level level, const char *message);

/* Ends a rewritten line, so that others may print. */
void progress_end(progress *p);

#endif
