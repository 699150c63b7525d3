#include "data/bytelevel.h"
#include "data/dataset.h"
#include "data/text.h"
#include "fuzz.h"

#define VOCAB 512

lcal_error fuzz_error;

static void check(const lcal__dataset *dataset, const lcal__dataset_options *options)
{
    size_t tokens = 0, counted = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        const lcal__example *example = &dataset->examples[i];
        FUZZ_REQUIRE(example->length > 0 && example->labels[0] == LCAL__LABEL_IGNORE);
        FUZZ_REQUIRE(!options->max_length || example->length <= options->max_length);
        for (size_t t = 0; t < example->length; t++) {
            FUZZ_REQUIRE(example->ids[t] >= 0 && example->ids[t] < VOCAB);
            FUZZ_REQUIRE(example->labels[t] < VOCAB);
            counted += example->labels[t] != LCAL__LABEL_IGNORE;
        }
        tokens += example->length;
    }
    FUZZ_REQUIRE(tokens == dataset->tokens && counted == dataset->counted);
    FUZZ_REQUIRE(dataset->read
                 == dataset->count + dataset->dropped_overlong + dataset->dropped_empty);
}

/* Bytes, and the special tokens of two templates; made once, it lives as long as the process. */
static lcal__tokenizer *make_tokenizer(void)
{
    static const char *const special[] = {"<|im_start|>", "<|im_end|>", "<|start_header_id|>",
                                          "<|end_header_id|>", "<|eot_id|>"};
    lcal__strbuf json = {0};
    lcal__tokenizer *tokenizer = NULL;
    lcal__strbuf_add(&json, "{\"added_tokens\":[");
    for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++)
        lcal__strbuf_printf(&json, "%s{\"id\":%zu,\"content\":\"%s\",\"special\":true}",
                            i ? "," : "", 256 + i, special[i]);
    lcal__strbuf_add(&json, "],\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":"
                            "true},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":"
                            "\"BPE\",\"merges\":[],\"vocab\":{");
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelled[3] = {0};
        spelled[lcal__bytelevel_spell((unsigned char)byte, spelled)] = '\0';
        lcal__strbuf_add(&json, byte ? "," : "");
        lcal__strbuf_add_json(&json, spelled);
        lcal__strbuf_printf(&json, ":%u", byte);
    }
    lcal__strbuf_add(&json, "}}}");
    FUZZ_REQUIRE(lcal__tokenizer_parse(json.text, json.length, "tokenizer", &tokenizer, &fuzz_error)
                 == LCAL_OK);
    lcal__strbuf_free(&json);
    return tokenizer;
}

static void run(const uint8_t *data, size_t size, const lcal__dataset_options *options)
{
    lcal__dataset dataset = {0};
    fuzz_error = (lcal_error){0};
    if (lcal__dataset_parse(data, size, "input", options, &dataset, &fuzz_error) == LCAL_OK)
        check(&dataset, options);
    lcal__dataset_free(&dataset);
}

static void run_text(const uint8_t *data, size_t size, lcal__tokenizer *tokenizer,
                     const lcal__text_options *how, lcal__dataset_options options)
{
    lcal__text text = {.options = *how, .tokenizer = tokenizer, .format = how->format};
    options.text = &text;
    run(data, size, &options);
    lcal__chat_ids_free(&text.ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lcal__tokenizer *tokenizer;
    static const lcal__dataset_options options[] = {
        {.vocab = VOCAB, .max_length = 8, .overlong = LCAL__OVERLONG_DROP},
        {.vocab = VOCAB, .max_length = 8, .overlong = LCAL__OVERLONG_TRUNCATE, .limit = 2},
        {.vocab = VOCAB, .overlong = LCAL__OVERLONG_ERROR, .keep_empty = true},
    };
    static const lcal__text_options texts[] = {
        {.format = LCAL__CHAT_LLAMA3, .system = "be brief", .learnt = LCAL__LEARNT_ASSISTANT},
        {.format = LCAL__CHAT_RAW}, /* there is no EOS: refused, after all else */
        {.format = LCAL__CHAT_CHATML, .learnt = LCAL__LEARNT_ALL},
    };
    if (!tokenizer)
        tokenizer = make_tokenizer();
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        run(data, size, &options[i]);
        run_text(data, size, tokenizer, &texts[i], options[i]);
    }
    return 0;
}
