#include "data/text.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"

/* --- opening ---------------------------------------------------------------------------- */

static lcal_status find_tokenizer(lcal__text *text, lcal_error *err)
{
    const lcal__text_options *o = &text->options;
    if (o->find)
        return o->find(o->find_user, &text->tokenizer, err);
    LCAL_TRY(lcal__tokenizer_open(o->path, o->log, &text->owned, err));
    text->tokenizer = text->owned;
    return LCAL_OK;
}

static lcal_status open_tokenizer(lcal__text *text, const char *place, lcal_error *err)
{
    lcal_error inner = {0};
    lcal_status status = find_tokenizer(text, &inner);
    if (status == LCAL_OK)
        return LCAL_OK;
    /* A model without a tokenizer is fine until text is met. */
    if (status == LCAL_IO && lcal__path_is_dir(text->options.path))
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: text needs a tokenizer: %.1024s; put the model's tokenizer.json "
                          "there, name another (data.tokenizer, --tokenizer) or give "
                          "{\"input_ids\": [...], \"labels\": [...]}",
                          place, inner.message);
    return lcal__fail(err, status, "%s", inner.message);
}

static lcal_status find_format(lcal__text *text, lcal_error *err)
{
    const lcal__text_options *o = &text->options;
    text->format = o->format;
    if (o->detect)
        LCAL_TRY(lcal__chat_format_detect(o->path, &text->format, err));
    if (text->format != LCAL__CHAT_RAW || !o->system || !*o->system)
        return LCAL_OK;
    return lcal__fail(err, LCAL_CONFIG,
                      "%s: template raw has no system message; leave it out (data.system, "
                      "--system) or choose the template llama3, chatml or zephyr",
                      o->path);
}

lcal_status lcal__text_open(lcal__text *text, const char *place, lcal_error *err)
{
    if (text->tokenizer)
        return LCAL_OK;
    LCAL_TRY(open_tokenizer(text, place, err));
    lcal_status status = find_format(text, err);
    if (status == LCAL_OK)
        lcal__log(text->options.log, LCAL_LOG_INFO, "%s: text is put in template %s%s",
                  text->options.path, lcal__chat_format_name(text->format),
                  text->options.detect ? ", chosen by auto" : "");
    else
        lcal__text_close(text);
    return status;
}

void lcal__text_close(lcal__text *text)
{
    lcal__tokenizer_close(&text->owned);
    text->tokenizer = NULL;
    lcal__chat_ids_free(&text->ids);
}

/* --- options in words ----------------------------------------------------------------------- */

lcal_status lcal__text_options_parse(const char *template_, const char *loss_on,
                                     lcal__text_options *out, lcal_error *err)
{
    static const char *const parts[] = {[LCAL__LEARNT_COMPLETION] = "completion",
                                        [LCAL__LEARNT_ASSISTANT] = "assistant",
                                        [LCAL__LEARNT_ALL] = "all"};
    size_t format = 0, learnt = LCAL__LEARNT_COMPLETION;
    out->detect = !template_ || strcmp(template_, "auto") == 0;
    while (!out->detect && format < LCAL__CHAT_FORMATS
           && strcmp(template_, lcal__chat_format_name((lcal__chat_format)format)) != 0)
        format++;
    if (format == LCAL__CHAT_FORMATS)
        return lcal__fail(err, LCAL_INVALID,
                          "template: expected auto, raw, llama3, chatml or zephyr, found \"%.64s\"",
                          template_);
    while (loss_on && learnt <= LCAL__LEARNT_ALL && strcmp(loss_on, parts[learnt]) != 0)
        learnt++;
    if (learnt > LCAL__LEARNT_ALL)
        return lcal__fail(err, LCAL_INVALID,
                          "loss_on: expected completion, assistant or all, found \"%.64s\"",
                          loss_on);
    out->format = (lcal__chat_format)format;
    out->learnt = (lcal__learnt)learnt;
    return LCAL_OK;
}

/* --- encoding --------------------------------------------------------------------------- */

static bool is_learnt_message(const lcal__text *text, const lcal__record *record, size_t message)
{
    switch (text->options.learnt) {
    case LCAL__LEARNT_COMPLETION:
        return message + 1 == record->count;
    case LCAL__LEARNT_ASSISTANT:
        return strcmp(record->messages[message].role, "assistant") == 0;
    case LCAL__LEARNT_ALL:
        break;
    }
    return true;
}

bool lcal__text_is_learnt(const lcal__text *text, const lcal__record *record, size_t i)
{
    const uint32_t owner = text->ids.owner[i];
    return owner == UINT32_MAX ? text->options.learnt == LCAL__LEARNT_ALL
                               : is_learnt_message(text, record, owner);
}

/* Whether any learnt message has tokens besides its end. raw ends the last one only. */
static bool says_something(const lcal__text *text, const lcal__record *record)
{
    size_t tokens = 0, ends = 0;
    for (size_t i = 0; i < text->ids.count; i++)
        tokens += text->ids.owner[i] != UINT32_MAX && lcal__text_is_learnt(text, record, i);
    for (size_t m = 0; m < record->count; m++)
        if (text->format != LCAL__CHAT_RAW || m + 1 == record->count)
            ends += is_learnt_message(text, record, m);
    return tokens > ends;
}

lcal_status lcal__text_encode(lcal__text *text, const lcal__record *record, const char *place,
                              lcal_error *err)
{
    LCAL_TRY(lcal__text_open(text, place, err));
    text->ids.count = 0;
    lcal_status status = lcal__chat_encode(text->tokenizer, text->format, record->messages,
                                           record->count, false, &text->ids, err);
    if (status != LCAL_OK)
        return lcal__fail_in(err, status, "%s", place);
    text->said = says_something(text, record);
    return LCAL_OK;
}
