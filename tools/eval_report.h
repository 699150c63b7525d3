/* What `lcal eval` prints. */
#ifndef LCAL_TOOLS_EVAL_REPORT_H
#define LCAL_TOOLS_EVAL_REPORT_H

#include "lcal/evaluate.h"

/* For people, and as one JSON object on one line. */
void eval_report_print(const lcal_eval_report *report);
void eval_report_json(const lcal_eval_report *report);

#endif
