/* Answers scored: the means of a report, and a line for every answer. */
#ifndef LCAL_METHODS_REPORT_H
#define LCAL_METHODS_REPORT_H

#include "eval/scores.h"
#include "eval/verdicts.h"
#include "methods/job.h"
#include "methods/kept.h"

/* Zeroed is valid and empty. */
typedef struct lcal__scored {
    const lcal__job *job;
    const lcal__kept *kept; /* as many answers as test examples */
    double *scores;         /* [answers, LCAL__SCORES] */
    lcal__corpus corpus;
    lcal__verdicts verdicts; /* of judge_in; empty: none */
} lcal__scored;

/* Scores all answers and reads what others say of them. job and kept must outlive it. */
lcal_status lcal__scored_open(const lcal__job *job, const lcal__kept *kept, lcal__scored *out,
                              lcal_error *err);
void lcal__scored_close(lcal__scored *scored);

/* Means and intervals into the report. */
lcal_status lcal__scored_sum(const lcal__scored *scored, lcal_eval_report *report, lcal_error *err);

/* One line an answer with its scores, to the file of the option dump. */
lcal_status lcal__scored_dump(const lcal__scored *scored, const char *path, lcal_error *err);

/* One line an answer without them, to the file of the option judge_out. */
lcal_status lcal__judge_write(const lcal__job *job, const lcal__kept *kept, const char *path,
                              lcal_error *err);

#endif
