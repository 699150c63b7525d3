/* lcal_tokenizer_train of include/lcal/tokenizer.h. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/bpe_corpus.h"
#include "data/bpe_write.h"
#include "data/bytelevel.h"
#include "data/chat_template.h"
#include "data/patterns.h"
#include "lcal/tokenizer.h"

#define LCAL_MIN_FREQUENCY 2

static const struct pattern {
    const char *name, *regex;
} patterns[] = {
    {"llama3", LCAL__PATTERN_LLAMA3}, {"qwen2", LCAL__PATTERN_QWEN2}, {"gpt2", LCAL__PATTERN_GPT2}};

/* Chat templates in Jinja, as chat_template.h reads them, and the special tokens they need. */
static const struct chat {
    lcal__chat_format format;
    const char *jinja;
    const char *special[3];
} chats[] = {
    {LCAL__CHAT_LLAMA3,
     "{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + "
     "'<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
     "{% endif %}",
     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
    {LCAL__CHAT_CHATML,
     "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + "
     "message['content'] + '<|im_end|>\n' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
     {"<|im_start|>", "<|im_end|>", NULL}},
    {LCAL__CHAT_ZEPHYR,
     "{% for message in messages %}{% if message['role'] == 'user' %}"
     "{{ '<|user|>\n' + message['content'] + eos_token + '\n' }}"
     "{% elif message['role'] == 'system' %}"
     "{{ '<|system|>\n' + message['content'] + eos_token + '\n' }}{% else %}"
     "{{ '<|assistant|>\n' + message['content'] + eos_token + '\n' }}{% endif %}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
     {"<|system|>", "<|user|>", "<|assistant|>"}},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* One call: what it makes and where it goes. */
typedef struct job {
    const lcal_tokenizer_training *options;
    lcal__bpe_design design;
    const char **special; /* behind design.special; [capacity] */
    size_t capacity;
    lcal__strbuf chat; /* the Jinja template */
    lcal__vocab forbidden;
    lcal__normalizer normalizer;
    lcal__pretokenizer pre;
    lcal__bpe_words words;
    lcal__bpe_learnt learnt;
    uint64_t bytes;
    char *directory, *tokenizer, *config; /* paths */
} job;

/* A token is its text in the vocabulary: a special one must not spell a byte, and nothing learnt
 * may spell it. */
static lcal_status forbid(job *j, const char *text, lcal_error *err)
{
    lcal__strbuf bytes = {0};
    lcal_status status = LCAL_OK;
    const bool spells = lcal__bytelevel_decode(text, strlen(text), &bytes);
    if (bytes.failed)
        status = lcal__fail_nomem(err, "special tokens");
    else if (spells && bytes.length == 1)
        status = lcal__fail(err, LCAL_INVALID,
                            "special token \"%s\": spells a single byte, which is a token already",
                            text);
    else if (spells)
        status = lcal__vocab_add(&j->forbidden, j->forbidden.count, bytes.text, bytes.length,
                                 LCAL__TOKEN_NORMAL, err);
    lcal__strbuf_free(&bytes);
    return status;
}

static lcal_status add_special(job *j, const char *text, lcal_error *err)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i < j->design.special_count; i++)
        if (strcmp(j->special[i], text) == 0)
            return LCAL_OK;
    for (size_t at = 0, size; at < length; at += size) {
        size = lcal__utf8_valid(text + at, length - at);
        if (!size)
            return lcal__fail(err, LCAL_INVALID, "special token \"%s\": expected UTF-8", text);
    }
    if (!length)
        return lcal__fail(err, LCAL_INVALID, "special token \"\": expected a text");
    LCAL_TRY(forbid(j, text, err));
    if (!lcal__grow((void **)&j->special, &j->capacity, j->design.special_count + 1,
                    sizeof(*j->special)))
        return lcal__fail_nomem(err, "special tokens");
    j->special[j->design.special_count++] = text;
    j->design.special = j->special;
    return LCAL_OK;
}

static const char *or_default(const char *text, const char *fallback)
{
    return text ? text : fallback;
}

