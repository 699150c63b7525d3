#include "data/chat_template.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* A skeleton: before ROLE after TEXT end between. llama3 trims what a message says, as its own
 * template does. */
typedef struct skeleton {
    const char *name;
    const char *before, *after; /* around the role */
    const char *end;            /* a message's last token; NULL: EOS */
    const char *between;        /* from an end to what follows; learnt with no message */
    bool trim;
    const char *needs[3]; /* special tokens, without which the format is nonsense */
    const char *stops[2];
} skeleton;

static const skeleton skeletons[LCAL__CHAT_FORMATS] = {
    [LCAL__CHAT_RAW] = {.name = "raw"},
    [LCAL__CHAT_LLAMA3] = {.name = "llama3",
                           .before = "<|start_header_id|>",
                           .after = "<|end_header_id|>\n\n",
                           .end = "<|eot_id|>",
                           .between = "",
                           .trim = true,
                           .needs = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
                           .stops = {"<|eot_id|>", "<|end_of_text|>"}},
    [LCAL__CHAT_CHATML] = {.name = "chatml",
                           .before = "<|im_start|>",
                           .after = "\n",
                           .end = "<|im_end|>",
                           .between = "\n",
                           .needs = {"<|im_start|>", "<|im_end|>"},
                           .stops = {"<|im_end|>", "<|endoftext|>"}},
    [LCAL__CHAT_ZEPHYR] =
        {.name = "zephyr", .before = "<|", .after = "|>\n", .between = "\n", .stops = {NULL}},
};

#define HEADER_MAX 96

const char *lcal__chat_format_name(lcal__chat_format format)
{
    return skeletons[format].name;
}

/* One call of lcal__chat_encode. */
typedef struct writer {
    const lcal__tokenizer *t;
    const skeleton *s;
    lcal__chat_ids *out;
    bool begun; /* some text was put: what follows goes on from there */
} writer;

/* Gives the ids that have no owner yet to `owner`. */
static lcal_status own(lcal__chat_ids *out, size_t from, uint32_t owner, lcal_error *err)
{
    if (!lcal__grow((void **)&out->owner, &out->owner_capacity, out->count, sizeof(*out->owner)))
        return lcal__fail_nomem(err, "token ids");
    for (size_t i = from; i < out->count; i++)
        out->owner[i] = owner;
    return LCAL_OK;
}

static lcal_status put_id(writer *w, int32_t id, uint32_t owner, lcal_error *err)
{
    lcal__chat_ids *out = w->out;
    if (!lcal__grow((void **)&out->ids, &out->ids_capacity, out->count + 1, sizeof(*out->ids)))
        return lcal__fail_nomem(err, "token ids");
    out->ids[out->count++] = id;
    return own(out, out->count - 1, owner, err);
}

/* Text of a message, or of the skeleton, where alone special tokens are looked for. */
static lcal_status put_text(writer *w, const char *text, size_t length, uint32_t owner,
                            lcal_error *err)
{
    lcal__chat_ids *out = w->out;
    const lcal__encode_options options = {.parse_special = owner == UINT32_MAX,
                                          .continues = w->begun};
    const size_t before = out->count;
    if (length == 0)
        return LCAL_OK;
    w->begun = true;
    LCAL_TRY(lcal__tokenizer_encode(w->t, text, length, &options, &out->ids, &out->count,
                                    &out->ids_capacity, err));
    return own(out, before, owner, err);
}

static lcal_status put_bos(writer *w, lcal_error *err)
{
    size_t count;
    const int32_t *ids = lcal__tokenizer_prefix(w->t, &count);
    for (size_t i = 0; i < count; i++)
        LCAL_TRY(put_id(w, ids[i], UINT32_MAX, err));
    return LCAL_OK;
}

/* From the message before, if any, to the text of this one. In one piece: a tokenizer may join a
 * line break with what follows it. */
static lcal_status put_header(writer *w, bool first, const char *role, lcal_error *err)
{
    char text[HEADER_MAX];
    int length = snprintf(text, sizeof(text), "%s%s%s%s", first ? "" : w->s->between, w->s->before,
                          role, w->s->after);
    return put_text(w, text, (size_t)length, UINT32_MAX, err);
}

static lcal_status put_end(writer *w, uint32_t owner, lcal_error *err)
{
    const skeleton *s = w->s;
    const int32_t id = s->end ? lcal__tokenizer_id(w->t, s->end) : lcal__tokenizer_eos(w->t);
    if (id < 0)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "chat template %s: the tokenizer names no end-of-text token, with which "
                          "the template ends an answer; give eos_token in a tokenizer_config.json "
                          "beside the tokenizer",
                          s->name);
    return put_id(w, id, owner, err);
}

