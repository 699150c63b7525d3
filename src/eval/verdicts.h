/*
 * What someone else says of answers: JSON lines, one an answer, whose numbers and booleans are
 * scores; other members are passed over.
 *
 *   {"id": 0, "main_ok": true, "fluency": 4}
 *
 * Lines with an "id" come in any order; where none has one, they are in the order of the answers.
 */
#ifndef LCAL_EVAL_VERDICTS_H
#define LCAL_EVAL_VERDICTS_H

#include <stddef.h>

#include "base/status.h"

#define LCAL__VERDICT_NAMES_MAX 32

/* Zeroed is valid and empty. */
typedef struct lcal__verdicts {
    char *names[LCAL__VERDICT_NAMES_MAX]; /* [name_count] in the order of the first line */
    size_t name_count;
    size_t count;   /* answers */
    double *values; /* [count, name_count] a boolean is 0 or 100 */
} lcal__verdicts;

/* Reads what is said of `count` answers: every one once, all with the same scores. */
lcal_status lcal__verdicts_read(const char *path, size_t count, lcal__verdicts *out,
                                lcal_error *err);
lcal_status lcal__verdicts_parse(const void *bytes, size_t size, const char *source, size_t count,
                                 lcal__verdicts *out, lcal_error *err);
void lcal__verdicts_free(lcal__verdicts *verdicts);

#endif
