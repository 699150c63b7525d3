#include "data/tokenizer.h"

#include <string.h>

#include "base/mem.h"
#include "data/bytelevel.h"
#include "data/tokenizer_cache.h"
#include "data/tokenizer_parts.h"

lcal_status lcal__id_list_add(lcal__id_list *list, int32_t id, lcal_error *err)
{
    if (!lcal__grow((void **)&list->ids, &list->capacity, list->count + 1, sizeof(*list->ids)))
        return lcal__fail_nomem(err, "template");
    list->ids[list->count++] = id;
    return LCAL_OK;
}

void lcal__tokenizer_clear(lcal__tokenizer *t)
{
    lcal__vocab_free(&t->vocab);
    lcal__added_free(&t->raw);
    lcal__added_free(&t->normalized);
    lcal__normalizer_free(&t->normalizer);
    lcal__pretokenizer_free(&t->pre);
    lcal__merges_free(&t->merges);
    lcal__free(t->prefix.ids);
    lcal__free(t->suffix.ids);
    lcal__free(t->decoder.space);
    *t = (lcal__tokenizer){0};
    for (size_t i = 0; i < 256; i++)
        t->byte_ids[i] = -1;
    t->unk = t->bos = t->eos = -1;
}

lcal_status lcal__tokenizer_new(lcal__tokenizer **out, lcal_error *err)
{
    lcal__tokenizer *t = lcal__calloc(1, sizeof(*t));
    if (!t)
        return lcal__fail_nomem(err, "tokenizer");
    lcal__tokenizer_clear(t);
    *out = t;
    return LCAL_OK;
}

void lcal__tokenizer_close(lcal__tokenizer **tokenizer)
{
    if (*tokenizer)
        lcal__tokenizer_clear(*tokenizer);
    lcal__free(*tokenizer);
    *tokenizer = NULL;
}

void lcal__tokenizer_find_bytes(lcal__tokenizer *t)
{
    char spelled[2];
    for (unsigned byte = 0; byte < 256; byte++) {
        size_t length = lcal__bytelevel_spell((unsigned char)byte, spelled);
        t->byte_ids[byte] = lcal__vocab_find(&t->vocab, spelled, length);
    }
}

lcal_status lcal__tokenizer_finish(lcal__tokenizer *t, const char *source, lcal_error *err)
{
    for (unsigned byte = 0; byte < 256 && t->unk < 0; byte++)
        if (t->byte_ids[byte] < 0)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: byte 0x%02X has no token and there is no unknown token: not "
                              "every text could be encoded",
                              source, byte);
    lcal__added_seal(&t->raw);
    lcal__added_seal(&t->normalized);
    return LCAL_OK;
}

static bool begins_with_brace(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    return at < size && text[at] == '{';
}

lcal_status lcal__tokenizer_parse_cached(const void *bytes, size_t size, const char *source,
                                         const char *cache, lcal__tokenizer **out, lcal_error *err)
{
    const bool cached = cache && *cache && size >= LCAL__CACHE_WORTH;
    lcal__tokenizer *t = NULL;
    LCAL_TRY(lcal__tokenizer_new(&t, err));
    lcal_status status;
    if (size >= 4 && memcmp(bytes, "GGUF", 4) == 0)
        status = lcal__tokenizer_read_gguf(t, bytes, size, source, err);
    else if (begins_with_brace(bytes, size))
        status = cached ? lcal__tokenizer_read_cached(t, bytes, size, source, cache, err)
                        : lcal__tokenizer_read_json(t, bytes, size, source, err);
    else
        status = lcal__tokenizer_read_llama2c(t, bytes, size, source, err);
    if (status == LCAL_OK)
        status = lcal__tokenizer_finish(t, source, err);
    if (status != LCAL_OK)
        lcal__tokenizer_close(&t);
    *out = t;
    return status;
}

lcal_status lcal__tokenizer_parse(const void *bytes, size_t size, const char *source,
                                  lcal__tokenizer **out, lcal_error *err)
{
    return lcal__tokenizer_parse_cached(bytes, size, source, NULL, out, err);
}

size_t lcal__tokenizer_size(const lcal__tokenizer *t)
{
    return t->vocab.count;
}

const int32_t *lcal__tokenizer_prefix(const lcal__tokenizer *t, size_t *count)
{
    *count = t->prefix.count;
    return t->prefix.ids;
}

int32_t lcal__tokenizer_bos(const lcal__tokenizer *t)
{
    return t->bos;
}

int32_t lcal__tokenizer_eos(const lcal__tokenizer *t)
{
    return t->eos;
}

int32_t lcal__tokenizer_id(const lcal__tokenizer *t, const char *token)
{
    return lcal__vocab_find(&t->vocab, token, strlen(token));
}

const char *lcal__tokenizer_token(const lcal__tokenizer *t, int32_t id, bool *special)
{
    size_t length;
    const char *text = lcal__vocab_text(&t->vocab, id, &length);
    if (text && special)
        *special = t->vocab.tokens[id].kind == LCAL__TOKEN_SPECIAL;
    return text;
}
