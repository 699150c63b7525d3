#include "tokenizer_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/bytelevel.h"

static void add_vocab(lcal__strbuf *out, const char *const *merges, size_t count)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelled[3] = {0};
        spelled[lcal__bytelevel_spell((unsigned char)byte, spelled)] = '\0';
        lcal__strbuf_add(out, byte ? "," : "");
        lcal__strbuf_add_json(out, spelled);
        lcal__strbuf_printf(out, ":%u", byte);
    }
    for (size_t i = 0; i < count; i++) {
        const char *space = strchr(merges[i], ' ');
        lcal__strbuf_printf(out, ",\"%.*s%s\":%zu", (int)(space - merges[i]), merges[i], space + 1,
                            256 + i);
    }
}

lcal__strbuf fixture_json(const char *const *merges, size_t count, const char *more,
                          const char *model)
{
    lcal__strbuf out = {0};
    lcal__strbuf_printf(&out, "{%s", more ? more : "");
    if (!more || !strstr(more, "pre_tokenizer"))
        lcal__strbuf_add(&out, "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":"
                               "false},");
    if (!more || !strstr(more, "\"decoder\""))
        lcal__strbuf_add(&out, "\"decoder\":{\"type\":\"ByteLevel\"},");
    lcal__strbuf_printf(&out, "\"model\":{\"type\":\"BPE\",%s\"vocab\":{", model ? model : "");
    add_vocab(&out, merges, count);
    lcal__strbuf_add(&out, "},\"merges\":[");
    for (size_t i = 0; i < count; i++)
        lcal__strbuf_printf(&out, "%s\"%s\"", i ? "," : "", merges[i]);
    lcal__strbuf_add(&out, "]}}");
    assert_false(out.failed);
    return out;
}

lcal__tokenizer *fixture_parse(const void *bytes, size_t size)
{
    static lcal_error err;
    lcal__tokenizer *t = NULL;
    if (lcal__tokenizer_parse(bytes, size, "fixture", &t, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return t;
}

void fixture_expect(const lcal__tokenizer *t, const char *text, bool parse_special,
                    bool add_special, const int32_t *expected)
{
    const lcal__encode_options options = {parse_special, add_special, false};
    int32_t *ids = NULL;
    size_t count = 0, capacity = 0;
    assert_int_equal(
        lcal__tokenizer_encode(t, text, strlen(text), &options, &ids, &count, &capacity, NULL),
        LCAL_OK);
    for (size_t i = 0; i < count; i++)
        if (ids[i] != expected[i])
            fail_msg("\"%s\": id %zu: expected %d, found %d", text, i, (int)expected[i],
                     (int)ids[i]);
    assert_int_equal(expected[count], -1);
    lcal__free(ids);
}

void fixture_put(lcal__strbuf *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char byte = (char)(value >> (8 * i) & 0xFF);
        lcal__strbuf_add_bytes(out, &byte, 1);
    }
}

void fixture_put_string(lcal__strbuf *out, const char *text)
{
    fixture_put(out, strlen(text), 8);
    lcal__strbuf_add(out, text);
}

enum { TYPE_U32 = 4, TYPE_I32 = 5, TYPE_F32 = 6, TYPE_STRING = 8, TYPE_ARRAY = 9 };

static void put_array(lcal__strbuf *out, const char *name, uint64_t type, size_t count)
{
    fixture_put_string(out, name);
    fixture_put(out, TYPE_ARRAY, 4);
    fixture_put(out, type, 4);
    fixture_put(out, count, 8);
}

static void put_number(lcal__strbuf *out, const char *name, uint32_t value)
{
    fixture_put_string(out, name);
    fixture_put(out, TYPE_U32, 4);
    fixture_put(out, value, 4);
}

static void put_tokens(lcal__strbuf *out, const char *const *pieces, size_t count)
{
    static const char *const first[] = {"<unk>", "<s>", "</s>"};
    put_array(out, "tokenizer.ggml.tokens", TYPE_STRING, 259 + count);
    for (size_t i = 0; i < 3; i++)
        fixture_put_string(out, first[i]);
    for (unsigned byte = 0; byte < 256; byte++) {
        static const char digits[] = "0123456789ABCDEF";
        const char text[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>', 0};
        fixture_put_string(out, text);
    }
    for (size_t i = 0; i < count; i++)
        fixture_put_string(out, pieces[i]);
}

lcal__strbuf fixture_gguf(const char *const *pieces, size_t count)
{
    lcal__strbuf out = {0};
    lcal__strbuf_add(&out, "GGUF");
    fixture_put(&out, 3, 4);
    fixture_put(&out, 1, 8);
    fixture_put(&out, 6, 8);
    fixture_put_string(&out, "tokenizer.ggml.model");
    fixture_put(&out, TYPE_STRING, 4);
    fixture_put_string(&out, "llama");
    put_tokens(&out, pieces, count);
    put_array(&out, "tokenizer.ggml.scores", TYPE_F32, 259 + count);
    for (size_t i = 0; i < 259 + count; i++) {
        float score = i < 259 ? 0 : -(float)(i - 259);
        uint32_t bits;
        memcpy(&bits, &score, sizeof(bits));
        fixture_put(&out, bits, 4);
    }
    put_array(&out, "tokenizer.ggml.token_type", TYPE_I32, 259 + count);
    for (size_t i = 0; i < 259 + count; i++)
        fixture_put(&out, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1, 4);
    put_number(&out, "tokenizer.ggml.bos_token_id", 1);
    put_number(&out, "tokenizer.ggml.eos_token_id", 2);
    fixture_put_string(&out, "w");
    fixture_put(&out, 1, 4);
    fixture_put(&out, 4, 8);
    fixture_put(&out, 0, 4);
    fixture_put(&out, 0, 8);
    while (out.length % 32)
        fixture_put(&out, 0, 1);
    fixture_put(&out, 0, 8);
    fixture_put(&out, 0, 8);
    assert_false(out.failed);
    return out;
}
