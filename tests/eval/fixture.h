/* Composed models that write text, and whole answers. Failures end the test. */
#ifndef LCAL_TESTS_EVAL_FIXTURE_H
#define LCAL_TESTS_EVAL_FIXTURE_H

#include "eval/answers.h"

/* A model of tests/golden/models ("tiny-llama3", "stories260K", ...), with its two adapters where
 * asked, and the tokenizer of stories260K, whose 512 tokens fit them all. */
lcal_model *fixture_model(const char *name, bool adapters, size_t threads);

/* The whole answers to prompts of ids. */
lcal__answers fixture_answers(lcal_model *model, const lcal_generate_options *options,
                              const int32_t *const *prompts, const size_t *lengths, size_t count);

/* `count` prompts of 1 to `longest` random ids, the first of exactly `longest`; each begins with
 * BOS. Free with fixture_prompts_free. */
typedef struct fixture_prompts {
    int32_t **ids;
    size_t *lengths;
    size_t count;
} fixture_prompts;

fixture_prompts fixture_prompts_new(size_t count, size_t longest, uint64_t seed);
void fixture_prompts_free(fixture_prompts *prompts);

/* Fails the test with the message unless the status is LCAL_OK. */
void check(lcal_status status, const lcal_error *err);

/* Fails unless both are the same answers, ids, texts and ends. */
void fixture_same(const lcal__answers *a, const lcal__answers *b);

/* A listener that collects all text of prompt `prompt`. */
typedef struct fixture_text {
    size_t prompt;
    char text[8192];
    size_t length, tokens, pieces, prompt_tokens;
    lcal_finish finish;
    size_t stop_after; /* pieces; 0: never */
} fixture_text;

bool fixture_listen(void *user, const lcal_piece *piece);

#endif
