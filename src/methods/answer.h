/* The answers of a prepared row to the test examples. */
#ifndef LCAL_METHODS_ANSWER_H
#define LCAL_METHODS_ANSWER_H

#include "methods/job.h"
#include "methods/kept.h"

/* Takes what is kept below out and answers the rest, keeping it batch after batch. *reused: how
 * many were there; *interrupted: should_stop ended it early. */
lcal_status lcal__answer_cases(const lcal__job *job, const lcal__stage *stage, lcal__kept *kept,
                               size_t *reused, bool *interrupted, lcal_error *err);

#endif
