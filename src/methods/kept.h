/*
 * answers.jsonl: the answers of a row so far, so that a broken off evaluation goes on and a
 * finished one is scored again without a model's work.
 *
 * The first line tells by a hash what the answers depend on, each other line is an answer with the
 * hash of its prompt. A file of another evaluation, or a damaged one, counts as none.
 */
#ifndef LCAL_METHODS_KEPT_H
#define LCAL_METHODS_KEPT_H

#include "base/hash.h"
#include "lcal/generate.h"

typedef struct lcal__kept_answer {
    char *text;
    char *first;   /* the first of two passes; NULL: there was one */
    size_t tokens; /* of all passes */
    lcal_finish finish;
    char prompt[LCAL__SHA256_HEX];
} lcal__kept_answer;

/* Zeroed is valid and empty. */
typedef struct lcal__kept {
    lcal__kept_answer *items; /* [count], of the first test examples */
    size_t count, capacity;
    double prepare_seconds, answer_seconds;
} lcal__kept;

void lcal__kept_free(lcal__kept *kept);

/* Forgets the answers from `count` on. */
void lcal__kept_cut(lcal__kept *kept, size_t count);

/* Appends an answer, whose strings it copies; first may be NULL. */
lcal_status lcal__kept_add(lcal__kept *kept, const lcal__kept_answer *answer, lcal_error *err);

/* Reads what is sound of a file of that identity into an empty one; only memory is a failure. */
lcal_status lcal__kept_parse(const void *bytes, size_t size, const char *identity, lcal__kept *kept,
                             lcal_error *err);

/* The same from a path, where there may be none. */
lcal_status lcal__kept_load(const char *path, const char *identity, lcal__kept *kept,
                            lcal_error *err);

/* Replaces the file as a whole. */
lcal_status lcal__kept_save(const char *path, const char *identity, const lcal__kept *kept,
                            lcal_error *err);

/* "end", "stop", "length". Static. */
const char *lcal__finish_name(lcal_finish finish);

#endif
