/*
 * Text from a composed model: greedy or sampled, one prompt or many side by side, streamed.
 *
 * The tokens of a prompt depend on the model, the prompt, its number and the seed, not on the
 * prompts beside it nor on the number of threads.
 */
#ifndef LCAL_GENERATE_H
#define LCAL_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcal/model.h"
#include "lcal/prompts.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Zeroed is valid: greedy, at most 256 tokens, to the model's own end. Strings are borrowed.
 *
 * What is sampled from is narrowed in the order of these fields: penalty, temperature, top_k,
 * top_p, min_p, each on what the one before it left. Equal logits rank by token id, lowest first.
 */
typedef struct lcal_generate_options {
    size_t max_tokens;         /* new tokens a prompt; 0: 256 */
    double repetition_penalty; /* above 1: tokens that occurred, prompt included, get less likely
                                  (Keskar et al. 2019); 0 or 1: off */
    double temperature;        /* 0: greedy; else logits are divided by it */
    size_t top_k;              /* only the k likeliest; 0: all */
    double top_p;              /* the fewest likeliest that sum to p; 0 or 1: all */
    double min_p;              /* those at least min_p times as likely as the likeliest; 0: all */
    uint64_t seed;             /* of sampling */
    const char *const *stop;   /* texts that end an answer and are left out of it */
    size_t stop_count;
    bool ignore_eos;       /* go on to max_tokens */
    const char *template_; /* "auto", "raw", "llama3", "chatml", "zephyr"; NULL: the run's,
                              else auto, the model's own */
    const char *system;    /* message before conversations that have none (not with raw); NULL:
                              the run's, else none */
    size_t batch;          /* most prompts side by side; 0: 16. Fewer where memory is short */
} lcal_generate_options;

typedef enum lcal_finish {
    LCAL_FINISH_NOT,    /* goes on */
    LCAL_FINISH_END,    /* the model ended its answer, or began another text (BOS) */
    LCAL_FINISH_STOP,   /* a stop text */
    LCAL_FINISH_LENGTH, /* max_tokens, or the model's longest sequence */
} lcal_finish;

/* News of one prompt. Valid during the call. */
typedef struct lcal_piece {
    size_t prompt;                /* its number, from 0 */
    const char *text;             /* what became certain: valid UTF-8, never part of a stop text */
    size_t length;                /* bytes; may be 0 */
    lcal_finish finish;           /* not LCAL_FINISH_NOT: the prompt's last piece */
    size_t prompt_tokens, tokens; /* of the prompt as the model sees it; generated so far */
} lcal_piece;

/* Returns false to end the generation (of all prompts) early. */
typedef bool lcal_piece_fn(void *user, const lcal_piece *piece);

/*
 * Answers `count` prompts (UTF-8 text), each as a user's message. Pieces of a prompt come in order,
 * those of several prompts interleaved. Ending early is LCAL_OK.
 * LCAL_INVALID: an option out of its bounds, or a prompt longer than the model's longest sequence.
 * LCAL_UNSUPPORTED: a chat template that is none of ours, or that the tokenizer has no tokens for.
 * LCAL_NUMERIC: the model's logits are not finite.
 */
LCAL_API lcal_status lcal_generate(lcal_model *model, const char *const *prompts, size_t count,
                                   const lcal_generate_options *options, lcal_piece_fn *fn,
                                   void *user, lcal_error *err);

/* As lcal_generate for conversations; a prompt has at least one message. */
LCAL_API lcal_status lcal_generate_messages(lcal_model *model, const lcal_prompt *prompts,
                                            size_t count, const lcal_generate_options *options,
                                            lcal_piece_fn *fn, void *user, lcal_error *err);

/* As lcal_generate for prompts as token ids, given to the model as they are: prompts[i] has
 * lengths[i] > 0 of them. */
LCAL_API lcal_status lcal_generate_ids(lcal_model *model, const int32_t *const *prompts,
                                       const size_t *lengths, size_t count,
                                       const lcal_generate_options *options, lcal_piece_fn *fn,
                                       void *user, lcal_error *err);

/* A conversation: what was said stays in the cache, a new message costs only itself. Answers are
 * those to the whole conversation at once. */
typedef struct lcal_chat lcal_chat;

/* options: as above, but batch; its strings are copied. The model must outlive the chat and must
 * not change. */
LCAL_API lcal_status lcal_chat_open(lcal_model *model, const lcal_generate_options *options,
                                    lcal_chat **out, lcal_error *err);
LCAL_API void lcal_chat_close(lcal_chat **chat);

/* Says `message` and streams the answer (pieces of prompt 0); ended early, what was said so far is
 * the answer. LCAL_INVALID: the conversation has no room left. On failure the chat is as it was. */
LCAL_API lcal_status lcal_chat_say(lcal_chat *chat, const char *message, lcal_piece_fn *fn,
                                   void *user, lcal_error *err);

/* Forgets everything said: the chat is as it was opened. */
LCAL_API void lcal_chat_reset(lcal_chat *chat);

#ifdef __cplusplus
}
#endif
#endif
