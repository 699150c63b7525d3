#include "eval/reply_text.h"

lcal_status lcal__reply_text_init(lcal__reply_text *text, const lcal__tokenizer *tokenizer,
                                  const lcal__stop_texts *stops, lcal_error *err)
{
    *text = (lcal__reply_text){.tokenizer = tokenizer};
    return lcal__stop_watch_init(&text->watch, stops, err);
}

void lcal__reply_text_free(lcal__reply_text *text)
{
    lcal__strbuf_free(&text->bytes);
    lcal__strbuf_free(&text->characters);
    lcal__stop_watch_free(&text->watch);
    *text = (lcal__reply_text){0};
}

void lcal__reply_text_clear(lcal__reply_text *text, bool continues)
{
    text->stream = (lcal__decode_stream){.begun = continues};
    lcal__stop_watch_clear(&text->watch);
}

/* Passes text->bytes on, and what of a stop text it does not complete. */
static lcal_status pass(lcal__reply_text *text, lcal__strbuf *out, bool *stopped, lcal_error *err)
{
    lcal__strbuf *characters = &text->characters;
    lcal__strbuf_clear(characters);
    lcal__strbuf_add_utf8(characters, text->bytes.text, text->bytes.length);
    if (characters->failed)
        return lcal__fail_nomem(err, "text");
    return lcal__stop_watch_add(&text->watch, characters->text, characters->length, out, stopped,
                                err);
}

lcal_status lcal__reply_text_add(lcal__reply_text *text, int32_t id, lcal__strbuf *out,
                                 bool *stopped, lcal_error *err)
{
    *stopped = false;
    if (!text->tokenizer)
        return LCAL_OK;
    lcal__strbuf_clear(&text->bytes);
    LCAL_TRY(lcal__tokenizer_stream(text->tokenizer, &text->stream, id, true, &text->bytes, err));
    return pass(text, out, stopped, err);
}

lcal_status lcal__reply_text_end(lcal__reply_text *text, lcal__strbuf *out, lcal_error *err)
{
    bool stopped; /* it is over either way */
    lcal__strbuf_clear(&text->bytes);
    LCAL_TRY(lcal__tokenizer_stream_end(&text->stream, &text->bytes, err));
    LCAL_TRY(pass(text, out, &stopped, err));
    return lcal__stop_watch_end(&text->watch, out, err);
}
