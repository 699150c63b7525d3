/* What the models of a row are asked: the prompts of each pass over the test examples. */
#ifndef LCAL_METHODS_PROMPTS_H
#define LCAL_METHODS_PROMPTS_H

#include "data/chat_template.h"
#include "methods/job.h"

/* The conversations of one pass. Zeroed is valid and empty. */
typedef struct lcal__pass_prompts {
    lcal_prompt *items; /* [count] */
    size_t count;
    lcal_message *messages; /* of all items */
    char **texts;           /* [text_count] those that are not the cases' own */
    size_t text_count;
} lcal__pass_prompts;

/* Whether the first and the second of two passes can be asked for every example: LCAL_CONFIG or
 * LCAL_FORMAT names what is missing. */
lcal_status lcal__prompts_check(const lcal__job *job, lcal_error *err);

/*
 * The prompts of examples first..first+count-1. pass 0 of one: the examples' own, after the shots;
 * of two: the main task's; pass 1: the auxiliary task's of the first answers [count]. format: how
 * the model is given text; without a template, a blank line ends every shot.
 */
lcal_status lcal__prompts_make(const lcal__job *job, const lcal__stage *stage, size_t pass,
                               size_t first, size_t count, const char *const *answers,
                               lcal__chat_format format, lcal__pass_prompts *out, lcal_error *err);
void lcal__prompts_free(lcal__pass_prompts *prompts);

#endif
