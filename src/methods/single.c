/* Rows that only choose what is opened: adapters, a rule that merges them, or two passes. */
#include "methods/rows.h"

lcal_status lcal__prepare_adapters(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    lcal__changes changes = {0};
    lcal__changes_adapters(&changes, job->settings, job->row->first, job->row->count, NULL);
    lcal__changes_merge(&changes, LCAL__MERGE_CONCAT);
    return lcal__stage_open(job, stage, &changes, err);
}

static lcal__merge_rule choose_rule(const lcal__job *job)
{
    const lcal__row *row = job->row;
    for (size_t i = 0; i < row->rule_count; i++)
        if (row->rules[i] == job->settings->merge.method)
            return row->rules[i];
    return row->rules[0];
}

lcal_status lcal__prepare_merge(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    lcal__changes changes = {0};
    lcal__changes_merge(&changes, choose_rule(job));
    return lcal__stage_open(job, stage, &changes, err);
}

lcal_status lcal__prepare_two(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    for (size_t i = 0; i < 2; i++) {
        lcal__changes changes = {0};
        lcal__changes_adapters(&changes, job->settings, i, 1, NULL);
        lcal__changes_merge(&changes, LCAL__MERGE_CONCAT);
        LCAL_TRY(lcal__stage_open(job, stage, &changes, err));
    }
    return LCAL_OK;
}
