/* The bytes of a cache file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/tokenizer_cache.h"
#include "format/json.h"

static const char magic[8] = {'L', 'C', 'A', 'L', 'T', 'O', 'K', '1'};

#define LCAL_HEAD (sizeof(magic) + 2 * LCAL__SHA256_BYTES) /* what the checksum does not cover */
#define LCAL_LENGTHS 32
#define LCAL_NO_TOKEN UINT32_MAX
#define LCAL_MERGE_BYTES 16

static void put_number(lcal__strbuf *out, uint64_t value, size_t bytes)
{
    unsigned char little[8];
    for (size_t i = 0; i < bytes; i++)
        little[i] = (unsigned char)(value >> 8 * i);
    lcal__strbuf_add_bytes(out, little, bytes);
}

/* root without the tables, as text. */
static lcal_status without_tables(const json_t *root, char **text, lcal_error *err)
{
    json_t *rest = json_copy((json_t *)root);
    json_t *model = json_copy(json_object_get(root, "model"));
    json_object_del(model, "vocab");
    json_object_del(model, "merges");
    lcal_status status = LCAL_OK;
    if (json_object_set_new(rest, "model", model) != 0)
        status = lcal__fail_nomem(err, "tokenizer cache");
    else
        status = lcal__json_write(rest, text, err);
    json_decref(rest);
    return status;
}

static void put_vocab(const lcal__vocab *vocab, lcal__strbuf *out)
{
    for (size_t id = 0; id < vocab->count; id++)
        put_number(out,
                   vocab->tokens[id].kind == LCAL__TOKEN_HOLE ? LCAL_NO_TOKEN
                                                              : vocab->tokens[id].length,
                   4);
    for (size_t id = 0; id < vocab->count; id++)
        lcal__strbuf_add_bytes(out, vocab->text + vocab->tokens[id].start,
                               vocab->tokens[id].length);
}

