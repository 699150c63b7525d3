/* The public options of generation, checked and resolved for one model. */
#ifndef LCAL_EVAL_GENERATE_SETUP_H
#define LCAL_EVAL_GENERATE_SETUP_H

#include "calib/composition.h"
#include "data/chat_template.h"
#include "eval/generator.h"

/* Zeroed is valid and empty. Must not be moved once made. */
typedef struct lcal__generate_setup {
    lcal__composition *model; /* borrowed */
    const lcal__tokenizer *tokenizer;
    lcal__chat_format format;
    char *system; /* NULL: none */
    size_t batch;
    lcal__stop_texts stops;
    int32_t ends[LCAL__EOS_MAX + LCAL__CHAT_STOPS + 2];
    lcal__generator_options generator; /* all but lanes and length */
} lcal__generate_setup;

/* options may be NULL: zeroed ones. any_format: the prompts are ids already, a chat template of the
 * model's that is unknown here is no failure. */
lcal_status lcal__generate_setup_init(lcal__generate_setup *setup, lcal__composition *model,
                                      const lcal_generate_options *options, bool any_format,
                                      lcal_error *err);
void lcal__generate_setup_free(lcal__generate_setup *setup);

/* Appends the ids of a conversation that waits for an answer; the setup's system message comes
 * first where it has none. */
lcal_status lcal__generate_setup_encode(const lcal__generate_setup *setup,
                                        const lcal_message *messages, size_t count,
                                        lcal__chat_ids *out, lcal_error *err);

/* Assembles the model and opens a generator for at most `lanes` prompts side by side, each of at
 * most `length` tokens with its answer. */
lcal_status lcal__generate_setup_open(const lcal__generate_setup *setup, size_t lanes,
                                      size_t length, lcal__generator **out, lcal_error *err);

#endif
