/*
 * Answers to prompts of ids, side by side. A prompt has a lane, a sequence of the decoder, until
 * its answer ends; then the next prompt takes the lane, so that no lane waits for the longest
 * answer.
 *
 * An answer is a function of model, prompt, options and the prompt's random numbers: neither the
 * prompts beside it, nor the number of lanes or threads change it.
 */
#ifndef LCAL_EVAL_GENERATOR_H
#define LCAL_EVAL_GENERATOR_H

#include "data/tokenizer.h"
#include "engine/network.h"
#include "eval/sampler.h"
#include "eval/stop_text.h"
#include "lcal/generate.h"
#include "num/exec.h"

typedef struct lcal__generator lcal__generator;

/* Pointers are borrowed and must outlive the generator. */
typedef struct lcal__generator_options {
    const lcal__tokenizer *tokenizer; /* NULL: answers are ids alone */
    const lcal__stop_texts *stops;    /* may be NULL */
    const int32_t *ends;              /* ids that end an answer and are no part of it */
    size_t end_count;
    lcal__sampler_options sampling;
    uint64_t seed;
    size_t max_tokens; /* of an answer, > 0 */
    size_t lanes;      /* prompts side by side, > 0 */
    size_t length;     /* most tokens of a prompt and its answer */
} lcal__generator_options;

/* A prompt as the model sees it. ids: [count], count > 0, each below the vocabulary. */
typedef struct lcal__id_prompt {
    const int32_t *ids;
    size_t count;
    size_t cached;   /* leading ids that the sequence of the only lane holds from the last prompt */
    uint64_t stream; /* which random numbers it draws, */
    uint64_t drawn;  /* and how many of them were used */
} lcal__id_prompt;

/* One token more, or an end. */
typedef struct lcal__news {
    lcal_piece piece;
    int32_t id; /* the new token, or -1 */
} lcal__news;

/* *stop ends the generation of all prompts. */
typedef lcal_status lcal__news_fn(void *user, const lcal__news *news, bool *stop, lcal_error *err);

/* The lanes, at most `wanted` and at least 1, whose cache fits into the memory that is left.
 * length: as in the options. */
size_t lcal__generator_lanes(const lcal__network *network, const lcal__exec *exec, size_t length,
                             size_t wanted);

lcal_status lcal__generator_open(const lcal__network *network, const lcal__exec *exec,
                                 const lcal__generator_options *options, lcal__generator **out,
                                 lcal_error *err);
void lcal__generator_close(lcal__generator **generator);

/* Answers prompts[0..count). A prompt without room for a token gets an empty answer. fn's failure
 * is passed on. LCAL_NUMERIC: logits that nothing can be chosen from; names the prompt. */
lcal_status lcal__generator_run(lcal__generator *generator, const lcal__id_prompt *prompts,
                                size_t count, lcal__news_fn *fn, void *user, lcal_error *err);

/* Ids that the sequence of the first lane holds. */
size_t lcal__generator_held(const lcal__generator *generator);

#endif
