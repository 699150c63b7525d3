/*
 * Tokenised examples in memory, from JSONL (plain or gzip): {"input_ids": [...], "labels": [...]},
 * labels[t] the target of position t - 1, -100 ignored, the first label of a document never counts.
 */
#ifndef LCAL_DATA_DATASET_H
#define LCAL_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define LCAL__LABEL_IGNORE (-100)

/* ids and labels [length]; labels[0] is LCAL__LABEL_IGNORE after loading. */
typedef struct lcal__example {
    const int32_t *ids;
    const int32_t *labels;
    size_t length;
    size_t counted; /* labels that count */
} lcal__example;

typedef enum lcal__overlong {
    LCAL__OVERLONG_DROP,
    LCAL__OVERLONG_TRUNCATE,
    LCAL__OVERLONG_ERROR
} lcal__overlong;

typedef struct lcal__dataset_options {
    size_t vocab;      /* ids and labels must be below */
    size_t max_length; /* 0: no limit */
    lcal__overlong overlong;
    bool keep_empty; /* keep examples without a counted label (scoring), else drop them */
} lcal__dataset_options;

/* Owns everything it points to. Zeroed is valid and empty. */
typedef struct lcal__dataset {
    lcal__example *examples; /* in the order of the file */
    size_t count;
    size_t read, dropped_overlong, truncated, dropped_empty; /* how `count` came about */
    size_t tokens, counted;                                  /* sums over the kept examples */
    size_t longest; /* tokens of the longest kept example */
    void *storage;
} lcal__dataset;

/* Parses bytes (the content of a file named source). No kept example is LCAL_FORMAT. */
lcal_status lcal__dataset_parse(const void *bytes, size_t size, const char *source,
                                const lcal__dataset_options *options, lcal__dataset *out,
                                lcal_error *err);
lcal_status lcal__dataset_read(const char *path, const lcal__dataset_options *options,
                               lcal__dataset *out, lcal_error *err);
void lcal__dataset_free(lcal__dataset *dataset);

#endif
