/* What happens to a text before it is cut into words: Unicode composition, literal replacements. */
#ifndef LCAL_DATA_NORMALIZER_H
#define LCAL_DATA_NORMALIZER_H

#include <stddef.h>

#include "base/status.h"
#include "base/strbuf.h"

typedef enum lcal__normal_kind {
    LCAL__NORMAL_NFC,     /* canonical composition */
    LCAL__NORMAL_PREPEND, /* `to` in front of a text that is not empty */
    LCAL__NORMAL_REPLACE, /* every `from` becomes `to` */
} lcal__normal_kind;

typedef struct lcal__normal_step {
    lcal__normal_kind kind;
    char *from, *to; /* owned; NULL where the kind has none */
    size_t from_length, to_length;
} lcal__normal_step;

#define LCAL__NORMAL_STEPS_MAX 16

/* Zeroed is valid and changes nothing. */
typedef struct lcal__normalizer {
    lcal__normal_step steps[LCAL__NORMAL_STEPS_MAX];
    size_t count;
} lcal__normalizer;

/* from and to may be NULL; LCAL_UNSUPPORTED beyond LCAL__NORMAL_STEPS_MAX. */
lcal_status lcal__normalizer_add(lcal__normalizer *normalizer, lcal__normal_kind kind,
                                 const char *from, const char *to, lcal_error *err);
void lcal__normalizer_free(lcal__normalizer *normalizer);

/* *out is text itself or lies in one of the buffers. text is valid UTF-8. */
lcal_status lcal__normalizer_run(const lcal__normalizer *normalizer, const char *text,
                                 size_t length, lcal__strbuf buffers[2], const char **out,
                                 size_t *out_length, lcal_error *err);

#endif
