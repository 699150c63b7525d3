/* Messages as token ids, by hand-written sequences, and against the text a template renders. */
#define _GNU_SOURCE /* mkdtemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/chat_template.h"
#include "tokenizer_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define SKELETON UINT32_MAX

static lcal_error err;

/* Bytes are their own ids; these come behind them. */
enum { BOS = 300, HEAD, HEAD_END, EOT, IM_START, IM_END, EOS, USER };

static lcal__tokenizer *small_tokenizer(bool bos)
{
    lcal__strbuf more = {0};
    static const char *const tokens[] = {"<bos>",        "<|start_header_id|>", "<|end_header_id|>",
                                         "<|eot_id|>",   "<|im_start|>",        "<|im_end|>",
                                         "<|endoftext|>"};
    lcal__strbuf_add(&more, "\"added_tokens\":[");
    for (size_t i = 0; i < COUNT(tokens); i++)
        lcal__strbuf_printf(&more, "%s{\"id\":%zu,\"content\":\"%s\",\"special\":true}",
                            i ? "," : "", BOS + i, tokens[i]);
    lcal__strbuf_add(&more, "],");
    if (bos)
        lcal__strbuf_add(&more,
                         "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
                         "{\"SpecialToken\":{\"id\":\"<bos>\",\"type_id\":0}},"
                         "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":"
                         "{\"<bos>\":{\"id\":\"<bos>\",\"ids\":[300],\"tokens\":[\"<bos>\"]}}},");
    lcal__strbuf json = fixture_json(NULL, 0, more.text, NULL);
    lcal__tokenizer *t = fixture_parse(json.text, json.length);
    lcal__strbuf_free(&json);
    lcal__strbuf_free(&more);
    return t;
}

static lcal__message say(const char *role, const char *text)
{
    return (lcal__message){role, text, strlen(text)};
}

/* What an expectation is written as: ids and their owner, text as its bytes. */
typedef struct expected {
    int32_t ids[256];
    uint32_t owner[256];
    size_t count;
} expected;

static void add_id(expected *e, int32_t id, uint32_t owner)
{
    e->ids[e->count] = id;
    e->owner[e->count++] = owner;
}

static void add_text(expected *e, const char *text, uint32_t owner)
{
    for (; *text; text++)
        add_id(e, (unsigned char)*text, owner);
}

