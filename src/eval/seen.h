/* The distinct tokens that occurred in a text, in order of appearance. Zeroed is valid and empty.
 */
#ifndef LCAL_EVAL_SEEN_H
#define LCAL_EVAL_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct lcal__seen {
    int32_t *ids;   /* [count] */
    uint8_t *marks; /* [vocab], 1: in ids */
    size_t count;
} lcal__seen;

lcal_status lcal__seen_init(lcal__seen *seen, size_t vocab, lcal_error *err);
void lcal__seen_free(lcal__seen *seen);

/* Each id below vocab. */
void lcal__seen_add(lcal__seen *seen, const int32_t *ids, size_t count);
void lcal__seen_clear(lcal__seen *seen);

#endif
