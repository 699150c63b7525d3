#include "data/tokenizer_gguf_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/tokenizer_gguf.h"
#include "data/tokenizer_parts.h"

/* U+2581, which SentencePiece writes for a space. */
static const char spm_space[] = "\xE2\x96\x81";

typedef struct writing {
    const lcal__tokenizer *t;
    const lcal__tokenizer_gguf *facts;
    lcal__gguf_writer *out;
} writing;

static lcal_status refuse(const writing *w, const char *what, lcal_error *err)
{
    return lcal__fail(err, LCAL_UNSUPPORTED, "%s: %s: GGUF cannot hold such a tokenizer; hf can",
                      w->facts->source, what);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static int32_t type_of(const lcal__tokenizer *t, size_t id)
{
    switch ((lcal__token_kind)t->vocab.tokens[id].kind) {
    case LCAL__TOKEN_SPECIAL:
        return (int32_t)id == t->unk ? LCAL__GGUF_TOKEN_UNKNOWN : LCAL__GGUF_TOKEN_CONTROL;
    case LCAL__TOKEN_ADDED:
        return LCAL__GGUF_TOKEN_USER_DEFINED;
    case LCAL__TOKEN_BYTE:
        return LCAL__GGUF_TOKEN_BYTE;
    case LCAL__TOKEN_HOLE:
    case LCAL__TOKEN_UNUSED:
        return LCAL__GGUF_TOKEN_UNUSED;
    case LCAL__TOKEN_NORMAL:
        break;
    }
    return LCAL__GGUF_TOKEN_NORMAL;
}

/* llama2.c writes spaces as they are, and "\n<s>\n" for BOS. */
static void add_spm_token(const lcal__token *token, const char *text, size_t length,
                          lcal__strbuf *spelled)
{
    lcal__strbuf_clear(spelled);
    while (token->kind == LCAL__TOKEN_SPECIAL && length && *text == '\n') {
        text++;
        length--;
    }
    while (token->kind == LCAL__TOKEN_SPECIAL && length && text[length - 1] == '\n')
        length--;
    for (size_t i = 0; i < length; i++)
        if (text[i] == ' ')
            lcal__strbuf_add(spelled, spm_space);
        else
            lcal__strbuf_add_bytes(spelled, text + i, 1);
}

static lcal_status put_tokens(const writing *w, lcal_error *err)
{
    const lcal__vocab *vocab = &w->t->vocab;
    lcal__strbuf spelled = {0};
    lcal__gguf_put_array(w->out, "tokenizer.ggml.tokens", LCAL__GGUF_STRING, w->facts->vocab);
    for (size_t id = 0; id < w->facts->vocab; id++) {
        const lcal__token *token = id < vocab->count ? &vocab->tokens[id] : NULL;
        if (!token || token->kind == LCAL__TOKEN_HOLE) {
            char filler[32];
            snprintf(filler, sizeof(filler), "[PAD%zu]", id);
            lcal__gguf_add_string(w->out, filler, strlen(filler));
        } else if (w->t->byte_level) {
            lcal__gguf_add_string(w->out, vocab->text + token->start, token->length);
        } else {
            add_spm_token(token, vocab->text + token->start, token->length, &spelled);
            lcal__gguf_add_string(w->out, spelled.text ? spelled.text : "", spelled.length);
        }
    }
    lcal__gguf_put_array(w->out, "tokenizer.ggml.token_type", LCAL__GGUF_I32, w->facts->vocab);
    for (size_t id = 0; id < w->facts->vocab; id++)
        lcal__gguf_add_bits(
            w->out, (uint32_t)(id < vocab->count ? type_of(w->t, id) : LCAL__GGUF_TOKEN_UNUSED));
    const bool failed = spelled.failed;
    lcal__strbuf_free(&spelled);
    return failed ? lcal__fail_nomem(err, w->facts->source) : LCAL_OK;
}

static int by_rank(const void *a, const void *b)
{
    const lcal__merge *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* All merges, the first to go first; free with lcal__free. */
static lcal_status sorted_merges(const writing *w, lcal__merge **out, lcal_error *err)
{
    const lcal__merges *m = &w->t->merges;
    size_t count = 0;
    *out = lcal__calloc(m->count, sizeof(**out));
    if (!*out)
        return lcal__fail_nomem(err, w->facts->source);
    for (size_t i = 0; i < m->slot_count; i++)
        if (m->slots[i].rank != UINT32_MAX)
            (*out)[count++] = m->slots[i];
    qsort(*out, count, sizeof(**out), by_rank);
    return LCAL_OK;
}

/* --- byte-level BPE -------------------------------------------------------------------------- */

static bool is_cut_by(const lcal__tokenizer *t, const lcal__gguf_pre *pre)
{
    const lcal__pre_step *step = &t->pre.steps[0];
    const char *pattern = t->pre.count == 1 && step->regex ? lcal__regex_pattern(step->regex) : "";
    return step->behavior == LCAL__SPLIT_ISOLATED && !step->invert && !step->prefix_space
           && t->ignore_merges == pre->ignore_merges
           && (strcmp(pattern, pre->regex) == 0 || strcmp(pattern, pre->original) == 0);
}

static lcal_status find_pre(const writing *w, const char **out, lcal_error *err)
{
    const lcal__normalizer *normalizer = &w->t->normalizer;
    for (size_t i = 0; i < normalizer->count; i++)
        if (normalizer->steps[i].kind != LCAL__NORMAL_NFC)
            return refuse(w, "a normalizer that replaces text before byte-level BPE", err);
    for (unsigned i = 0; i < lcal__gguf_pre_count; i++) {
        *out = lcal__gguf_pres[i].name;
        if (is_cut_by(w->t, &lcal__gguf_pres[i])
            && (strcmp(*out, "qwen2") != 0 || !w->facts->stablelm))
            return LCAL_OK;
    }
    return refuse(w, "a cut into words that has no name there", err);
}

static lcal_status put_bpe(const writing *w, lcal_error *err)
{
    const char *pre = NULL;
    const lcal__vocab *vocab = &w->t->vocab;
    lcal__merge *merges = NULL;
    lcal__strbuf line = {0};
    LCAL_TRY(find_pre(w, &pre, err));
    lcal__gguf_put_text(w->out, "tokenizer.ggml.model", "gpt2");
    lcal__gguf_put_text(w->out, "tokenizer.ggml.pre", pre);
    LCAL_TRY(put_tokens(w, err));
    LCAL_TRY(sorted_merges(w, &merges, err));
    lcal__gguf_put_array(w->out, "tokenizer.ggml.merges", LCAL__GGUF_STRING, w->t->merges.count);
    for (size_t i = 0; i < w->t->merges.count; i++) {
        const lcal__token *left = &vocab->tokens[merges[i].left];
        const lcal__token *right = &vocab->tokens[merges[i].right];
        lcal__strbuf_clear(&line);
        lcal__strbuf_add_bytes(&line, vocab->text + left->start, left->length);
        lcal__strbuf_add(&line, " ");
        lcal__strbuf_add_bytes(&line, vocab->text + right->start, right->length);
        lcal__gguf_add_string(w->out, line.text ? line.text : "", line.length);
    }
    const bool failed = line.failed;
    lcal__strbuf_free(&line);
    lcal__free(merges);
    return failed ? lcal__fail_nomem(err, w->facts->source) : LCAL_OK;
}

/* --- SentencePiece --------------------------------------------------------------------------- */

/* Whether the normalizer is what llama.cpp does: a space in front, or none, and U+2581 for spaces.
 */
static lcal_status check_spaces(const writing *w, bool *prefix, lcal_error *err)
{
    const lcal__normalizer *n = &w->t->normalizer;
    *prefix = false;
    for (size_t i = 0; i < n->count; i++) {
        const lcal__normal_step *step = &n->steps[i];
        const bool space =
            step->to && (strcmp(step->to, " ") == 0 || strcmp(step->to, spm_space) == 0);
        if (step->kind == LCAL__NORMAL_PREPEND && space)
            *prefix = true;
        else if (step->kind != LCAL__NORMAL_REPLACE || strcmp(step->from, " ") != 0 || !space)
            return refuse(w, "a normalizer that does more than write spaces", err);
    }
    if (w->t->pre.count)
        return refuse(w, "a cut into words before SentencePiece's BPE", err);
    for (size_t byte = 0; byte < 256; byte++)
        if (w->t->byte_ids[byte] < 0)
            return refuse(w, "SentencePiece's BPE without a token for every byte", err);
    return LCAL_OK;
}

/*
 * Scores under which the same pairs merge in the same order: the rank of the first merge that makes
 * a token, negative. That is exact where all merges that make a token have ranks next to each other
 * and every cut of a token into two is a merge, which is how SentencePiece's merges were made.
 */
static lcal_status find_scores(const writing *w, const lcal__merge *merges, float *scores,
                               lcal_error *err)
{
    const size_t count = w->t->merges.count;
    lcal__merges same = {0};
    for (size_t id = 0; id < w->t->vocab.count; id++)
        scores[id] = 1.0f;
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        float *score = &scores[merges[i].id];
        const bool follows = i && merges[i - 1].id == merges[i].id;
        const bool ties = i && merges[i - 1].rank == merges[i].rank;
        fits = fits && (*score > 0.0f || follows || ties);
        if (*score > 0.0f)
            *score = ties ? scores[merges[i - 1].id] : -(float)i - 1.0f;
    }
    for (size_t id = 0; id < w->t->vocab.count; id++)
        if (scores[id] > 0.0f)
            scores[id] = 0.0f;
    lcal_status status = lcal__merges_from_scores(&same, &w->t->vocab, scores, err);
    fits = fits && same.count == count;
    for (size_t i = 0; i < count && fits && status == LCAL_OK; i++)
        fits = lcal__merges_find(&same, merges[i].left, merges[i].right) != NULL;
    lcal__merges_free(&same);
    if (status == LCAL_OK && !fits)
        status = refuse(w, "merges of characters in an order that no scores give", err);
    return status;
}

static lcal_status put_scores(const writing *w, lcal_error *err)
{
    lcal__merge *merges = NULL;
    float *scores = lcal__calloc(w->facts->vocab, sizeof(*scores));
    lcal_status status =
        scores ? sorted_merges(w, &merges, err) : lcal__fail_nomem(err, w->facts->source);
    if (status == LCAL_OK)
        status = find_scores(w, merges, scores, err);
    lcal__gguf_put_array(w->out, "tokenizer.ggml.scores", LCAL__GGUF_F32, w->facts->vocab);
    for (size_t id = 0; id < w->facts->vocab && status == LCAL_OK; id++) {
        uint32_t bits;
        memcpy(&bits, &scores[id], sizeof(bits));
        lcal__gguf_add_bits(w->out, bits);
    }
    lcal__free(merges);
    lcal__free(scores);
    return status;
}

static lcal_status put_spm(const writing *w, lcal_error *err)
{
    bool prefix;
    LCAL_TRY(check_spaces(w, &prefix, err));
    lcal__gguf_put_text(w->out, "tokenizer.ggml.model", "llama");
    lcal__gguf_put_text(w->out, "tokenizer.ggml.pre", "default");
    LCAL_TRY(put_tokens(w, err));
    LCAL_TRY(put_scores(w, err));
    lcal__gguf_put_bool(w->out, "tokenizer.ggml.add_space_prefix", prefix);
    return LCAL_OK;
}

/* --- ends ------------------------------------------------------------------------------------ */

static void put_id(const writing *w, const char *name, int64_t id)
{
    if (id >= 0)
        lcal__gguf_put_u32(w->out, name, (uint32_t)id);
}

static bool has(const lcal__id_list *list, int32_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->ids[i] == id)
            return true;
    return false;
}