static void check(const lcal__tokenizer *t, lcal__chat_format format, const lcal__message *messages,
                  size_t count, bool open_reply, const expected *e)
{
    lcal__chat_ids ids = {0};
    if (lcal__chat_encode(t, format, messages, count, open_reply, &ids, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < ids.count && i < e->count; i++)
        if (ids.ids[i] != e->ids[i] || ids.owner[i] != e->owner[i])
            fail_msg("%s: id %zu: expected %d of %u, found %d of %u",
                     lcal__chat_format_name(format), i, (int)e->ids[i], (unsigned)e->owner[i],
                     (int)ids.ids[i], (unsigned)ids.owner[i]);
    assert_int_equal(ids.count, e->count);
    lcal__chat_ids_free(&ids);
}

static void test_llama3(void **state)
{
    (void)state;
    lcal__tokenizer *t = small_tokenizer(true);
    const lcal__message messages[] = {say("system", "S"), say("user", " \n<|eot_id|>\t"),
                                      say("assistant", "a\n b")};
    expected e = {0};
    add_id(&e, BOS, SKELETON);
    static const char *const texts[] = {"S", "<|eot_id|>", "a\n b"};
    for (uint32_t m = 0; m < 3; m++) {
        add_id(&e, HEAD, SKELETON);
        add_text(&e, messages[m].role, SKELETON);
        add_id(&e, HEAD_END, SKELETON);
        add_text(&e, "\n\n", SKELETON);
        add_text(&e, texts[m], m); /* trimmed; what it spells stays text */
        add_id(&e, EOT, m);
    }
    check(t, LCAL__CHAT_LLAMA3, messages, 3, false, &e);
    add_id(&e, HEAD, SKELETON);
    add_text(&e, "assistant", SKELETON);
    add_id(&e, HEAD_END, SKELETON);
    add_text(&e, "\n\n", SKELETON);
    check(t, LCAL__CHAT_LLAMA3, messages, 3, true, &e);
    lcal__tokenizer_close(&t);
}

static void test_chatml(void **state)
{
    (void)state;
    lcal__tokenizer *t = small_tokenizer(false);
    const lcal__message messages[] = {say("user", " x "), say("assistant", "<bos>")};
    expected e = {0};
    add_id(&e, IM_START, SKELETON);
    add_text(&e, "user\n", SKELETON);
    add_text(&e, " x ", 0);
    add_id(&e, IM_END, 0);
    add_text(&e, "\n", SKELETON);
    add_id(&e, IM_START, SKELETON);
    add_text(&e, "assistant\n", SKELETON);
    const expected prompt = e;
    add_text(&e, "<bos>", 1);
    add_id(&e, IM_END, 1);
    add_text(&e, "\n", SKELETON); /* no part of the answer */
    check(t, LCAL__CHAT_CHATML, messages, 2, false, &e);
    /* What is generated from begins what is trained on. */
    check(t, LCAL__CHAT_CHATML, messages, 1, true, &prompt);
    lcal__tokenizer_close(&t);
}

static void test_zephyr_and_raw(void **state)
{
    (void)state;
    lcal__tokenizer *t = small_tokenizer(true);
    lcal__chat_ids ids = {0};
    const lcal__message messages[] = {say("user", "a "), say("assistant", " b")};
    /* Neither names its end itself: without EOS there is none. */
    assert_int_equal(lcal__chat_encode(t, LCAL__CHAT_RAW, messages, 2, false, &ids, &err),
                     LCAL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "eos_token"));
    assert_int_equal(lcal__chat_encode(t, LCAL__CHAT_ZEPHYR, messages, 2, false, &ids, &err),
                     LCAL_UNSUPPORTED);
    assert_int_equal(ids.count, 0);
    assert_int_equal(lcal__chat_stops(t, LCAL__CHAT_RAW, (int32_t[LCAL__CHAT_STOPS]){0}), 0);
    expected e = {0};
    add_id(&e, BOS, SKELETON);
    add_text(&e, "a ", 0);
    add_text(&e, " b", 1);
    check(t, LCAL__CHAT_RAW, messages, 2, true, &e);
    lcal__chat_ids_free(&ids);
    lcal__tokenizer_close(&t);
}

static void test_refused(void **state)
{
    (void)state;
    lcal__strbuf json = fixture_json(NULL, 0, NULL, NULL);
    lcal__tokenizer *t = fixture_parse(json.text, json.length);
    lcal__chat_ids ids = {0};
    const lcal__message good = say("user", "x"), bad = say("tool", "x");
    assert_int_equal(lcal__chat_encode(t, LCAL__CHAT_LLAMA3, &good, 1, true, &ids, &err),
                     LCAL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "<|start_header_id|>"));
    assert_int_equal(lcal__chat_encode(t, LCAL__CHAT_CHATML, &good, 1, true, &ids, &err),
                     LCAL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "<|im_start|>"));
    assert_int_equal(lcal__chat_encode(t, LCAL__CHAT_RAW, &bad, 1, true, &ids, &err), LCAL_INVALID);
    assert_non_null(strstr(err.message, "\"tool\""));
    assert_int_equal(ids.count, 0);
    lcal__strbuf_free(&json);
    lcal__tokenizer_close(&t);
}

