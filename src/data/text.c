#include "data/text.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"

/* --- opening ---------------------------------------------------------------------------- */

static lcal_status open_tokenizer(lcal__text *text, const char *place, lcal_error *err)
{
    const char *path = text->options.tokenizer;
    lcal_error inner = {0};
    lcal_status status = lcal__tokenizer_open(path, text->options.log, &text->tokenizer, &inner);
    if (status == LCAL_OK)
        return LCAL_OK;
    /* A model without a tokenizer is fine until text is met. */
    if (status == LCAL_IO && lcal__path_is_dir(path))
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
    if (!o->detect)
        return LCAL_OK;
    char *directory =
        lcal__path_is_dir(o->tokenizer) ? lcal__strdup(o->tokenizer) : lcal__path_dir(o->tokenizer);
    if (!directory)
        return lcal__fail_nomem(err, "path");
    lcal_status status = lcal__chat_format_detect(directory, &text->format, err);
    lcal__free(directory);
    return status;
}

lcal_status lcal__text_open(lcal__text *text, const char *place, lcal_error *err)
{
    if (text->tokenizer)
        return LCAL_OK;
    LCAL_TRY(open_tokenizer(text, place, err));
    lcal_status status = find_format(text, err);
    if (status == LCAL_OK && text->format == LCAL__CHAT_RAW && text->options.system
        && *text->options.system)
        status = lcal__fail(err, LCAL_CONFIG,
                            "data.system: template raw has no system message; leave it out or "
                            "choose llama3, chatml or zephyr (data.template)");
    if (status == LCAL_OK)
        lcal__log(text->options.log, LCAL_LOG_INFO, "%s: text is put in template %s%s",
                  text->options.tokenizer, lcal__chat_format_name(text->format),
                  text->options.detect ? ", chosen by auto" : "");
    else
        lcal__tokenizer_close(&text->tokenizer);
    return status;
}

void lcal__text_close(lcal__text *text)
{
    lcal__tokenizer_close(&text->tokenizer);
    lcal__chat_ids_free(&text->ids);
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
