/* The tokenizer inside a GGUF file: tokenizer.ggml.model "gpt2" (byte-level BPE) and "llama"
 * (SentencePiece BPE with scores). */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/patterns.h"
#include "data/tokenizer_gguf.h"
#include "data/tokenizer_parts.h"
#include "format/gguf.h"

/* llama.cpp's spelling of Llama-3's cut: its 's takes no long s (U+017F). */
#define LCAL_LLAMA3(digits)                                                                        \
    "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits  \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const lcal__gguf_pre lcal__gguf_pres[] = {
    {"gpt-2", LCAL__PATTERN_GPT2, LCAL__PATTERN_GPT2, false, false},
    {"llama-bpe", LCAL_LLAMA3("\\p{N}{1,3}"), LCAL__PATTERN_LLAMA3, true, true},
    {"smaug-bpe", LCAL_LLAMA3("\\p{N}{1,3}"), LCAL__PATTERN_LLAMA3, false, false},
    {"qwen2", LCAL_LLAMA3("\\p{N}"), LCAL__PATTERN_QWEN2, false, false},
    {"stablelm2", LCAL_LLAMA3("\\p{N}"), LCAL__PATTERN_QWEN2, false, false},
};
const unsigned lcal__gguf_pre_count = sizeof(lcal__gguf_pres) / sizeof(*lcal__gguf_pres);

static lcal__token_kind kind_of(uint32_t type)
{
    switch (type) {
    case LCAL__GGUF_TOKEN_UNKNOWN:
    case LCAL__GGUF_TOKEN_CONTROL:
        return LCAL__TOKEN_SPECIAL;
    case LCAL__GGUF_TOKEN_USER_DEFINED:
        return LCAL__TOKEN_ADDED;
    case LCAL__GGUF_TOKEN_UNUSED:
        return LCAL__TOKEN_UNUSED;
    case LCAL__GGUF_TOKEN_BYTE:
        return LCAL__TOKEN_BYTE;
    default:
        return LCAL__TOKEN_NORMAL;
    }
}

static bool is(lcal__gguf_string string, const char *text)
{
    return string.length == strlen(text) && memcmp(string.text, text, string.length) == 0;
}

static lcal_status read_tokens(lcal__tokenizer *t, const lcal__gguf *g, lcal_error *err)
{
    const lcal__gguf_key *tokens, *kinds;
    LCAL_TRY(lcal__gguf_get_array(g, "tokenizer.ggml.tokens", LCAL__GGUF_STRING, &tokens, err));
    LCAL_TRY(lcal__gguf_get_array(g, "tokenizer.ggml.token_type", LCAL__GGUF_I32, &kinds, err));
    if (!tokens || (kinds && kinds->count != tokens->count))
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: tokenizer.ggml.tokens and token_type: expected as many of each",
                          g->source);
    const unsigned char *cursor = tokens->data;
    for (size_t id = 0; id < tokens->count; id++) {
        const uint32_t type = kinds ? lcal__gguf_bits32(kinds, id) : LCAL__GGUF_TOKEN_NORMAL;
        lcal__gguf_string text = lcal__gguf_next_string(&cursor);
        if (type < LCAL__GGUF_TOKEN_NORMAL || type > LCAL__GGUF_TOKEN_BYTE)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: tokenizer.ggml.token_type: token %zu: unknown type %lu",
                              g->source, id, (unsigned long)type);
        lcal_status status =
            lcal__vocab_add(&t->vocab, id, text.text, text.length, kind_of(type), err);
        if (status != LCAL_OK)
            return lcal__fail_in(err, status, "%s: tokenizer.ggml.tokens", g->source);
    }
    return LCAL_OK;
}

static lcal_status read_id(lcal__tokenizer *t, const lcal__gguf *g, const char *name, int32_t *out,
                           lcal_error *err)
{
    uint32_t id = UINT32_MAX;
    LCAL_TRY(lcal__gguf_get_u32(g, name, &id, err));
    if (id == UINT32_MAX)
        return LCAL_OK;
    if (id >= t->vocab.count)
        return lcal__fail(err, LCAL_FORMAT, "%s: key %s: no token has the id %lu", g->source, name,
                          (unsigned long)id);
    *out = (int32_t)id;
    return LCAL_OK;
}