/* Llama-2 style: the space in front belongs to the whole text, not to each message. */
static void test_continues(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\xE2\x96\x81",
                                         "a",
                                         "b",
                                         "\xE2\x96\x81"
                                         "a",
                                         "\xE2\x96\x81"
                                         "b",
                                         "\xE2\x96\x81\xE2\x96\x81"};
    enum { SPACE = 259, A, B, SPACE_A, SPACE_B };
    lcal__strbuf gguf = fixture_gguf(pieces, COUNT(pieces));
    lcal__tokenizer *t = fixture_parse(gguf.text, gguf.length);
    const lcal__message messages[] = {say("user", "a"), say("assistant", " b"), say("user", "b")};
    lcal__chat_ids ids = {0};
    assert_int_equal(lcal__chat_encode(t, LCAL__CHAT_RAW, messages, 3, false, &ids, &err), LCAL_OK);
    const int32_t joined[] = {1, SPACE_A, SPACE_B, B, 2};
    const uint32_t owner[] = {SKELETON, 0, 1, 2, 2};
    assert_int_equal(ids.count, COUNT(joined));
    assert_memory_equal(ids.ids, joined, sizeof(joined));
    assert_memory_equal(ids.owner, owner, sizeof(owner));
    char *text;
    size_t length;
    assert_int_equal(lcal__tokenizer_decode(t, ids.ids, ids.count, true, &text, &length, &err),
                     LCAL_OK);
    assert_non_null(strstr(text, "a bb"));
    lcal__free(text);
    int32_t stops[LCAL__CHAT_STOPS];
    assert_int_equal(lcal__chat_stops(t, LCAL__CHAT_RAW, stops), 1);
    assert_int_equal(stops[0], 2);
    lcal__chat_ids_free(&ids);
    lcal__strbuf_free(&gguf);
    lcal__tokenizer_close(&t);
}

/* --- against the text that a model's own template renders ----------------------------------- */

static const char *data_directory(const char *name, char out[4096])
{
    const char *root = getenv("LCAL_TEST_DATA");
    if (!root) {
        print_message("LCAL_TEST_DATA is not set: no real tokenizers\n");
        skip();
    }
    snprintf(out, 4096, "%s/tokenizers/%s", root, name);
    return out;
}

static void check_rendered(const char *name, lcal__chat_format format,
                           const lcal__message *messages, size_t count, bool open_reply,
                           const char *rendered, size_t stop_count)
{
    char path[4096];
    lcal__tokenizer *t;
    lcal__chat_format detected;
    lcal__chat_ids ids = {0};
    int32_t *whole = NULL, stops[LCAL__CHAT_STOPS];
    size_t length = 0, capacity = 0;
    const lcal__encode_options options = {.parse_special = true};
    data_directory(name, path);
    assert_int_equal(lcal__chat_format_detect(path, &detected, &err), LCAL_OK);
    assert_int_equal(detected, format);
    assert_int_equal(lcal__tokenizer_open(path, NULL, &t, &err), LCAL_OK);
    assert_int_equal(lcal__chat_encode(t, format, messages, count, open_reply, &ids, &err),
                     LCAL_OK);
    assert_int_equal(lcal__tokenizer_encode(t, rendered, strlen(rendered), &options, &whole,
                                            &length, &capacity, &err),
                     LCAL_OK);
    assert_int_equal(ids.count, length);
    assert_memory_equal(ids.ids, whole, length * sizeof(*whole));
    assert_int_equal(lcal__chat_stops(t, format, stops), stop_count);
    lcal__free(whole);
    lcal__chat_ids_free(&ids);
    lcal__tokenizer_close(&t);
}

