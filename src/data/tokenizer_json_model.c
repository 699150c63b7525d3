/* tokenizer.json: "model", a BPE. */
#include <string.h>

#include "data/tokenizer_parts.h"
#include "format/json.h"

static lcal_status read_vocab(lcal__tokenizer *t, const json_t *vocab, const char *source,
                              lcal_error *err)
{
    const char *text;
    json_t *id;
    if (!json_is_object(vocab))
        return lcal__fail(err, LCAL_FORMAT, "%s: model.vocab: expected an object, found %s", source,
                          lcal__json_type(vocab));
    json_object_foreach((json_t *)vocab, text, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: model.vocab: token \"%s\": expected an id, found %s", source,
                              text, lcal__json_type(id));
        lcal_status status = lcal__vocab_add(&t->vocab, (size_t)json_integer_value(id), text,
                                             strlen(text), LCAL__TOKEN_NORMAL, err);
        if (status != LCAL_OK)
            return lcal__fail_in(err, status, "%s: model.vocab", source);
    }
    return LCAL_OK;
}

/* "LEFT RIGHT" or ["LEFT", "RIGHT"]. */
static lcal_status read_merge(lcal__tokenizer *t, const json_t *entry, size_t rank, lcal_error *err)
{
    if (json_is_string(entry))
        return lcal__merges_add_line(&t->merges, &t->vocab, rank, json_string_value(entry),
                                     json_string_length(entry), err);
    const json_t *left = json_array_get(entry, 0), *right = json_array_get(entry, 1);
    if (json_array_size(entry) != 2 || !json_is_string(left) || !json_is_string(right))
        return lcal__fail(err, LCAL_FORMAT, "merge %zu: expected two tokens, found %s", rank,
                          lcal__json_type(entry));
    return lcal__merges_add_texts(&t->merges, &t->vocab, rank, json_string_value(left),
                                  json_string_length(left), json_string_value(right),
                                  json_string_length(right), err);
}

static lcal_status read_merges(lcal__tokenizer *t, const json_t *merges, const char *source,
                               lcal_error *err)
{
    size_t rank;
    json_t *entry;
    if (!json_is_array(merges))
        return lcal__fail(err, LCAL_FORMAT, "%s: model.merges: expected a list, found %s", source,
                          lcal__json_type(merges));
    json_array_foreach(merges, rank, entry)
    {
        lcal_status status = read_merge(t, entry, rank, err);
        if (status != LCAL_OK)
            return lcal__fail_in(err, status, "%s: model.merges", source);
    }
    return LCAL_OK;
}

/* Options that change the result and that no model of our families sets. */
static lcal_status refuse_others(const json_t *model, const char *source, lcal_error *err)
{
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const char *type = "BPE";
    double dropout = 0;
    LCAL_TRY(lcal__json_string(model, source, "type", &type, err));
    if (strcmp(type, "BPE") != 0)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: model.type: expected \"BPE\", found \"%s\", which is not supported",
                          source, type);
    for (size_t i = 0; i < sizeof(affixes) / sizeof(*affixes); i++) {
        const char *affix = "";
        LCAL_TRY(lcal__json_string(model, source, affixes[i], &affix, err));
        if (*affix)
            return lcal__fail(err, LCAL_UNSUPPORTED,
                              "%s: model.%s: expected none, found \"%s\", which is not supported",
                              source, affixes[i], affix);
    }
    LCAL_TRY(lcal__json_real(model, source, "dropout", &dropout, err));
    if (dropout != 0)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: model.dropout: expected none, found %g, which is not supported",
                          source, dropout);
    return LCAL_OK;
}

lcal_status lcal__tokenizer_json_options(lcal__tokenizer *t, const json_t *model,
                                         const char *source, lcal_error *err)
{
    const char *unk = NULL;
    bool byte_fallback = false;
    LCAL_TRY(lcal__json_bool(model, source, "ignore_merges", &t->ignore_merges, err));
    LCAL_TRY(lcal__json_bool(model, source, "fuse_unk", &t->fuse_unk, err));
    LCAL_TRY(lcal__json_bool(model, source, "byte_fallback", &byte_fallback, err));
    LCAL_TRY(lcal__json_string(model, source, "unk_token", &unk, err));
    if (unk && *unk) {
        t->unk = lcal__vocab_find(&t->vocab, unk, strlen(unk));
        if (t->unk < 0)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: model.unk_token: \"%s\" is not in the vocabulary", source, unk);
    }
    if (t->byte_level)
        lcal__tokenizer_find_bytes(t);
    else if (byte_fallback)
        lcal__vocab_mark_bytes(&t->vocab, t->byte_ids);
    return LCAL_OK;
}

lcal_status lcal__tokenizer_json_tables(lcal__tokenizer *t, const json_t *root, const char *source,
                                        lcal_error *err)
{
    const json_t *model = json_object_get(root, "model");
    if (!json_is_object(model))
        return lcal__fail(err, LCAL_FORMAT, "%s: model: expected an object, found %s", source,
                          lcal__json_type(model));
    LCAL_TRY(refuse_others(model, source, err));
    LCAL_TRY(read_vocab(t, json_object_get(model, "vocab"), source, err));
    return read_merges(t, json_object_get(model, "merges"), source, err);
}
