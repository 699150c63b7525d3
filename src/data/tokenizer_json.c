/* tokenizer.json: the root and the added tokens. */
#include <string.h>

#include "data/tokenizer_parts.h"
#include "format/json.h"

/* The added token's flags; a text that the normalizer would change is searched as it changes it. */
static lcal_status add_to_set(lcal__tokenizer *t, const json_t *entry, const char *source,
                              lcal__added_token token, lcal_error *err)
{
    bool normalized = !token.special;
    LCAL_TRY(lcal__json_bool(entry, source, "lstrip", &token.lstrip, err));
    LCAL_TRY(lcal__json_bool(entry, source, "rstrip", &token.rstrip, err));
    LCAL_TRY(lcal__json_bool(entry, source, "single_word", &token.single_word, err));
    LCAL_TRY(lcal__json_bool(entry, source, "normalized", &normalized, err));
    if (!normalized)
        return lcal__added_add(&t->raw, &token, err);
    lcal__strbuf buffers[2] = {{0}};
    const char *text;
    size_t length;
    lcal_status status = lcal__normalizer_run(&t->normalizer, token.text, token.length, buffers,
                                              &text, &length, err);
    if (status == LCAL_OK) {
        /* The set copies the text. */
        token.text = (char *)text;
        token.length = length;
        status = lcal__added_add(&t->normalized, &token, err);
    }
    lcal__strbuf_free(&buffers[0]);
    lcal__strbuf_free(&buffers[1]);
    return status;
}

static lcal_status add_token(lcal__tokenizer *t, const json_t *entry, const char *source,
                             lcal_error *err)
{
    const char *content = NULL;
    size_t id = SIZE_MAX;
    bool special = false;
    LCAL_TRY(lcal__json_string(entry, source, "content", &content, err));
    LCAL_TRY(lcal__json_size(entry, source, "id", 0, LCAL__TOKENS_MAX - 1, &id, err));
    LCAL_TRY(lcal__json_bool(entry, source, "special", &special, err));
    if (!content || !*content || id == SIZE_MAX)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: added_tokens: expected objects with \"id\" and \"content\"", source);
    size_t length = strlen(content);
    const lcal__token_kind kind = special ? LCAL__TOKEN_SPECIAL : LCAL__TOKEN_ADDED;
    if (lcal__vocab_find(&t->vocab, content, length) == (int32_t)id) {
        t->vocab.tokens[id].kind = (uint8_t)kind;
    } else {
        lcal_status status = lcal__vocab_add(&t->vocab, id, content, length, kind, err);
        if (status != LCAL_OK)
            return lcal__fail_in(err, status, "%s: added_tokens", source);
    }
    const lcal__added_token token = {
        .text = (char *)content, .length = length, .id = (int32_t)id, .special = special};
    return add_to_set(t, entry, source, token, err);
}

static lcal_status read_added(lcal__tokenizer *t, const json_t *list, const char *source,
                              lcal_error *err)
{
    size_t i;
    json_t *entry;
    if (!list || json_is_null(list))
        return LCAL_OK;
    if (!json_is_array(list))
        return lcal__fail(err, LCAL_FORMAT, "%s: added_tokens: expected a list, found %s", source,
                          lcal__json_type(list));
    json_array_foreach(list, i, entry) LCAL_TRY(add_token(t, entry, source, err));
    return LCAL_OK;
}

lcal_status lcal__tokenizer_json_rest(lcal__tokenizer *t, const json_t *root, const char *source,
                                      lcal_error *err)
{
    const json_t *model = json_object_get(root, "model");
    LCAL_TRY(lcal__tokenizer_json_pre(t, json_object_get(root, "pre_tokenizer"), source, err));
    LCAL_TRY(lcal__tokenizer_json_options(t, model, source, err));
    LCAL_TRY(lcal__tokenizer_json_normalizer(t, json_object_get(root, "normalizer"), source, err));
    LCAL_TRY(read_added(t, json_object_get(root, "added_tokens"), source, err));
    LCAL_TRY(lcal__tokenizer_json_post(t, json_object_get(root, "post_processor"), source, err));
    return lcal__tokenizer_json_decoder(t, json_object_get(root, "decoder"), source, err);
}

lcal_status lcal__tokenizer_read_json(lcal__tokenizer *t, const void *bytes, size_t size,
                                      const char *source, lcal_error *err)
{
    json_t *root = NULL;
    LCAL_TRY(lcal__json_parse(bytes, size, source, &root, err));
    lcal_status status = lcal__tokenizer_json_tables(t, root, source, err);
    if (status == LCAL_OK)
        status = lcal__tokenizer_json_rest(t, root, source, err);
    json_decref(root);
    return status;
}
