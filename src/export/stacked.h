/*
 * Everything that is added to the base as one pair a module, for files that hold nothing but pairs:
 * stacked, A by rows with the scales folded in and B by columns, so that their product is the exact
 * sum; or cut to the rank that the options ask for.
 */
#ifndef LCAL_EXPORT_STACKED_H
#define LCAL_EXPORT_STACKED_H

#include "export/export.h"
#include "merge/cut.h"

/* Zeroed is valid and empty. */
typedef struct lcal__stacked {
    const lcal__exporting *job;
    size_t *ranks; /* [layers * LCAL__PROJ_COUNT] of all pairs; 0: none */
    bool bias;     /* one module has one */
    /* The pair at work. */
    lcal__module_update module;
    lcal__cut cut;
    float *values, *zeros;
} lcal__stacked;

/* LCAL_UNSUPPORTED where there is no update, or one of full rank and no rank to cut it to; merged:
 * the format to advise in its place. For a format's check. */
lcal_status lcal__stacked_check(const lcal__exporting *job, const char *merged, lcal_error *err);

/* Plans the ranks. */
lcal_status lcal__stacked_open(const lcal__exporting *job, lcal__stacked *out, lcal_error *err);
void lcal__stacked_close(lcal__stacked *stacked);

/* A module's pair, scale 1, valid until the next call; its bias is never NULL where stacked->bias,
 * A is NULL where the module is left alone. Notes it in the report. */
lcal_status lcal__stacked_pair(lcal__stacked *stacked, size_t layer, lcal__proj proj,
                               lcal__lora_pair *out, lcal_error *err);

#endif
