#include <string.h>

#include "base/utf8.h"
#include "data/bytelevel.h"
#include "data/tokenizer_parts.h"

static void add_replacing(const lcal__token_decoder *d, const char *text, size_t length,
                          lcal__strbuf *out)
{
    for (size_t at = 0; at < length;) {
        bool space = d->space && length - at >= d->space_length
                     && memcmp(text + at, d->space, d->space_length) == 0;
        if (space)
            lcal__strbuf_add(out, " ");
        else
            lcal__strbuf_add_bytes(out, text + at, 1);
        at += space ? d->space_length : 1;
    }
}

/* Appends the bytes of one token. *begun: whether the text before it is not empty. */
static lcal_status add_token(const lcal__tokenizer *t, int32_t id, bool skip_special, bool *begun,
                             lcal__strbuf *out, lcal_error *err)
{
    size_t length, before = out->length;
    const char *text = lcal__vocab_text(&t->vocab, id, &length);
    if (!text)
        return lcal__fail(err, LCAL_INVALID, "id %d is no token: expected 0..%zu", (int)id,
                          t->vocab.count - 1);
    const lcal__token *token = &t->vocab.tokens[id];
    bool literal = token->kind == LCAL__TOKEN_ADDED || token->kind == LCAL__TOKEN_SPECIAL;
    if (skip_special && token->kind == LCAL__TOKEN_SPECIAL)
        return LCAL_OK;
    if (token->kind == LCAL__TOKEN_BYTE && t->decoder.bytes)
        lcal__strbuf_add_bytes(out, &token->byte, 1);
    else if (literal || !t->decoder.byte_level || !lcal__bytelevel_decode(text, length, out))
        add_replacing(&t->decoder, text, length, out);
    if (out->failed)
        return lcal__fail_nomem(err, "text");
    if (t->decoder.strip_leading_space && !*begun && !literal && out->length > before
        && out->text[before] == ' ') {
        memmove(out->text + before, out->text + before + 1, out->length - before);
        out->length--;
        *begun = true;
    }
    *begun = *begun || out->length > before;
    return LCAL_OK;
}

lcal_status lcal__tokenizer_decode(const lcal__tokenizer *t, const int32_t *ids, size_t count,
                                   bool skip_special, char **text, size_t *length, lcal_error *err)
{
    lcal__strbuf out = {0};
    bool begun = false;
    lcal_status status = LCAL_OK;
    for (size_t i = 0; i < count && status == LCAL_OK; i++)
        status = add_token(t, ids[i], skip_special, &begun, &out, err);
    size_t size = out.length;
    if (status == LCAL_OK)
        status = lcal__strbuf_take(&out, text, err);
    if (status == LCAL_OK)
        *length = size;
    lcal__strbuf_free(&out);
    return status;
}

/* Moves the bytes of an incomplete character at the end of out, from `start` on, to the stream. */
static void hold_back(lcal__decode_stream *stream, size_t start, lcal__strbuf *out)
{
    for (size_t at = start, size; at < out->length; at += size) {
        bool cut = false;
        size = lcal__utf8_valid(out->text + at, out->length - at);
        if (size == 0)
            size = lcal__utf8_broken(out->text + at, out->length - at, &cut);
        if (cut) {
            memcpy(stream->held, out->text + at, size);
            stream->held_length = size;
            out->length = at;
            out->text[at] = '\0';
        }
    }
}

lcal_status lcal__tokenizer_stream(const lcal__tokenizer *t, lcal__decode_stream *stream,
                                   int32_t id, bool skip_special, lcal__strbuf *out,
                                   lcal_error *err)
{
    const size_t start = out->length, held = stream->held_length;
    lcal__strbuf_add_bytes(out, stream->held, held);
    lcal_status status = out->failed ? lcal__fail_nomem(err, "text")
                                     : add_token(t, id, skip_special, &stream->begun, out, err);
    if (status != LCAL_OK) {
        out->length = start;
        return status;
    }
    stream->held_length = 0;
    hold_back(stream, start, out);
    return LCAL_OK;
}

lcal_status lcal__tokenizer_stream_end(lcal__decode_stream *stream, lcal__strbuf *out,
                                       lcal_error *err)
{
    lcal__strbuf_add_bytes(out, stream->held, stream->held_length);
    *stream = (lcal__decode_stream){0};
    return out->failed ? lcal__fail_nomem(err, "text") : LCAL_OK;
}
