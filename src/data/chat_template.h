/*
 * Chat templates: how messages become one text for the model (METHODS.md D.3).
 *
 *   llama3   <|start_header_id|>ROLE<|end_header_id|>\n\nTEXT<|eot_id|>
 *   chatml   <|im_start|>ROLE\nTEXT<|im_end|>\n
 *   zephyr   <|ROLE|>\nTEXT<|endoftext|>\n
 *   raw      TEXT TEXT ..., the last one ended by EOS
 *
 * Only the skeleton is ever taken for special tokens, never what a message says. A message's text
 * is tokenised by itself: what training saw as prompt is byte for byte what generation is given.
 */
#ifndef LCAL_DATA_CHAT_TEMPLATE_H
#define LCAL_DATA_CHAT_TEMPLATE_H

#include "data/tokenizer.h"

typedef enum lcal__chat_format {
    LCAL__CHAT_RAW,
    LCAL__CHAT_LLAMA3,
    LCAL__CHAT_CHATML,
    LCAL__CHAT_ZEPHYR,
    LCAL__CHAT_FORMATS
} lcal__chat_format;

/* "raw", "llama3", "chatml", "zephyr". Static. */
const char *lcal__chat_format_name(lcal__chat_format format);

typedef struct lcal__message {
    const char *role; /* "system", "user", "assistant" */
    const char *text;
    size_t length;
} lcal__message;

/*
 * The text of a model's own template: of chat_template.jinja or tokenizer_config.json in a
 * directory or beside a tokenizer's file, or of a GGUF file. *text NULL: none; free with
 * lcal__free. LCAL_UNSUPPORTED: several, none of them called default.
 */
lcal_status lcal__chat_template_read(const char *path, char **text, lcal_error *err);

/*
 * The format of a model: recognised by the chat_template in tokenizer_config.json (or a
 * chat_template.jinja beside it) of the
 * directory, or of that of a tokenizer's file; raw where there is none. LCAL_UNSUPPORTED: a
 * template that is none of ours; the message names the formats to choose from.
 */
lcal_status lcal__chat_format_detect(const char *path, lcal__chat_format *out, lcal_error *err);

/* Token ids of a conversation and to which part each belongs. Grows by appending; zeroed is valid
 * and empty. */
typedef struct lcal__chat_ids {
    int32_t *ids;    /* [count] */
    uint32_t *owner; /* [count] index of the message that the id's text or end belongs to;
                        UINT32_MAX: skeleton (BOS, headers) */
    size_t count, ids_capacity, owner_capacity;
} lcal__chat_ids;

/*
 * Appends BOS (where the tokenizer puts one) and the messages. A message's end (<|eot_id|>, ...,
 * raw: EOS after the last) belongs to the message: an answer is learnt with its end. open_reply:
 * the header of an assistant's answer follows, for generation, and raw gets no EOS.
 * LCAL_UNSUPPORTED: the tokenizer lacks a token of the format.
 */
lcal_status lcal__chat_encode(const lcal__tokenizer *tokenizer, lcal__chat_format format,
                              const lcal__message *messages, size_t count, bool open_reply,
                              lcal__chat_ids *out, lcal_error *err);
void lcal__chat_ids_free(lcal__chat_ids *ids);

/* Ids that end an answer in this format besides the model's own EOS: at most LCAL__CHAT_STOPS. */
#define LCAL__CHAT_STOPS 4
size_t lcal__chat_stops(const lcal__tokenizer *tokenizer, lcal__chat_format format,
                        int32_t out[LCAL__CHAT_STOPS]);

#endif
