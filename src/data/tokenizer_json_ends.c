/* tokenizer.json: "post_processor" (what stands around a text) and "decoder". */
#include <string.h>

#include "base/mem.h"
#include "data/tokenizer_parts.h"
#include "format/json.h"

static lcal_status refuse(const char *where, const char *what, const char *name, lcal_error *err)
{
    return lcal__fail(err, LCAL_UNSUPPORTED, "%s: %s \"%s\" is not supported", where, what, name);
}

/* The ids of a template's special token, by its name in the post-processor's own table. */
static lcal_status add_special(lcal__tokenizer *t, const json_t *post, const json_t *special,
                               lcal__id_list *list, const char *where, lcal_error *err)
{
    const char *name = NULL;
    size_t i;
    json_t *id;
    LCAL_TRY(lcal__json_string(special, where, "id", &name, err));
    const json_t *entry = json_object_get(json_object_get(post, "special_tokens"), name);
    const json_t *ids = json_object_get(entry, "ids");
    if (!json_array_size(ids))
        return lcal__fail(err, LCAL_FORMAT, "%s: special_tokens: no ids for \"%s\"", where,
                          name ? name : "");
    json_array_foreach(ids, i, id)
    {
        size_t length;
        json_int_t value = json_is_integer(id) ? json_integer_value(id) : -1;
        if (value < 0 || value >= (json_int_t)LCAL__TOKENS_MAX
            || !lcal__vocab_text(&t->vocab, (int32_t)value, &length))
            return lcal__fail(err, LCAL_FORMAT, "%s: special_tokens: \"%s\": no such token id",
                              where, name);
        LCAL_TRY(lcal__id_list_add(list, (int32_t)value, err));
    }
    return LCAL_OK;
}

/* "single": special tokens and, once, the text. */
static lcal_status read_template(lcal__tokenizer *t, const json_t *post, const char *where,
                                 lcal_error *err)
{
    size_t i, texts = 0;
    json_t *piece;
    const json_t *single = json_object_get(post, "single");
    json_array_foreach(single, i, piece)
    {
        const json_t *special = json_object_get(piece, "SpecialToken");
        if (special)
            LCAL_TRY(add_special(t, post, special, texts ? &t->suffix : &t->prefix, where, err));
        else
            texts += json_object_get(piece, "Sequence") != NULL;
    }
    if (texts != 1)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: single: expected a list with the text once, found it %zu times",
                          where, texts);
    return LCAL_OK;
}

static lcal_status read_post(lcal__tokenizer *t, const json_t *post, const char *where,
                             lcal_error *err)
{
    const char *type = "";
    size_t i;
    json_t *part;
    LCAL_TRY(lcal__json_string(post, where, "type", &type, err));
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(t, post, where, err);
    if (strcmp(type, "ByteLevel") == 0) /* only about offsets into the text */
        return LCAL_OK;
    if (strcmp(type, "Sequence") != 0)
        return refuse(where, "type", type, err);
    json_array_foreach(json_object_get(post, "processors"), i, part)
        LCAL_TRY(read_post(t, part, where, err));
    return LCAL_OK;
}

lcal_status lcal__tokenizer_json_post(lcal__tokenizer *t, const json_t *post, const char *source,
                                      lcal_error *err)
{
    if (!post || json_is_null(post))
        return LCAL_OK;
    lcal_status status = read_post(t, post, "post_processor", err);
    return status == LCAL_OK ? LCAL_OK : lcal__fail_in(err, status, "%s", source);
}

/* Replace: one text by a space, as Llama-2 writes spaces. */
static lcal_status read_replace(lcal__tokenizer *t, const json_t *step, const char *where,
                                lcal_error *err)
{
    const char *text = NULL, *content = NULL;
    LCAL_TRY(lcal__json_string(json_object_get(step, "pattern"), where, "String", &text, err));
    LCAL_TRY(lcal__json_string(step, where, "content", &content, err));
    if (!text || !*text || !content || strcmp(content, " ") != 0 || t->decoder.space)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: Replace: expected one text, replaced by a space; nothing else is "
                          "supported",
                          where);
    t->decoder.space = lcal__strdup(text);
    t->decoder.space_length = strlen(text);
    return t->decoder.space ? LCAL_OK : lcal__fail_nomem(err, "decoder");
}

static lcal_status read_strip(lcal__tokenizer *t, const json_t *step, const char *where,
                              lcal_error *err)
{
    const char *content = "";
    size_t start = 0, stop = 0;
    LCAL_TRY(lcal__json_string(step, where, "content", &content, err));
    LCAL_TRY(lcal__json_size(step, where, "start", 0, 1, &start, err));
    LCAL_TRY(lcal__json_size(step, where, "stop", 0, 0, &stop, err));
    if (strcmp(content, " ") != 0)
        return refuse(where, "Strip of", content, err);
    t->decoder.strip_leading_space = start == 1;
    return LCAL_OK;
}

static lcal_status read_decoder(lcal__tokenizer *t, const json_t *decoder, const char *where,
                                lcal_error *err)
{
    const char *type = "";
    size_t i;
    json_t *part;
    LCAL_TRY(lcal__json_string(decoder, where, "type", &type, err));
    if (strcmp(type, "ByteLevel") == 0)
        t->decoder.byte_level = true;
    else if (strcmp(type, "ByteFallback") == 0)
        t->decoder.bytes = true;
    else if (strcmp(type, "Replace") == 0)
        return read_replace(t, decoder, where, err);
    else if (strcmp(type, "Strip") == 0)
        return read_strip(t, decoder, where, err);
    else if (strcmp(type, "Sequence") == 0)
        json_array_foreach(json_object_get(decoder, "decoders"), i, part)
            LCAL_TRY(read_decoder(t, part, where, err));
    else if (strcmp(type, "Fuse") != 0) /* joins tokens, as decoding here always does */
        return refuse(where, "type", type, err);
    return LCAL_OK;
}

lcal_status lcal__tokenizer_json_decoder(lcal__tokenizer *t, const json_t *decoder,
                                         const char *source, lcal_error *err)
{
    if (!json_is_object(decoder))
        return lcal__fail(err, LCAL_UNSUPPORTED, "%s: decoder: expected an object, found %s",
                          source, lcal__json_type(decoder));
    lcal_status status = read_decoder(t, decoder, "decoder", err);
    return status == LCAL_OK ? LCAL_OK : lcal__fail_in(err, status, "%s", source);
}
