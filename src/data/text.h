/*
 * What turns the text of examples into token ids: a tokenizer, a chat template, and which part is
 * learnt. The tokenizer is opened when the first text is met: pre-tokenised data needs none.
 */
#ifndef LCAL_DATA_TEXT_H
#define LCAL_DATA_TEXT_H

#include "data/record.h"

typedef enum lcal__learnt {
    LCAL__LEARNT_COMPLETION, /* the last answer, with its end */
    LCAL__LEARNT_ASSISTANT,  /* every answer, each with its end */
    LCAL__LEARNT_ALL         /* every token */
} lcal__learnt;

/* Strings are borrowed. */
typedef struct lcal__text_options {
    const char *path; /* of the tokenizer: file, or directory of a model */
    /* Whoever has opened it, or will; NULL: it is opened here. */
    lcal_status (*find)(void *find_user, const lcal__tokenizer **out, lcal_error *err);
    void *find_user;
    bool detect;              /* the format is what lies beside the tokenizer ... */
    lcal__chat_format format; /* ... else this */
    lcal__learnt learnt;
    const char *system; /* put in front of conversations without such a message; "" or NULL: none */
    const lcal_log *log;
} lcal__text_options;

/* Zeroed but for options is valid: nothing is opened yet. */
typedef struct lcal__text {
    lcal__text_options options;
    const lcal__tokenizer *tokenizer; /* NULL: no text was met */
    lcal__tokenizer *owned;           /* it, where it was opened here */
    lcal__chat_format format;         /* once there is a tokenizer */
    lcal__chat_ids ids;               /* of the last conversation */
    bool said;                        /* what of it is learnt is more than ends of messages */
} lcal__text;

/* Sets detect, format and learnt by the words of data.template and data.loss_on; NULL: the default.
 * LCAL_INVALID: no such word. */
lcal_status lcal__text_options_parse(const char *template_, const char *loss_on,
                                     lcal__text_options *out, lcal_error *err);

/* Encodes the messages of a record into text->ids; `place` begins messages. LCAL_UNSUPPORTED: there
 * is no tokenizer, or it does not fit the format; LCAL_CONFIG: the format has no system message. */
lcal_status lcal__text_encode(lcal__text *text, const lcal__record *record, const char *place,
                              lcal_error *err);

/* Whether id number i of the last conversation is learnt. */
bool lcal__text_is_learnt(const lcal__text *text, const lcal__record *record, size_t i);

/* Opens the tokenizer if that was not done yet. */
lcal_status lcal__text_open(lcal__text *text, const char *place, lcal_error *err);
void lcal__text_close(lcal__text *text);

#endif
