/* Whole answers to many prompts: what evaluation works with. */
#ifndef LCAL_EVAL_ANSWERS_H
#define LCAL_EVAL_ANSWERS_H

#include "eval/prompt_list.h"

typedef struct lcal__answer {
    int32_t *ids; /* [count], without the token that ended it */
    size_t count, capacity;
    lcal__strbuf text; /* valid UTF-8, without a stop text; its `text` is never NULL */
    lcal_finish finish;
} lcal__answer;

/* Zeroed is valid and empty. Owns everything. */
typedef struct lcal__answers {
    lcal__answer *items; /* [count], in order of the prompts */
    size_t count;
} lcal__answers;

/* Answers all prompts of the list. */
lcal_status lcal__answers_generate(const lcal__generate_setup *setup,
                                   const lcal__prompt_list *prompts, lcal__answers *out,
                                   lcal_error *err);
void lcal__answers_free(lcal__answers *answers);

/* The same news by news: `fn` as for lcal__generator_run. */
lcal_status lcal__answers_follow(const lcal__generate_setup *setup,
                                 const lcal__prompt_list *prompts, lcal__news_fn *fn, void *user,
                                 lcal_error *err);

#endif
