/* Added tokens: literal pieces of text that become one token each, before the model sees anything.
 */
#ifndef LCAL_DATA_ADDED_H
#define LCAL_DATA_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct lcal__added_token {
    char *text; /* owned by the set */
    size_t length;
    int32_t id;
    bool special;     /* found only where the caller wants special tokens */
    bool lstrip;      /* takes the white space before it */
    bool rstrip;      /* and after it */
    bool single_word; /* only where no letter, digit or underscore stands beside it */
} lcal__added_token;

/* Zeroed is valid and empty. */
typedef struct lcal__added {
    lcal__added_token *tokens; /* [count], sorted by text once sealed */
    size_t count, capacity;
    size_t first[257]; /* tokens that begin with byte b: first[b]..first[b + 1] */
} lcal__added;

/* Adds a copy of `token`; its text must not be empty. */
lcal_status lcal__added_add(lcal__added *added, const lcal__added_token *token, lcal_error *err);
/* Sorts for the search: after the last add, before the first find. */
void lcal__added_seal(lcal__added *added);
void lcal__added_free(lcal__added *added);

typedef struct lcal__added_match {
    size_t start, end;
    int32_t id;
} lcal__added_match;

/* The first added token in text[from..length), the longest of those that begin there; stripped
 * white space belongs to the match. */
bool lcal__added_find(const lcal__added *added, const char *text, size_t length, size_t from,
                      bool special, lcal__added_match *out);

#endif