/* BOS and EOS are special even where the file's types forget to say so. */
static lcal_status read_ends(lcal__tokenizer *t, const lcal__gguf *g, bool add_bos, lcal_error *err)
{
    bool add_eos = false;
    LCAL_TRY(read_id(t, g, "tokenizer.ggml.bos_token_id", &t->bos, err));
    LCAL_TRY(read_id(t, g, "tokenizer.ggml.eos_token_id", &t->eos, err));
    LCAL_TRY(lcal__gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &add_bos, err));
    LCAL_TRY(lcal__gguf_get_bool(g, "tokenizer.ggml.add_eos_token", &add_eos, err));
    if ((add_bos && t->bos < 0) || (add_eos && t->eos < 0))
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: tokenizer.ggml.add_%s_token is set, but there is no such token",
                          g->source, add_bos && t->bos < 0 ? "bos" : "eos");
    if (t->bos >= 0)
        t->vocab.tokens[t->bos].kind = LCAL__TOKEN_SPECIAL;
    if (t->eos >= 0)
        t->vocab.tokens[t->eos].kind = LCAL__TOKEN_SPECIAL;
    if (add_bos)
        LCAL_TRY(lcal__id_list_add(&t->prefix, t->bos, err));
    return add_eos ? lcal__id_list_add(&t->suffix, t->eos, err) : LCAL_OK;
}

static lcal_status collect_added(lcal__tokenizer *t, lcal_error *err)
{
    for (size_t id = 0; id < t->vocab.count; id++) {
        const lcal__token *token = &t->vocab.tokens[id];
        const bool special = token->kind == LCAL__TOKEN_SPECIAL;
        if ((!special && token->kind != LCAL__TOKEN_ADDED) || token->length == 0)
            continue;
        LCAL_TRY(lcal__added_add(&t->raw,
                                 &(lcal__added_token){.text = t->vocab.text + token->start,
                                                      .length = token->length,
                                                      .id = (int32_t)id,
                                                      .special = special},
                                 err));
    }
    return LCAL_OK;
}

static lcal_status read_bpe(lcal__tokenizer *t, const lcal__gguf *g, lcal_error *err)
{
    const lcal__gguf_key *merges;
    lcal__gguf_string name = {"", 0};
    size_t which = 0;
    const size_t count = lcal__gguf_pre_count;
    LCAL_TRY(lcal__gguf_get_string(g, "tokenizer.ggml.pre", &name, err));
    while (which < count && !is(name, lcal__gguf_pres[which].name))
        which++;
    if (which == count)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tokenizer.ggml.pre: expected gpt-2, llama-bpe, smaug-bpe, qwen2 or "
                          "stablelm2, "
                          "found \"%.*s\", which is not supported",
                          g->source, name.length < 100 ? (int)name.length : 100, name.text);
    t->byte_level = t->decoder.byte_level = true;
    t->ignore_merges = lcal__gguf_pres[which].ignore_merges;
    LCAL_TRY(lcal__pretokenizer_add_regex(&t->pre, lcal__gguf_pres[which].regex, err));
    lcal__tokenizer_find_bytes(t);
    LCAL_TRY(lcal__gguf_get_array(g, "tokenizer.ggml.merges", LCAL__GGUF_STRING, &merges, err));
    const unsigned char *cursor = merges ? merges->data : NULL;
    for (size_t rank = 0; merges && rank < merges->count; rank++) {
        lcal__gguf_string line = lcal__gguf_next_string(&cursor);
        lcal_status status =
            lcal__merges_add_line(&t->merges, &t->vocab, rank, line.text, line.length, err);
        if (status != LCAL_OK)
            return lcal__fail_in(err, status, "%s: tokenizer.ggml.merges", g->source);
    }
    return read_ends(t, g, lcal__gguf_pres[which].add_bos, err);
}

