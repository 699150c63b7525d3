/* include/lcal/tokenizer.h in terms of data/tokenizer.h. */
#include "lcal/tokenizer.h"

#include "base/mem.h"
#include "data/tokenizer.h"

lcal_status lcal_tokenizer_open(const char *path, const lcal_log *log, lcal_tokenizer **out,
                                lcal_error *err)
{
    return lcal__tokenizer_open(path, log, out, err);
}

lcal_status lcal_tokenizer_open_cached(const char *path, const char *cache, const lcal_log *log,
                                       lcal_tokenizer **out, lcal_error *err)
{
    return lcal__tokenizer_open_cached(path, cache, log, out, err);
}

void lcal_tokenizer_close(lcal_tokenizer **tokenizer)
{
    lcal__tokenizer_close(tokenizer);
}

lcal_status lcal_tokenizer_encode(const lcal_tokenizer *tokenizer, const char *text, size_t length,
                                  unsigned flags, int32_t **ids, size_t *count, lcal_error *err)
{
    const lcal__encode_options options = {.parse_special = (flags & LCAL_PARSE_SPECIAL) != 0,
                                          .add_special = (flags & LCAL_ADD_SPECIAL) != 0};
    int32_t *list = NULL;
    size_t found = 0, capacity = 0;
    if (!lcal__grow((void **)&list, &capacity, 1, sizeof(*list)))
        return lcal__fail_nomem(err, "token ids");
    lcal_status status =
        lcal__tokenizer_encode(tokenizer, text, length, &options, &list, &found, &capacity, err);
    if (status != LCAL_OK) {
        lcal__free(list);
        return status;
    }
    *ids = list;
    *count = found;
    return LCAL_OK;
}

void lcal_ids_free(int32_t *ids)
{
    lcal__free(ids);
}

lcal_status lcal_tokenizer_decode(const lcal_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                  int skip_special, char **text, size_t *length, lcal_error *err)
{
    return lcal__tokenizer_decode(tokenizer, ids, count, skip_special != 0, text, length, err);
}

size_t lcal_tokenizer_size(const lcal_tokenizer *tokenizer)
{
    return lcal__tokenizer_size(tokenizer);
}

int32_t lcal_tokenizer_bos(const lcal_tokenizer *tokenizer)
{
    return lcal__tokenizer_bos(tokenizer);
}

int32_t lcal_tokenizer_eos(const lcal_tokenizer *tokenizer)
{
    return lcal__tokenizer_eos(tokenizer);
}

const char *lcal_tokenizer_token(const lcal_tokenizer *tokenizer, int32_t id, bool *special)
{
    return lcal__tokenizer_token(tokenizer, id, special);
}
