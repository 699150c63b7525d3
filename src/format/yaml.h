/*
 * YAML from untrusted files (the only user of libyaml), as a small tree that knows its places.
 *
 * A strict subset, enough for configurations: one document of maps, lists and scalars in UTF-8.
 * Anchors, aliases, tags, keys that are not scalars, repeated keys, zero bytes, a second document
 * and anything over the limits below are refused with line and column. Scalars keep their text;
 * what type they have is for the reader to say.
 */
#ifndef LCAL_FORMAT_YAML_H
#define LCAL_FORMAT_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define LCAL__YAML_DEPTH_MAX 32 /* collections in one another */
#define LCAL__YAML_NODES_MAX 100000

typedef enum lcal__yaml_kind { LCAL__YAML_SCALAR, LCAL__YAML_LIST, LCAL__YAML_MAP } lcal__yaml_kind;

/* Lines and columns count from 1; a column is one character, not one byte. */
typedef struct lcal__yaml {
    lcal__yaml_kind kind;
    size_t line, column;
    char *text; /* of a scalar, zero-terminated; NULL in a list or map */
    bool null;  /* a scalar that is plain and empty, "~" or "null" */
    char *key;  /* of an entry of a map, zero-terminated; NULL elsewhere */
    size_t key_line, key_column;
    struct lcal__yaml *first; /* of a list or map, in the order of the file; NULL: empty */
    struct lcal__yaml *next;  /* in the same list or map */
} lcal__yaml;

/*
 * Parses text[0..size); `source` is what messages call it. Text without a document is a null
 * scalar. The caller frees *out with lcal__yaml_close. LCAL_FORMAT: "SOURCE:LINE:COLUMN: ...".
 */
lcal_status lcal__yaml_parse(const char *text, size_t size, const char *source, lcal__yaml **out,
                             lcal_error *err);

/* Frees the whole tree. NULL and a NULL tree are allowed. */
void lcal__yaml_close(lcal__yaml **root);

#endif