static int by_rank(const void *a, const void *b)
{
    const lcal__merge *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static lcal_status put_merges(const lcal__merges *merges, lcal__strbuf *out, lcal_error *err)
{
    size_t count = 0;
    lcal__merge *list = lcal__calloc(merges->count, sizeof(*list));
    if (!list)
        return lcal__fail_nomem(err, "tokenizer cache");
    for (size_t i = 0; i < merges->slot_count; i++)
        if (merges->slots[i].rank != UINT32_MAX)
            list[count++] = merges->slots[i];
    qsort(list, count, sizeof(*list), by_rank);
    for (size_t i = 0; i < count; i++) {
        put_number(out, list[i].left, 4);
        put_number(out, list[i].right, 4);
        put_number(out, list[i].rank, 4);
        put_number(out, list[i].id, 4);
    }
    lcal__free(list);
    return LCAL_OK;
}

static size_t text_bytes(const lcal__vocab *vocab)
{
    size_t sum = 0;
    for (size_t id = 0; id < vocab->count; id++)
        sum += vocab->tokens[id].length;
    return sum;
}

lcal_status lcal__tokenizer_cache_pack(const lcal__tokenizer *t, const json_t *root,
                                       const unsigned char key[LCAL__SHA256_BYTES],
                                       lcal__strbuf *out, lcal_error *err)
{
    static const unsigned char blank[LCAL__SHA256_BYTES];
    const size_t start = out->length;
    char *rest = NULL;
    LCAL_TRY(without_tables(root, &rest, err));
    lcal__strbuf_add_bytes(out, magic, sizeof(magic));
    lcal__strbuf_add_bytes(out, key, LCAL__SHA256_BYTES);
    lcal__strbuf_add_bytes(out, blank, sizeof(blank));
    put_number(out, strlen(rest), 8);
    put_number(out, t->vocab.count, 8);
    put_number(out, text_bytes(&t->vocab), 8);
    put_number(out, t->merges.count, 8);
    lcal__strbuf_add(out, rest);
    lcal__free(rest);
    put_vocab(&t->vocab, out);
    LCAL_TRY(put_merges(&t->merges, out, err));
    if (out->failed)
        return lcal__fail_nomem(err, "tokenizer cache");
    unsigned char *file = (unsigned char *)out->text + start;
    return lcal__sha256_bytes(file + LCAL_HEAD, out->length - start - LCAL_HEAD,
                              file + LCAL_HEAD - LCAL__SHA256_BYTES, err);
}

/* The sections of a file that has its right length and checksum. */
typedef struct sections {
    const unsigned char *json, *lengths, *text, *merges;
    size_t json_bytes, ids, text_bytes, merge_count;
} sections;

static uint64_t number(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static lcal_status refuse(const char *source, const char *what, lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT, "%s: no cache of this tokenizer: %s", source, what);
}

static lcal_status find_sections(const unsigned char *bytes, size_t size,
                                 const unsigned char key[LCAL__SHA256_BYTES], const char *source,
                                 sections *out, lcal_error *err)
{
    unsigned char sum[LCAL__SHA256_BYTES];
    if (size < LCAL_HEAD + LCAL_LENGTHS || memcmp(bytes, magic, sizeof(magic)) != 0)
        return refuse(source, "expected the format LCALTOK1", err);
    if (memcmp(bytes + sizeof(magic), key, LCAL__SHA256_BYTES) != 0)
        return refuse(source, "made from another tokenizer.json", err);
    LCAL_TRY(lcal__sha256_bytes(bytes + LCAL_HEAD, size - LCAL_HEAD, sum, err));
    if (memcmp(bytes + LCAL_HEAD - sizeof(sum), sum, sizeof(sum)) != 0)
        return refuse(source, "the checksum does not match", err);
    const unsigned char *lengths = bytes + LCAL_HEAD;
    const size_t room = size - LCAL_HEAD - LCAL_LENGTHS;
    const uint64_t json = number(lengths, 8), ids = number(lengths + 8, 8);
    const uint64_t text = number(lengths + 16, 8), merges = number(lengths + 24, 8);
    /* Each is bounded by the file first, so that the sum cannot overflow. */
    if (json > room || ids > LCAL__TOKENS_MAX || text > room || merges > room / LCAL_MERGE_BYTES
        || json + 4 * ids + text + LCAL_MERGE_BYTES * merges != room)
        return refuse(source, "the lengths do not add up", err);
    *out = (sections){.json_bytes = (size_t)json,
                      .ids = (size_t)ids,
                      .text_bytes = (size_t)text,
                      .merge_count = (size_t)merges};
    out->json = lengths + LCAL_LENGTHS;
    out->lengths = out->json + json;
    out->text = out->lengths + 4 * ids;
    out->merges = out->text + text;
    return LCAL_OK;
}

static lcal_status take_vocab(lcal__vocab *vocab, const sections *s, const char *source,
                              lcal_error *err)
{
    size_t at = 0;
    for (size_t id = 0; id < s->ids; id++) {
        const uint32_t length = (uint32_t)number(s->lengths + 4 * id, 4);
        if (length == LCAL_NO_TOKEN)
            continue;
        if (length > s->text_bytes - at)
            return refuse(source, "a token ends behind the text", err);
        const char *text = (const char *)s->text + at;
        if (length && memchr(text, '\0', length))
            return refuse(source, "a token holds a zero byte", err);
        LCAL_TRY(lcal__vocab_add(vocab, id, text, length, LCAL__TOKEN_NORMAL, err));
        at += length;
    }
    return at == s->text_bytes ? LCAL_OK : refuse(source, "text behind the last token", err);
}

static bool is_token(const lcal__vocab *vocab, uint32_t id)
{
    return id < vocab->count && vocab->tokens[id].kind != LCAL__TOKEN_HOLE;
}

static lcal_status take_merges(lcal__tokenizer *t, const sections *s, const char *source,
                               lcal_error *err)
{
    uint64_t least = 0; /* the next rank is not below */
    for (size_t i = 0; i < s->merge_count; i++) {
        const unsigned char *at = s->merges + LCAL_MERGE_BYTES * i;
        const lcal__merge merge = {(uint32_t)number(at, 4), (uint32_t)number(at + 4, 4),
                                   (uint32_t)number(at + 8, 4), (uint32_t)number(at + 12, 4)};
        if (!is_token(&t->vocab, merge.left) || !is_token(&t->vocab, merge.right)
            || !is_token(&t->vocab, merge.id) || merge.rank < least || merge.rank == UINT32_MAX)
            return refuse(source, "a merge of no tokens, or out of order", err);
        least = (uint64_t)merge.rank + 1;
        LCAL_TRY(lcal__merges_add(&t->merges, merge, err));
    }
    return LCAL_OK;
}

lcal_status lcal__tokenizer_cache_unpack(lcal__tokenizer *t, const void *bytes, size_t size,
                                         const unsigned char key[LCAL__SHA256_BYTES],
                                         const char *source, lcal_error *err)
{
    sections s = {0};
    json_t *root = NULL;
    LCAL_TRY(find_sections(bytes, size, key, source, &s, err));
    LCAL_TRY(take_vocab(&t->vocab, &s, source, err));
    LCAL_TRY(take_merges(t, &s, source, err));
    LCAL_TRY(lcal__json_parse_object((const char *)s.json, s.json_bytes, source, &root, err));
    lcal_status status = lcal__tokenizer_json_rest(t, root, source, err);
    json_decref(root);
    return status;
}