static void trim(const char **text, size_t *length)
{
    static const char space[] = " \t\n\v\f\r";
    while (*length && memchr(space, **text, sizeof(space) - 1)) {
        ++*text;
        --*length;
    }
    while (*length && memchr(space, (*text)[*length - 1], sizeof(space) - 1))
        --*length;
}

static lcal_status put_message(writer *w, const lcal__message *message, uint32_t owner,
                               lcal_error *err)
{
    const char *text = message->text;
    size_t length = message->length;
    if (w->s->trim)
        trim(&text, &length);
    return put_text(w, text, length, owner, err);
}

static lcal_status check_role(const lcal__message *message, size_t index, lcal_error *err)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
        if (strcmp(message->role, roles[i]) == 0)
            return LCAL_OK;
    return lcal__fail(err, LCAL_INVALID,
                      "message %zu: role: expected system, user or assistant, found \"%.64s\"",
                      index + 1, message->role);
}

static lcal_status check_tokens(const writer *w, lcal_error *err)
{
    for (size_t i = 0; i < 3 && w->s->needs[i]; i++) {
        bool special = false;
        const int32_t id = lcal__tokenizer_id(w->t, w->s->needs[i]);
        if (id < 0 || !lcal__tokenizer_token(w->t, id, &special) || !special)
            return lcal__fail(err, LCAL_UNSUPPORTED,
                              "chat template %s: the tokenizer has no special token %s; choose "
                              "another of raw, llama3, chatml, zephyr",
                              w->s->name, w->s->needs[i]);
    }
    return LCAL_OK;
}

static lcal_status put_raw(writer *w, const lcal__message *messages, size_t count, bool open_reply,
                           lcal_error *err)
{
    for (size_t i = 0; i < count; i++)
        LCAL_TRY(put_message(w, &messages[i], (uint32_t)i, err));
    return count && !open_reply ? put_end(w, (uint32_t)(count - 1), err) : LCAL_OK;
}

static lcal_status put_chat(writer *w, const lcal__message *messages, size_t count, bool open_reply,
                            lcal_error *err)
{
    for (size_t i = 0; i < count; i++) {
        LCAL_TRY(put_header(w, i == 0, messages[i].role, err));
        LCAL_TRY(put_message(w, &messages[i], (uint32_t)i, err));
        LCAL_TRY(put_end(w, (uint32_t)i, err));
    }
    if (open_reply)
        return put_header(w, count == 0, "assistant", err);
    return count ? put_text(w, w->s->between, strlen(w->s->between), UINT32_MAX, err) : LCAL_OK;
}

static lcal_status encode(writer *w, bool raw, const lcal__message *messages, size_t count,
                          bool open_reply, lcal_error *err)
{
    if (count >= UINT32_MAX)
        return lcal__fail(err, LCAL_INVALID, "%zu messages: expected fewer", count);
    for (size_t i = 0; i < count; i++)
        LCAL_TRY(check_role(&messages[i], i, err));
    LCAL_TRY(check_tokens(w, err));
    LCAL_TRY(put_bos(w, err));
    return (raw ? put_raw : put_chat)(w, messages, count, open_reply, err);
}

lcal_status lcal__chat_encode(const lcal__tokenizer *tokenizer, lcal__chat_format format,
                              const lcal__message *messages, size_t count, bool open_reply,
                              lcal__chat_ids *out, lcal_error *err)
{
    writer w = {.t = tokenizer, .s = &skeletons[format], .out = out};
    const size_t before = out->count;
    lcal_status status = encode(&w, format == LCAL__CHAT_RAW, messages, count, open_reply, err);
    if (status != LCAL_OK)
        out->count = before;
    return status;
}

void lcal__chat_ids_free(lcal__chat_ids *ids)
{
    lcal__free(ids->ids);
    lcal__free(ids->owner);
    *ids = (lcal__chat_ids){0};
}

size_t lcal__chat_stops(const lcal__tokenizer *tokenizer, lcal__chat_format format,
                        int32_t out[LCAL__CHAT_STOPS])
{
    const skeleton *s = &skeletons[format];
    size_t count = 0;
    const int32_t eos = lcal__tokenizer_eos(tokenizer);
    if (eos >= 0)
        out[count++] = eos;
    for (size_t i = 0; i < 2 && s->stops[i]; i++) {
        const int32_t id = lcal__tokenizer_id(tokenizer, s->stops[i]);
        if (id >= 0 && id != eos)
            out[count++] = id;
    }
    return count;
}
