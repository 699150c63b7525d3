/*
 * Answers on standard output, in the order of their prompts: as text while it comes, or as one JSON
 * object a line. What comes before its turn is kept.
 */
#ifndef LCAL_TOOLS_ANSWERS_H
#define LCAL_TOOLS_ANSWERS_H

#include <stdbool.h>

#include "lcal/generate.h"

/* An answer that has not had its turn. */
typedef struct answers_item {
    char *text;
    size_t length, capacity, tokens;
    bool begun;
    lcal_finish finish;
} answers_item;

typedef struct answers {
    const lcal_prompt *prompts; /* [count]; borrowed */
    size_t count;
    bool json;
    bool (*interrupted)(void); /* asked between pieces; may be NULL */
    answers_item *items;       /* [count] */
    size_t turn;               /* the first that is not printed to its end */
    size_t prompt_tokens, tokens;
    double begun, first, last; /* when it began, of the first and last token; seconds */
    lcal_status status;        /* what went wrong in writing or keeping, with err */
    lcal_error err;
} answers;

/* False: out of memory. End with answers_free in any case. */
bool answers_init(answers *a, const lcal_prompt *prompts, size_t count, bool json);
void answers_free(answers *a);

/* An lcal_piece_fn; user: the answers. */
bool answers_piece(void *user, const lcal_piece *piece);

/* Ends the line of a text that was broken off. */
void answers_break(answers *a);

/* Prompts, tokens and speed, to standard error. */
void answers_summary(const answers *a);

#endif
