#include "data/bpe_write.h"

#include <string.h>

#include "data/bytelevel.h"

/* Byte-level steps carry these members wherever they stand. */
#define LCAL_BYTE_LEVEL                                                                            \
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, "              \
    "\"use_regex\": false}"

/* Bytes in order of the characters that spell them. */
static void order_bytes(unsigned char ordered[256])
{
    char spelled[256][2];
    size_t lengths[256];
    for (size_t byte = 0; byte < 256; byte++)
        lengths[byte] = lcal__bytelevel_spell((unsigned char)byte, spelled[byte]);
    for (size_t byte = 0; byte < 256; byte++) {
        size_t rank = 0;
        for (size_t other = 0; other < 256; other++)
            /* UTF-8 sorts as its characters do; no spelling begins another. */
            rank += memcmp(spelled[other], spelled[byte],
                           lengths[other] < lengths[byte] ? lengths[other] : lengths[byte])
                    < 0;
        ordered[rank] = (unsigned char)byte;
    }
}

static void put_added(const lcal__bpe_design *d, lcal__strbuf *out)
{
    lcal__strbuf_add(out, "  \"added_tokens\": [");
    for (size_t i = 0; i < d->special_count; i++) {
        lcal__strbuf_printf(out, "%s\n    {\"id\": %zu, \"content\": ", i ? "," : "", i);
        lcal__strbuf_add_json(out, d->special[i]);
        lcal__strbuf_add(out, ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
                              "\"normalized\": false, \"special\": true}");
    }
    lcal__strbuf_add(out, d->special_count ? "\n  ],\n" : "],\n");
}

static void put_steps(const lcal__bpe_design *d, lcal__strbuf *out)
{
    lcal__strbuf_printf(out, "  \"normalizer\": %s,\n", d->nfc ? "{\"type\": \"NFC\"}" : "null");
    lcal__strbuf_add(out, "  \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [\n"
                          "    {\"type\": \"Split\", \"pattern\": {\"Regex\": ");
    lcal__strbuf_add_json(out, d->regex);
    lcal__strbuf_add(out, "}, \"behavior\": \"Isolated\", \"invert\": false},\n"
                          "    " LCAL_BYTE_LEVEL "\n  ]},\n");
}

static size_t id_of(const lcal__bpe_design *d, const char *special)
{
    size_t id = 0;
    while (strcmp(d->special[id], special) != 0)
        id++;
    return id;
}

static void put_post(const lcal__bpe_design *d, lcal__strbuf *out)
{
    lcal__strbuf bos = {0};
    if (!d->add_bos) {
        lcal__strbuf_add(out, "  \"post_processor\": " LCAL_BYTE_LEVEL ",\n");
        return;
    }
    lcal__strbuf_add_json(&bos, d->bos);
    const char *name = bos.failed ? "" : bos.text;
    lcal__strbuf_printf(
        out,
        "  \"post_processor\": {\"type\": \"Sequence\", \"processors\": [\n"
        "    " LCAL_BYTE_LEVEL ",\n"
        "    {\"type\": \"TemplateProcessing\",\n"
        "     \"single\": [{\"SpecialToken\": {\"id\": %s, \"type_id\": 0}}, "
        "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}],\n"
        "     \"pair\": [{\"SpecialToken\": {\"id\": %s, \"type_id\": 0}}, "
        "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, "
        "{\"SpecialToken\": {\"id\": %s, \"type_id\": 1}}, "
        "{\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}],\n"
        "     \"special_tokens\": {%s: {\"id\": %s, \"ids\": [%zu], \"tokens\": [%s]}}}\n"
        "  ]},\n",
        name, name, name, name, name, id_of(d, d->bos), name);
    out->failed = out->failed || bos.failed;
    lcal__strbuf_free(&bos);
}

/* The spelling of a token's bytes; valid until the next call with the same buffer. */
static const char *spell(const lcal__vocab *tokens, size_t id, lcal__strbuf *buffer)
{
    lcal__strbuf_clear(buffer);
    lcal__bytelevel_encode(tokens->text + tokens->tokens[id].start, tokens->tokens[id].length,
                           buffer);
    return buffer->failed ? "" : buffer->text;
}

