/* Results of `lcal train` on standard output. */
#ifndef LCAL_TOOLS_TRAIN_REPORT_H
#define LCAL_TOOLS_TRAIN_REPORT_H

#include "lcal/train.h"

/* What would be trained and the memory plan, item by item. */
void report_plan(const lcal_train_plan *plan);
void report_plan_json(const lcal_train_plan *plan);

/* Losses and the files of the run directory. */
void report_result(const lcal_config *config, const lcal_train_result *result);
void report_result_json(const lcal_config *config, const lcal_train_result *result);

#endif
