/*
 * Examples in memory, tokenised, from JSONL (plain or gzip). A line may be of any form that
 * data/record.h lists. labels[t] is the target of position t - 1, -100 ignored; the first label of
 * a document never counts.
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
    size_t index; /* number of the example in its file, from 0; what was dropped is numbered too */
} lcal__example;

typedef enum lcal__overlong {
    LCAL__OVERLONG_DROP,
    LCAL__OVERLONG_TRUNCATE, /* the end is cut off: of text the end of the answer */
    LCAL__OVERLONG_ERROR
} lcal__overlong;

struct lcal__text;

typedef struct lcal__dataset_options {
    size_t vocab;      /* ids and labels must be below */
    size_t max_length; /* 0: no limit */
    lcal__overlong overlong;
    bool keep_empty; /* keep examples with nothing to learn (scoring), else drop them: no label that
                        counts, or text whose answer is empty */
    size_t limit;    /* only the first so many examples are read; 0: all */
    struct lcal__text *text; /* data/text.h: what turns text into ids; NULL: text is refused */
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

/*
 * Moves examples from `from` to `held`: each one with probability `fraction`, decided by a hash of
 * seed and its index alone, so that neither its neighbours nor what was dropped matter. `held`
 * keeps the first `limit` of them (0: all), the others are gone from both. Its numbers are those of
 * `from`, which must outlive it; its counts of what was dropped are 0.
 */
lcal_status lcal__dataset_split(lcal__dataset *from, double fraction, uint64_t seed, size_t limit,
                                lcal__dataset *held, lcal_error *err);
void lcal__dataset_free(lcal__dataset *dataset);

#endif