static void put_vocab(const lcal__bpe_design *d, const lcal__vocab *tokens, lcal__strbuf *spelled,
                      lcal__strbuf *out)
{
    unsigned char bytes[256];
    order_bytes(bytes);
    lcal__strbuf_add(out, "    \"vocab\": {");
    for (size_t i = 0; i < d->special_count; i++) {
        lcal__strbuf_add(out, i ? ",\n      " : "\n      ");
        lcal__strbuf_add_json(out, d->special[i]);
        lcal__strbuf_printf(out, ": %zu", i);
    }
    for (size_t i = 0; i < tokens->count; i++) {
        lcal__strbuf_add(out, d->special_count + i ? ",\n      " : "\n      ");
        lcal__strbuf_add_json(out, spell(tokens, i < 256 ? bytes[i] : i, spelled));
        lcal__strbuf_printf(out, ": %zu", d->special_count + i);
    }
    lcal__strbuf_add(out, "\n    },\n");
}

/* In the spelling of bytes no token holds a space: "LEFT RIGHT", which every version reads. */
static void put_merges(const lcal__bpe_learnt *learnt, lcal__strbuf *spelled, lcal__strbuf *out)
{
    lcal__strbuf line = {0};
    lcal__strbuf_add(out, "    \"merges\": [");
    for (size_t i = 0; i < learnt->count; i++) {
        const lcal__bpe_learnt_merge *merge = &learnt->merges[i];
        lcal__strbuf_clear(&line);
        lcal__strbuf_add(&line, spell(&learnt->tokens, merge->left, spelled));
        lcal__strbuf_add(&line, " ");
        lcal__strbuf_add(&line, spell(&learnt->tokens, merge->right, spelled));
        lcal__strbuf_add(out, i ? ",\n      " : "\n      ");
        lcal__strbuf_add_json(out, line.failed ? "" : line.text);
    }
    lcal__strbuf_add(out, learnt->count ? "\n    ]\n" : "]\n");
    out->failed = out->failed || line.failed;
    lcal__strbuf_free(&line);
}

void lcal__bpe_write_tokenizer(const lcal__bpe_design *d, const lcal__bpe_learnt *learnt,
                               lcal__strbuf *out)
{
    lcal__strbuf spelled = {0};
    lcal__strbuf_add(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n"
                          "  \"padding\": null,\n");
    put_added(d, out);
    put_steps(d, out);
    put_post(d, out);
    lcal__strbuf_add(out, "  \"decoder\": " LCAL_BYTE_LEVEL ",\n"
                          "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n"
                          "    \"unk_token\": null,\n    \"continuing_subword_prefix\": null,\n"
                          "    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"
                          "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n");
    put_vocab(d, &learnt->tokens, &spelled, out);
    put_merges(learnt, &spelled, out);
    lcal__strbuf_add(out, "  }\n}\n");
    out->failed = out->failed || spelled.failed;
    lcal__strbuf_free(&spelled);
}

static bool is_named(const lcal__bpe_design *d, const char *special)
{
    return strcmp(special, d->bos) == 0 || strcmp(special, d->eos) == 0
           || strcmp(special, d->pad) == 0;
}

void lcal__bpe_write_config(const lcal__bpe_design *d, lcal__strbuf *out)
{
    const struct {
        const char *key, *value;
    } named[] = {{"bos_token", d->bos},
                 {"eos_token", d->eos},
                 {"pad_token", d->pad},
                 {"chat_template", d->chat_template}};
    bool first = true;
    lcal__strbuf_add(out, "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                          "  \"clean_up_tokenization_spaces\": false,\n");
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
        if (named[i].value) {
            lcal__strbuf_printf(out, "  \"%s\": ", named[i].key);
            lcal__strbuf_add_json(out, named[i].value);
            lcal__strbuf_add(out, ",\n");
        }
    lcal__strbuf_add(out, "  \"additional_special_tokens\": [");
    for (size_t i = 0; i < d->special_count; i++)
        if (!is_named(d, d->special[i])) {
            lcal__strbuf_add(out, first ? "" : ", ");
            lcal__strbuf_add_json(out, d->special[i]);
            first = false;
        }
    lcal__strbuf_add(out, "]\n}\n");
}