static lcal_status set_special(job *j, const struct chat *chat, lcal_error *err)
{
    const lcal_tokenizer_training *o = j->options;
    lcal__bpe_design *d = &j->design;
    d->bos = or_default(o->bos, "<|begin_of_text|>");
    d->eos = or_default(o->eos, "<|end_of_text|>");
    d->pad = or_default(o->pad, "<|pad|>");
    d->add_bos = o->add_bos;
    LCAL_TRY(add_special(j, d->bos, err));
    LCAL_TRY(add_special(j, d->eos, err));
    LCAL_TRY(add_special(j, d->pad, err));
    for (size_t i = 0; chat && i < COUNT(chat->special) && chat->special[i]; i++)
        LCAL_TRY(add_special(j, chat->special[i], err));
    for (size_t i = 0; i < o->special_count; i++)
        LCAL_TRY(add_special(j, o->special[i], err));
    const size_t least = 256 + d->special_count;
    if (o->vocab >= least && o->vocab <= LCAL__TOKENS_MAX)
        return LCAL_OK;
    return lcal__fail(err, LCAL_INVALID,
                      "vocabulary of %zu: expected %zu (256 bytes and %zu special tokens) to %zu",
                      o->vocab, least, d->special_count, LCAL__TOKENS_MAX);
}

static lcal_status find_chat(const char *name, const struct chat **out, lcal_error *err)
{
    *out = NULL;
    if (!name)
        return LCAL_OK;
    for (size_t i = 0; i < COUNT(chats) && !*out; i++)
        if (strcmp(lcal__chat_format_name(chats[i].format), name) == 0)
            *out = &chats[i];
    if (*out)
        return LCAL_OK;
    return lcal__fail(err, LCAL_INVALID,
                      "chat template: expected llama3, chatml or zephyr, found \"%s\"", name);
}

static lcal_status set_pattern(job *j, lcal_error *err)
{
    const char *name = or_default(j->options->pattern, patterns[0].name);
    for (size_t i = 0; i < COUNT(patterns); i++)
        if (strcmp(patterns[i].name, name) == 0)
            j->design.regex = patterns[i].regex;
    if (!j->design.regex)
        return lcal__fail(err, LCAL_INVALID,
                          "pattern: expected llama3, qwen2 or gpt2, found \"%s\"", name);
    j->design.nfc = j->options->nfc;
    if (j->options->nfc)
        LCAL_TRY(lcal__normalizer_add(&j->normalizer, LCAL__NORMAL_NFC, NULL, NULL, err));
    return lcal__pretokenizer_add_regex(&j->pre, j->design.regex, err);
}

static lcal_status design(job *j, lcal_error *err)
{
    const struct chat *chat;
    LCAL_TRY(find_chat(j->options->chat_template, &chat, err));
    LCAL_TRY(set_special(j, chat, err));
    if (chat) {
        /* Clients that fill the template in add nothing themselves. */
        lcal__strbuf_add(&j->chat, j->options->add_bos ? "{{ bos_token }}" : "");
        lcal__strbuf_add(&j->chat, chat->jinja);
        j->design.chat_template = j->chat.text;
    }
    if (j->chat.failed)
        return lcal__fail_nomem(err, "chat template");
    return set_pattern(j, err);
}

/* out: a name that ends in ".json" is the file, any other a directory for tokenizer.json. */
static lcal_status find_paths(job *j, const char *out, lcal_error *err)
{
    const size_t length = strlen(out);
    const bool is_file = length > 5 && strcmp(out + length - 5, ".json") == 0;
    j->directory = is_file ? lcal__path_dir(out) : lcal__strdup(out);
    if (j->directory) {
        j->tokenizer = is_file ? lcal__strdup(out) : lcal__path_join(out, "tokenizer.json");
        j->config = lcal__path_join(j->directory, "tokenizer_config.json");
    }
    if (!j->tokenizer || !j->config)
        return lcal__fail_nomem(err, "path");
    const char *const paths[] = {j->tokenizer, j->config};
    for (size_t i = 0; i < COUNT(paths) && !j->options->overwrite; i++)
        if (lcal__path_is_file(paths[i]))
            return lcal__fail(err, LCAL_INVALID,
                              "%s: is there already: give another place, or ask to overwrite",
                              paths[i]);
    return LCAL_OK;
}

static void tell_bytes(void *user, uint64_t bytes)
{
    job *j = user;
    const lcal_tokenizer_progress now = {.bytes = bytes, .goal = j->options->vocab};
    j->bytes = bytes;
    j->options->progress(j->options->user, &now);
}

