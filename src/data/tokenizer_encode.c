#include <limits.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/bytelevel.h"
#include "data/tokenizer_parts.h"

/* One call's working memory and result. */
typedef struct encoder {
    const lcal__tokenizer *t;
    const lcal__normalizer *normalizer;
    const lcal__pretokenizer *pre;
    bool parse_special;
    lcal__bpe bpe;
    lcal__strbuf spelled;   /* a word in GPT-2's spelling */
    lcal__strbuf normal[2]; /* normalized text */
    int32_t **ids;
    size_t *count, *capacity;
} encoder;

static lcal_status put(encoder *e, int32_t id, lcal_error *err)
{
    if (!lcal__grow((void **)e->ids, e->capacity, *e->count + 1, sizeof(**e->ids)))
        return lcal__fail_nomem(err, "token ids");
    (*e->ids)[(*e->count)++] = id;
    return LCAL_OK;
}

static lcal_status put_list(encoder *e, const lcal__id_list *list, lcal_error *err)
{
    for (size_t i = 0; i < list->count; i++)
        LCAL_TRY(put(e, list->ids[i], err));
    return LCAL_OK;
}

/* The symbols of a byte-level word: a token a byte. */
static bool add_bytes(encoder *e, const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int32_t id = e->t->byte_ids[(unsigned char)word[i]];
        if (!lcal__bpe_add(&e->bpe, (uint32_t)(id >= 0 ? id : e->t->unk)))
            return false;
    }
    return true;
}

/* The symbols of a character without a token: its bytes, or unk where not all of them have one. */
static bool add_unknown(encoder *e, const char *text, size_t length, bool *after_unk)
{
    for (size_t i = 0; i < length; i++)
        if (e->t->byte_ids[(unsigned char)text[i]] < 0) {
            bool fused = *after_unk && e->t->fuse_unk;
            *after_unk = true;
            return fused || lcal__bpe_add(&e->bpe, (uint32_t)e->t->unk);
        }
    *after_unk = false;
    return add_bytes(e, text, length);
}

static bool add_characters(encoder *e, const char *word, size_t length)
{
    bool after_unk = false;
    for (size_t at = 0, size; at < length; at += size) {
        size = lcal__utf8_valid(word + at, length - at);
        int32_t id = lcal__vocab_find(&e->t->vocab, word + at, size);
        if (id < 0 || e->t->vocab.tokens[id].kind == LCAL__TOKEN_SPECIAL) {
            if (!add_unknown(e, word + at, size, &after_unk))
                return false;
            continue;
        }
        after_unk = false;
        if (!lcal__bpe_add(&e->bpe, (uint32_t)id))
            return false;
    }
    return true;
}

/* The id of a word that is a token as a whole, or -1; special tokens are none of these. */
static int32_t whole_word(encoder *e, const char *word, size_t length)
{
    if (e->t->byte_level) {
        lcal__strbuf_clear(&e->spelled);
        lcal__bytelevel_encode(word, length, &e->spelled);
        word = e->spelled.text;
        length = e->spelled.length;
    }
    int32_t id = lcal__vocab_find(&e->t->vocab, word, length);
    return id >= 0 && e->t->vocab.tokens[id].kind == LCAL__TOKEN_NORMAL ? id : -1;
}

static lcal_status encode_word(void *context, const char *word, size_t length, lcal_error *err)
{
    encoder *e = context;
    if (e->t->ignore_merges) {
        int32_t id = whole_word(e, word, length);
        if (e->spelled.failed)
            return lcal__fail_nomem(err, "text");
        if (id >= 0)
            return put(e, id, err);
    }
    e->bpe.count = 0;
    bool done = e->t->byte_level ? add_bytes(e, word, length) : add_characters(e, word, length);
    if (!done || !lcal__bpe_merge(&e->bpe, &e->t->merges))
        return lcal__fail_nomem(err, "token ids");
    for (size_t i = 0; i < e->bpe.count; i++)
        LCAL_TRY(put(e, (int32_t)e->bpe.symbols[i].id, err));
    return LCAL_OK;
}

