/*
 * llama2.c's tokenizer .bin: u32 longest token, then per token f32 score, u32 length, bytes; little
 * endian. Spaces stand for themselves; ids 0, 1, 2 are <unk>, BOS and EOS.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/tokenizer_parts.h"

#define LCAL_BOS 1
#define LCAL_EOS 2

static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static lcal_status damaged(const char *source, size_t at, lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT,
                      "%s: neither tokenizer.json nor GGUF nor a tokenizer of llama2.c: no token "
                      "record at byte %zu",
                      source, at);
}

static lcal_status read_tokens(lcal__tokenizer *t, const unsigned char *bytes, size_t size,
                               const char *source, float **scores, lcal_error *err)
{
    size_t capacity = 0, at = 4;
    const uint32_t longest = size >= 4 ? read_u32(bytes) : 0;
    for (size_t id = 0; at < size || id <= LCAL_EOS; id++) {
        if (size < 4 || size - at < 8)
            return damaged(source, at, err);
        const uint32_t bits = read_u32(bytes + at), length = read_u32(bytes + at + 4);
        if (length > longest || length > size - at - 8)
            return damaged(source, at, err);
        if (!lcal__grow((void **)scores, &capacity, id + 1, sizeof(**scores)))
            return lcal__fail_nomem(err, source);
        memcpy(*scores + id, &bits, sizeof(bits));
        if (isnan((*scores)[id]))
            return damaged(source, at, err);
        lcal_status status =
            lcal__vocab_add(&t->vocab, id, (const char *)bytes + at + 8, length,
                            id <= LCAL_EOS ? LCAL__TOKEN_SPECIAL : LCAL__TOKEN_NORMAL, err);
        if (status != LCAL_OK)
            return lcal__fail_in(err, status, "%s", source);
        at += 8 + length;
    }
    return LCAL_OK;
}

static lcal_status set_up(lcal__tokenizer *t, const float *scores, lcal_error *err)
{
    lcal__vocab_mark_bytes(&t->vocab, t->byte_ids);
    LCAL_TRY(lcal__merges_from_scores(&t->merges, &t->vocab, scores, err));
    LCAL_TRY(lcal__normalizer_add(&t->normalizer, LCAL__NORMAL_PREPEND, NULL, " ", err));
    LCAL_TRY(lcal__id_list_add(&t->prefix, LCAL_BOS, err));
    for (int32_t id = 0; id <= LCAL_EOS; id++) {
        lcal__added_token token = {.id = id, .special = true};
        token.text = (char *)lcal__vocab_text(&t->vocab, id, &token.length);
        if (token.length)
            LCAL_TRY(lcal__added_add(&t->raw, &token, err));
    }
    t->bos = LCAL_BOS;
    t->eos = LCAL_EOS;
    t->decoder.bytes = true;
    t->decoder.strip_leading_space = true;
    return LCAL_OK;
}

lcal_status lcal__tokenizer_read_llama2c(lcal__tokenizer *t, const void *bytes, size_t size,
                                         const char *source, lcal_error *err)
{
    float *scores = NULL;
    lcal_status status = read_tokens(t, bytes, size, source, &scores, err);
    if (status == LCAL_OK)
        status = set_up(t, scores, err);
    lcal__free(scores);
    return status;
}
