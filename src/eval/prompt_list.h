/* The prompts of one generation as ids, checked against the model. */
#ifndef LCAL_EVAL_PROMPT_LIST_H
#define LCAL_EVAL_PROMPT_LIST_H

#include "eval/generate_setup.h"

/* Zeroed is valid and empty. */
typedef struct lcal__prompt_list {
    lcal__id_prompt *items; /* [count]; a prompt's random numbers are those of its number */
    size_t count;
    lcal__chat_ids ids; /* of all items, where they were encoded here */
} lcal__prompt_list;

/* Encodes conversations, or takes ids, which are borrowed. LCAL_INVALID names the prompt: too long
 * for the model, no tokens, an id outside the vocabulary. */
lcal_status lcal__prompt_list_encode(lcal__prompt_list *list, const lcal__generate_setup *setup,
                                     const lcal_prompt *prompts, size_t count, lcal_error *err);
lcal_status lcal__prompt_list_take(lcal__prompt_list *list, const lcal__generate_setup *setup,
                                   const int32_t *const *ids, const size_t *lengths, size_t count,
                                   lcal_error *err);
void lcal__prompt_list_free(lcal__prompt_list *list);

/* Most tokens that any of them comes to with its answer. */
size_t lcal__prompt_list_length(const lcal__prompt_list *list, const lcal__generate_setup *setup);

#endif
