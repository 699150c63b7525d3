/*
 * The text of one answer while its tokens come: bytes become whole characters, what is no UTF-8
 * becomes U+FFFD, and stop texts are cut. Special tokens have no text.
 */
#ifndef LCAL_EVAL_REPLY_TEXT_H
#define LCAL_EVAL_REPLY_TEXT_H

#include "data/tokenizer.h"
#include "eval/stop_text.h"

/* Zeroed is valid: an answer without text. */
typedef struct lcal__reply_text {
    const lcal__tokenizer *tokenizer; /* NULL: no text is made. Borrowed */
    lcal__decode_stream stream;
    lcal__strbuf bytes, characters; /* of one token */
    lcal__stop_watch watch;
} lcal__reply_text;

lcal_status lcal__reply_text_init(lcal__reply_text *text, const lcal__tokenizer *tokenizer,
                                  const lcal__stop_texts *stops, lcal_error *err);
void lcal__reply_text_free(lcal__reply_text *text);

/* For another answer. continues: it goes on in the middle of a text, so that a space that the first
 * token begins with is one. */
void lcal__reply_text_clear(lcal__reply_text *text, bool continues);

/* Appends to out what became certain. *stopped: a stop text came, the answer is over. */
lcal_status lcal__reply_text_add(lcal__reply_text *text, int32_t id, lcal__strbuf *out,
                                 bool *stopped, lcal_error *err);
/* The answer is over: appends what was held back. */
lcal_status lcal__reply_text_end(lcal__reply_text *text, lcal__strbuf *out, lcal_error *err);

#endif