/* The model's own list of ends wins where the tokenizer names none of it. */
static void put_ends(const writing *w)
{
    const lcal__tokenizer *t = w->t;
    int64_t eos = t->eos, eot = -1;
    for (size_t i = 0; i < w->facts->end_count; i++) {
        const int64_t id = w->facts->ends[i];
        if (eos < 0)
            eos = id;
        else if (id != eos && eot < 0)
            eot = id;
    }
    put_id(w, "tokenizer.ggml.bos_token_id", t->bos);
    put_id(w, "tokenizer.ggml.eos_token_id", eos);
    put_id(w, "tokenizer.ggml.eot_token_id", eot);
    put_id(w, "tokenizer.ggml.unknown_token_id", t->unk);
    lcal__gguf_put_bool(w->out, "tokenizer.ggml.add_bos_token",
                        t->bos >= 0 && has(&t->prefix, t->bos));
    lcal__gguf_put_bool(w->out, "tokenizer.ggml.add_eos_token",
                        t->eos >= 0 && has(&t->suffix, t->eos));
}

lcal_status lcal__tokenizer_put_gguf(const lcal__tokenizer *tokenizer,
                                     const lcal__tokenizer_gguf *facts, lcal__gguf_writer *out,
                                     lcal_error *err)
{
    const writing w = {tokenizer, facts, out};
    LCAL_TRY(tokenizer->byte_level ? put_bpe(&w, err) : put_spm(&w, err));
    put_ends(&w);
    if (facts->chat_template)
        lcal__gguf_put_text(out, "tokenizer.chat_template", facts->chat_template);
    return LCAL_OK;
}
