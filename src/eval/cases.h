/*
 * What is evaluated: prompts with the answers they should get, and everything else their rows say.
 *
 * A row is text in any form that data/record.h lists. Its reference is the answer it holds;
 * "completions", a list of strings, are several.
 */
#ifndef LCAL_EVAL_CASES_H
#define LCAL_EVAL_CASES_H

#include <jansson.h>

#include "lcal/prompts.h"

typedef struct lcal__case {
    json_t *row;            /* as read */
    size_t line;            /* of the file, from 1 */
    lcal_message *messages; /* [message_count] up to what is to be answered */
    size_t message_count;
    char **references; /* [reference_count], at least one */
    size_t reference_count;
} lcal__case;

/* Zeroed is valid and empty. Owns everything. */
typedef struct lcal__cases {
    lcal__case *items; /* [count], at least one once read */
    size_t count, capacity;
} lcal__cases;

/* Reads the first `limit` rows (0: all); LCAL_FORMAT names the line that is none. */
lcal_status lcal__cases_read(const char *path, size_t limit, lcal__cases *out, lcal_error *err);

/* The same from memory; source: what messages call it. */
lcal_status lcal__cases_parse(const void *bytes, size_t size, const char *source, size_t limit,
                              lcal__cases *out, lcal_error *err);
void lcal__cases_free(lcal__cases *cases);

/* The text of the last message: the question itself. */
const char *lcal__case_question(const lcal__case *item);

/* A string of the row; *out is NULL where the key is absent or null. LCAL_FORMAT: another type. */
lcal_status lcal__case_string(const lcal__case *item, const char *source, const char *key,
                              const char **out, lcal_error *err);

#endif