static lcal_status read_scores(const lcal__tokenizer *t, const lcal__gguf *g, float *scores,
                               lcal_error *err)
{
    const lcal__gguf_key *stored;
    LCAL_TRY(lcal__gguf_get_array(g, "tokenizer.ggml.scores", LCAL__GGUF_F32, &stored, err));
    if (!stored || stored->count != t->vocab.count)
        return lcal__fail(err, LCAL_FORMAT, "%s: tokenizer.ggml.scores: expected one a token",
                          g->source);
    for (size_t id = 0; id < stored->count; id++) {
        const uint32_t bits = lcal__gguf_bits32(stored, id);
        memcpy(&scores[id], &bits, sizeof(bits));
        if (isnan(scores[id]))
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: tokenizer.ggml.scores: token %zu: not a number", g->source, id);
    }
    return LCAL_OK;
}

static lcal_status read_sentencepiece(lcal__tokenizer *t, const lcal__gguf *g, lcal_error *err)
{
    static const char space[] = "\xE2\x96\x81"; /* U+2581 */
    bool space_prefix = true;
    LCAL_TRY(lcal__gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", &space_prefix, err));
    LCAL_TRY(read_id(t, g, "tokenizer.ggml.unknown_token_id", &t->unk, err));
    lcal__vocab_mark_bytes(&t->vocab, t->byte_ids);
    float *scores = lcal__calloc(t->vocab.count, sizeof(*scores));
    lcal_status status = scores ? read_scores(t, g, scores, err) : lcal__fail_nomem(err, g->source);
    if (status == LCAL_OK)
        status = lcal__merges_from_scores(&t->merges, &t->vocab, scores, err);
    lcal__free(scores);
    if (status != LCAL_OK)
        return status;
    if (space_prefix)
        LCAL_TRY(lcal__normalizer_add(&t->normalizer, LCAL__NORMAL_PREPEND, NULL, " ", err));
    LCAL_TRY(lcal__normalizer_add(&t->normalizer, LCAL__NORMAL_REPLACE, " ", space, err));
    t->decoder.space = lcal__strdup(space);
    t->decoder.space_length = strlen(space);
    t->decoder.bytes = true;
    t->decoder.strip_leading_space = space_prefix;
    if (!t->decoder.space)
        return lcal__fail_nomem(err, g->source);
    return read_ends(t, g, true, err);
}

static lcal_status read_model(lcal__tokenizer *t, const lcal__gguf *g, lcal_error *err)
{
    lcal__gguf_string model = {"", 0};
    LCAL_TRY(lcal__gguf_get_string(g, "tokenizer.ggml.model", &model, err));
    const bool bpe = is(model, "gpt2");
    if (!bpe && !is(model, "llama"))
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tokenizer.ggml.model: expected gpt2 or llama, found \"%.*s\", which "
                          "is not supported",
                          g->source, model.length < 100 ? (int)model.length : 100, model.text);
    LCAL_TRY(read_tokens(t, g, err));
    LCAL_TRY(bpe ? read_bpe(t, g, err) : read_sentencepiece(t, g, err));
    return collect_added(t, err);
}

lcal_status lcal__tokenizer_read_gguf(lcal__tokenizer *t, const void *bytes, size_t size,
                                      const char *source, lcal_error *err)
{
    lcal__gguf g = {0};
    LCAL_TRY(lcal__gguf_parse(bytes, size, source, &g, err));
    lcal_status status = read_model(t, &g, err);
    lcal__gguf_free(&g);
    return status;
}

lcal_status lcal__tokenizer_in_gguf(const void *bytes, size_t size, const char *source, bool *found,
                                    lcal_error *err)
{
    lcal__gguf g = {0};
    lcal__gguf_string model = {"none", 4};
    LCAL_TRY(lcal__gguf_parse(bytes, size, source, &g, err));
    lcal_status status = lcal__gguf_get_string(&g, "tokenizer.ggml.model", &model, err);
    *found = !is(model, "none") && !is(model, "no_vocab");
    lcal__gguf_free(&g);
    return status;
}