static void tell_tokens(void *user, size_t tokens)
{
    const job *j = user;
    const lcal_tokenizer_progress now = {
        .bytes = j->bytes, .tokens = j->design.special_count + tokens, .goal = j->options->vocab};
    j->options->progress(j->options->user, &now);
}

static lcal_status read_files(job *j, const char *const *files, size_t count, lcal_error *err)
{
    const lcal__bpe_corpus_options options = {.fields = j->options->fields,
                                              .field_count = j->options->field_count,
                                              .normalizer = &j->normalizer,
                                              .pre = &j->pre,
                                              .threads = j->options->threads,
                                              .progress = j->options->progress ? tell_bytes : NULL,
                                              .user = j};
    lcal__bpe_corpus *corpus = NULL;
    LCAL_TRY(lcal__bpe_corpus_open(&options, &corpus, err));
    lcal_status status = LCAL_OK;
    for (size_t i = 0; i < count && status == LCAL_OK; i++)
        status = lcal__bpe_corpus_add(corpus, files[i], err);
    if (status == LCAL_OK)
        status = lcal__bpe_corpus_words(corpus, &j->words, &j->bytes, err);
    lcal__bpe_corpus_close(&corpus);
    if (status == LCAL_OK && !j->words.count)
        status = lcal__fail(err, LCAL_FORMAT, "no text in the files to train on");
    return status;
}

static lcal_status train(job *j, lcal_error *err)
{
    const lcal__bpe_training options = {
        .tokens = j->options->vocab - j->design.special_count,
        .min_frequency = j->options->min_frequency ? j->options->min_frequency : LCAL_MIN_FREQUENCY,
        .forbidden = &j->forbidden,
        .progress = j->options->progress ? tell_tokens : NULL,
        .user = j};
    return lcal__bpe_train(&j->words, &options, &j->learnt, err);
}

static lcal_status write_text(const char *path, const lcal__strbuf *text, lcal_error *err)
{
    return text->failed ? lcal__fail_nomem(err, path)
                        : lcal__file_replace(path, text->text, text->length, err);
}

static lcal_status write_files(const job *j, lcal_error *err)
{
    lcal__strbuf text = {0};
    LCAL_TRY(lcal__dir_make(j->directory, err));
    lcal__bpe_write_tokenizer(&j->design, &j->learnt, &text);
    lcal_status status = write_text(j->tokenizer, &text, err);
    if (status == LCAL_OK) {
        lcal__strbuf_clear(&text);
        lcal__bpe_write_config(&j->design, &text);
        status = write_text(j->config, &text, err);
    }
    lcal__strbuf_free(&text);
    return status;
}

static lcal_status run(job *j, const char *const *files, size_t count, const char *out,
                       lcal_error *err)
{
    LCAL_TRY(design(j, err));
    LCAL_TRY(find_paths(j, out, err));
    LCAL_TRY(read_files(j, files, count, err));
    LCAL_TRY(train(j, err));
    return write_files(j, err);
}

static void job_free(job *j)
{
    lcal__free(j->special);
    lcal__strbuf_free(&j->chat);
    lcal__vocab_free(&j->forbidden);
    lcal__normalizer_free(&j->normalizer);
    lcal__pretokenizer_free(&j->pre);
    lcal__bpe_words_free(&j->words);
    lcal__bpe_learnt_free(&j->learnt);
    lcal__free(j->directory);
    lcal__free(j->tokenizer);
    lcal__free(j->config);
}

lcal_status lcal_tokenizer_train(const char *const *files, size_t count, const char *out,
                                 const lcal_tokenizer_training *options,
                                 lcal_tokenizer_trained *result, lcal_error *err)
{
    job j = {.options = options};
    if (!count || !out || !*out)
        return lcal__fail(err, LCAL_INVALID, "expected files to train on and a place to write to");
    lcal_status status = run(&j, files, count, out, err);
    if (status == LCAL_OK && result)
        *result = (lcal_tokenizer_trained){.vocab = j.design.special_count + j.learnt.tokens.count,
                                           .special = j.design.special_count,
                                           .merges = j.learnt.count,
                                           .words = j.words.count,
                                           .bytes = j.bytes};
    job_free(&j);
    return status;
}
