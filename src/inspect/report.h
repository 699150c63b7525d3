/*
 * What inspection finds out, as a JSON object in the order it was found: printed as it is, or laid
 * out as text (text.h). A failed allocation is remembered and reported once, at the end.
 */
#ifndef LCAL_INSPECT_REPORT_H
#define LCAL_INSPECT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/json.h"

typedef struct lcal__report {
    json_t *object; /* NULL only where failed */
    bool failed;
} lcal__report;

lcal__report lcal__report_new(void);
void lcal__report_free(lcal__report *facts);

/* Bytes that are not UTF-8 become U+FFFD. */
void lcal__report_text(lcal__report *facts, const char *key, const char *value);
void lcal__report_count(lcal__report *facts, const char *key, uint64_t value);
/* null where it is not finite. */
void lcal__report_real(lcal__report *facts, const char *key, double value);
void lcal__report_bool(lcal__report *facts, const char *key, bool value);
/* Any value; takes the reference, NULL counts as a failed allocation. */
void lcal__report_value(lcal__report *facts, const char *key, json_t *value);
/* An object below another; `below` is left empty. */
void lcal__report_nest(lcal__report *facts, const char *key, lcal__report *below);

/* A list that grows, under its key; NULL on failure, borrowed. */
json_t *lcal__report_list(lcal__report *facts, const char *key);
/* Appends an object; `item` is left empty. */
void lcal__report_append(lcal__report *facts, json_t *list, lcal__report *item);

/* LCAL_NOMEM where anything failed. */
lcal_status lcal__report_check(const lcal__report *facts, lcal_error *err);

#endif
