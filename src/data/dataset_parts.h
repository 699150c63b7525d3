/* Reading one file of examples; shared by the files dataset*.c only. */
#ifndef LCAL_DATA_DATASET_PARTS_H
#define LCAL_DATA_DATASET_PARTS_H

#include "data/dataset.h"
#include "data/text.h"

typedef struct lcal__dataset_reader {
    const lcal__dataset_options *options;
    lcal__dataset *dataset;
    size_t capacity; /* of dataset->examples */
    const char *source;
    char *place; /* "SOURCE:LINE", [place_size] */
    size_t place_size;
    lcal__record record;
    lcal_error *err;
} lcal__dataset_reader;

/* Room for `count` numbers, or NULL. Never moves. */
int32_t *lcal__dataset_take(lcal__dataset *dataset, size_t count);

/* Puts an example behind the others, in a list that has room for it, and adds to the sums. */
void lcal__dataset_append(lcal__dataset *dataset, const lcal__example *example);

/* Appends the example or counts why not. ids and labels are the last that were taken, together.
 * empty: there is nothing to learn whatever the labels are. */
lcal_status lcal__dataset_keep(lcal__dataset_reader *reader, const int32_t *ids,
                               const int32_t *labels, size_t length, bool empty);

/* Reads the example that a line holds. */
lcal_status lcal__dataset_add(lcal__dataset_reader *reader, const json_t *object);

#endif
