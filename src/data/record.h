/*
 * One line of a data file: of which form it is, and what it says.
 *
 *   {"input_ids": [...], "labels": [...]}                        pre-tokenised
 *   {"prompt": TEXT, "completion": TEXT}                         a question and its answer
 *   {"messages": [{"role": ROLE, "content": TEXT}, ...]}         a conversation
 *   {"instruction": TEXT, "input": TEXT, "output": TEXT}         Alpaca's; input may be absent
 *   {"conversations": [{"from": WHO, "value": TEXT}, ...]}       ShareGPT's
 *
 * Texts become messages of system, user and assistant, of which the last is the assistant's.
 * Alpaca's question is the instruction, then, where there is one, a blank line and the input.
 */
#ifndef LCAL_DATA_RECORD_H
#define LCAL_DATA_RECORD_H

#include <jansson.h>

#include "base/strbuf.h"
#include "data/chat_template.h"

/* Zeroed is valid; one serves many lines. Borrows from the object it was read from. */
typedef struct lcal__record {
    const char *key;         /* the first key of its form, for messages */
    const json_t *input_ids; /* not NULL: pre-tokenised */
    const json_t *labels;    /* may be NULL */
    lcal__message *messages; /* [count] */
    size_t count, capacity;
    lcal__strbuf joined; /* what a message says that is no one string of the object */
} lcal__record;

/*
 * `place` begins messages ("FILE:LINE"). system: a message put in front where there is none of that
 * role; "": none. Keys of two forms, missing ones, wrong types, keys that would change what is
 * learnt but are not read (tools, images, ...) are LCAL_FORMAT; other keys are ignored.
 */
lcal_status lcal__record_read(const json_t *object, const char *place, const char *system,
                              lcal__record *out, lcal_error *err);

/* The same for what is to be answered: messages without the assistant's at their end, which may be
 * missing. Token ids are LCAL_FORMAT. */
lcal_status lcal__record_read_question(const json_t *object, const char *place, lcal__record *out,
                                       lcal_error *err);
void lcal__record_free(lcal__record *record);

#endif