typedef lcal_status part_fn(encoder *e, const char *text, size_t length, lcal_error *err);

/* Puts the added tokens of a set and calls fn with the text between them. */
static lcal_status around(encoder *e, const lcal__added *added, const char *text, size_t length,
                          part_fn *fn, lcal_error *err)
{
    lcal__added_match match;
    size_t done = 0;
    while (lcal__added_find(added, text, length, done, e->parse_special, &match)) {
        if (match.start > done)
            LCAL_TRY(fn(e, text + done, match.start - done, err));
        LCAL_TRY(put(e, match.id, err));
        done = match.end;
    }
    return done < length ? fn(e, text + done, length - done, err) : LCAL_OK;
}

static lcal_status encode_normalized(encoder *e, const char *text, size_t length, lcal_error *err)
{
    return lcal__pretokenizer_run(e->pre, text, length, encode_word, e, err);
}

static lcal_status encode_raw(encoder *e, const char *text, size_t length, lcal_error *err)
{
    LCAL_TRY(lcal__normalizer_run(e->normalizer, text, length, e->normal, &text, &length, err));
    return around(e, &e->t->normalized, text, length, encode_normalized, err);
}

/* The tokenizer's two steps without a space put in front. They borrow what the steps own. */
typedef struct continuing {
    lcal__normalizer normalizer;
    lcal__pretokenizer pre;
} continuing;

static void skip_prefixes(encoder *e, continuing *c)
{
    c->normalizer.count = 0;
    for (size_t i = 0; i < e->t->normalizer.count; i++)
        if (e->t->normalizer.steps[i].kind != LCAL__NORMAL_PREPEND)
            c->normalizer.steps[c->normalizer.count++] = e->t->normalizer.steps[i];
    c->pre = e->t->pre;
    for (size_t i = 0; i < c->pre.count; i++)
        c->pre.steps[i].prefix_space = false;
    e->normalizer = &c->normalizer;
    e->pre = &c->pre;
}

static lcal_status encode(encoder *e, const char *text, size_t length,
                          const lcal__encode_options *options, lcal_error *err)
{
    if (options->add_special)
        LCAL_TRY(put_list(e, &e->t->prefix, err));
    LCAL_TRY(around(e, &e->t->raw, text, length, encode_raw, err));
    return options->add_special ? put_list(e, &e->t->suffix, err) : LCAL_OK;
}

lcal_status lcal__tokenizer_encode(const lcal__tokenizer *t, const char *text, size_t length,
                                   const lcal__encode_options *options, int32_t **ids,
                                   size_t *count, size_t *capacity, lcal_error *err)
{
    encoder e = {.t = t,
                 .normalizer = &t->normalizer,
                 .pre = &t->pre,
                 .parse_special = options->parse_special,
                 .ids = ids,
                 .count = count,
                 .capacity = capacity};
    const size_t before = *count;
    lcal__strbuf repaired = {0};
    continuing without_prefixes;
    if (options->continues)
        skip_prefixes(&e, &without_prefixes);
    if (length > INT_MAX)
        return lcal__fail(err, LCAL_INVALID, "a text of %zu bytes: expected at most %d", length,
                          INT_MAX);
    if (!lcal__utf8_all(text, length)) {
        lcal__strbuf_add_utf8(&repaired, text, length);
        text = repaired.text;
        length = repaired.length;
    }
    lcal_status status =
        repaired.failed ? lcal__fail_nomem(err, "text") : encode(&e, text, length, options, err);
    if (status != LCAL_OK)
        *count = before;
    lcal__strbuf_free(&repaired);
    lcal__strbuf_free(&e.spelled);
    lcal__strbuf_free(&e.normal[0]);
    lcal__strbuf_free(&e.normal[1]);
    lcal__bpe_free(&e.bpe);
    return status;
}