static void test_real_tokenizers(void **state)
{
    (void)state;
    const lcal__message messages[] = {
        say("system", "You answer in Spanish."),
        say("user", "Summarise:\n\nA: Hi, it's 12:30!\nB:  \xC3\xA9t\xC3\xA9 \xF0\x9F\x98\x80"),
        say("assistant", "**Hola**, 2 de la tarde.\n"), say("user", " Again?"),
        say("assistant", "S\xC3\xAD.")};
    check_rendered("llama3.1", LCAL__CHAT_LLAMA3, messages, 3, false,
                   "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou answer in "
                   "Spanish.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nSummarise:\n\nA: "
                   "Hi, it's 12:30!\nB:  \xC3\xA9t\xC3\xA9 \xF0\x9F\x98\x80<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\n**Hola**, 2 de la "
                   "tarde.<|eot_id|>",
                   2);
    check_rendered("llama3.1", LCAL__CHAT_LLAMA3, messages + 3, 1, true,
                   "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nAgain?<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\n",
                   2);
    check_rendered("qwen3", LCAL__CHAT_CHATML, messages, 5, false,
                   "<|im_start|>system\nYou answer in Spanish.<|im_end|>\n<|im_start|>user\n"
                   "Summarise:\n\nA: Hi, it's 12:30!\nB:  \xC3\xA9t\xC3\xA9 \xF0\x9F\x98\x80"
                   "<|im_end|>\n<|im_start|>assistant\n**Hola**, 2 de la tarde.\n<|im_end|>\n"
                   "<|im_start|>user\n Again?<|im_end|>\n<|im_start|>assistant\nS\xC3\xAD."
                   "<|im_end|>\n",
                   2);
    check_rendered("qwen3", LCAL__CHAT_CHATML, messages + 1, 1, true,
                   "<|im_start|>user\nSummarise:\n\nA: Hi, it's 12:30!\nB:  \xC3\xA9t\xC3\xA9 "
                   "\xF0\x9F\x98\x80<|im_end|>\n<|im_start|>assistant\n",
                   2);
}

/* EOS comes from tokenizer_config.json: zephyr through a directory. */
static char *make_directory(void)
{
    static char path[] = "/tmp/lcal-chat-XXXXXX";
    strcpy(path + strlen(path) - 6, "XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char *path = lcal__path_join(directory, name);
    assert_int_equal(lcal__file_replace(path, text, strlen(text), &err), LCAL_OK);
    lcal__free(path);
}

static void remove_files(const char *directory)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json",
                                        "chat_template.jinja"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char *path = lcal__path_join(directory, names[i]);
        remove(path);
        lcal__free(path);
    }
    remove(directory);
}

static void test_zephyr(void **state)
{
    (void)state;
    const char *directory = make_directory();
    lcal__strbuf json = fixture_json(
        NULL, 0,
        "\"added_tokens\":[{\"id\":306,\"content\":\"<|endoftext|>\",\"special\":true},"
        "{\"id\":307,\"content\":\"<|user|>\",\"special\":true}],",
        NULL);
    write_file(directory, "tokenizer.json", json.text);
    write_file(directory, "tokenizer_config.json",
               "{\"eos_token\":\"<|endoftext|>\",\"chat_template\":\"{% for m in messages %}"
               "{% if m['role'] == 'user' %}{{ '<|user|>\\n' + m['content'] + eos_token }}"
               "{% else %}{{ '<|assistant|>\\n' + m['content'] + eos_token }}{% endif %}\\n"
               "{% endfor %}\"}");
    lcal__chat_format format;
    lcal__tokenizer *t;
    assert_int_equal(lcal__chat_format_detect(directory, &format, &err), LCAL_OK);
    assert_int_equal(format, LCAL__CHAT_ZEPHYR);
    assert_int_equal(lcal__tokenizer_open(directory, NULL, &t, &err), LCAL_OK);
    const lcal__message messages[] = {say("user", "<|user|>"), say("assistant", "b")};
    expected e = {0};
    add_id(&e, USER, SKELETON); /* a token of its own here */
    add_text(&e, "\n", SKELETON);
    add_text(&e, "<|user|>", 0);
    add_id(&e, EOS, 0);
    add_text(&e, "\n<|assistant|>\n", SKELETON); /* text here, as in StableLM-2 */
    add_text(&e, "b", 1);
    add_id(&e, EOS, 1);
    add_text(&e, "\n", SKELETON);
    check(t, LCAL__CHAT_ZEPHYR, messages, 2, false, &e);
    lcal__tokenizer_close(&t);
    lcal__strbuf_free(&json);
    remove_files(directory);
}

/* --- recognising ------------------------------------------------------------------------------ */

#define ZEPHYR                                                                                     \
    "{{ '<|user|>\\n' + message['content'] + eos_token }} {{ '<|assistant|>\\n' + "                \
    "message['content'] + eos_token }}"

static void test_detection(void **state)
{
    (void)state;
    static const struct {
        const char *config, *jinja; /* content; NULL: no such file */
        int format;                 /* -1: refused */
        const char *message;
    } cases[] = {
        {NULL, NULL, LCAL__CHAT_RAW, NULL},
        {"{}", NULL, LCAL__CHAT_RAW, NULL},
        {"{\"chat_template\":null,\"model_max_length\":1000000000000000019884624838656}", NULL,
         LCAL__CHAT_RAW, NULL},
        {"{\"chat_template\":\"\"}", NULL, LCAL__CHAT_RAW, NULL},
        {"{\"chat_template\":\"{{'<|im_start|>' + role + '\\n' + text + '<|im_end|>'}}\"}", NULL,
         LCAL__CHAT_CHATML, NULL},
        {"{\"chat_template\":\"<|start_header_id|>x<|end_header_id|>y<|eot_id|>\"}", NULL,
         LCAL__CHAT_LLAMA3, NULL},
        {"{\"chat_template\":\"" ZEPHYR "\"}", NULL, LCAL__CHAT_ZEPHYR, NULL},
        /* the file of its own wins */
        {"{\"chat_template\":\"nonsense\"}", "<|im_start|><|im_end|>", LCAL__CHAT_CHATML, NULL},
        {"{\"chat_template\":[{\"name\":\"rag\",\"template\":\"x\"},{\"name\":\"default\","
         "\"template\":\"<|im_start|><|im_end|>\"}]}",
         NULL, LCAL__CHAT_CHATML, NULL},
        {"{\"chat_template\":[{\"name\":\"rag\",\"template\":\"x\"}]}", NULL, -1, "default"},
        {"{\"chat_template\":5}", NULL, -1, "chat_template"},
        {"{", NULL, -1, "tokenizer_config.json"},
        {"{\"chat_template\":\"[INST] {{ x }} [/INST]\"}", NULL, -1, "raw, llama3, chatml, zephyr"},
        /* Phi-4 separates with a token of its own; Phi-3 and Falcon 3 end a question otherwise. */
        {NULL, "<|im_start|>user<|im_sep|>text<|im_end|>", -1, "chat_template.jinja"},
        {NULL, "{{'<|user|>\n' + x + '<|end|>'}}{{'<|assistant|>' + eos_token}}", -1, "choose"},
        {NULL, "{{'<|user|>\n' + x + '\n'}}{{'<|assistant|>\n' + x + eos_token}}", -1, "choose"},
        /* two at once */
        {NULL, "<|im_start|><|im_end|><|start_header_id|><|end_header_id|><|eot_id|>", -1,
         "choose"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *directory = make_directory();
        lcal__chat_format format = LCAL__CHAT_FORMATS;
        if (cases[i].config)
            write_file(directory, "tokenizer_config.json", cases[i].config);
        if (cases[i].jinja)
            write_file(directory, "chat_template.jinja", cases[i].jinja);
        const lcal_status status = lcal__chat_format_detect(directory, &format, &err);
        if (cases[i].format >= 0 && (status != LCAL_OK || (int)format != cases[i].format))
            fail_msg("case %zu: status %d, format %d: %s", i, status, format, err.message);
        if (cases[i].format < 0 && (status == LCAL_OK || !strstr(err.message, cases[i].message)))
            fail_msg("case %zu: status %d: %s", i, status, err.message);
        remove_files(directory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama3),          cmocka_unit_test(test_chatml),
        cmocka_unit_test(test_zephyr_and_raw),  cmocka_unit_test(test_zephyr),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_continues),
        cmocka_unit_test(test_real_tokenizers), cmocka_unit_test(test_detection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
