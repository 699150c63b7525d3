/* Examples of text: every form as hand-written ids and labels, what is learnt, dropped, cut, held
 * out and refused. Bytes are their own ids here; 300 is BOS, 301 EOS. */
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
#include "data/dataset.h"
#include "data/text.h"
#include "tokenizer_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

enum { BOS = 300, EOS, IM_START, IM_END, VOCAB };

static lcal_error err;
static char directory[] = "/tmp/lcal-text-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char *path = lcal__path_join(directory, name);
    assert_int_equal(lcal__file_replace(path, text, strlen(text), &err), LCAL_OK);
    lcal__free(path);
}

static int make_model(void **state)
{
    (void)state;
    lcal__strbuf json = fixture_json(
        NULL, 0,
        "\"added_tokens\":[{\"id\":300,\"content\":\"<s>\",\"special\":true},"
        "{\"id\":301,\"content\":\"</s>\",\"special\":true},"
        "{\"id\":302,\"content\":\"<|im_start|>\",\"special\":true},"
        "{\"id\":303,\"content\":\"<|im_end|>\",\"special\":true}],"
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
        "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":"
        "0}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[300],\"tokens\":[\"<s>\"]}}},",
        NULL);
    assert_non_null(mkdtemp(directory));
    write_file("tokenizer.json", json.text);
    write_file("tokenizer_config.json", "{\"eos_token\":\"</s>\"}");
    lcal__strbuf_free(&json);
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char *path = lcal__path_join(directory, names[i]);
        remove(path);
        lcal__free(path);
    }
    return remove(directory);
}

static lcal__text raw_text(void)
{
    return (lcal__text){.options = {.path = directory}};
}

static lcal_status parse(const char *lines, lcal__text *text, const lcal__dataset_options *more,
                         lcal__dataset *out)
{
    lcal__dataset_options options = *more;
    options.text = text;
    if (!options.vocab)
        options.vocab = VOCAB;
    return lcal__dataset_parse(lines, strlen(lines), "f.jsonl", &options, out, &err);
}

/*
 * An example as text: a character is its byte, "^" BOS, "$" EOS, "<" and ">" the ends of ChatML;
 * what is learnt stands between "{" and "}". data->examples[index] must be that.
 */
static void expect(const lcal__dataset *data, size_t index, const char *spelled)
{
    const lcal__example *example = &data->examples[index];
    bool learnt = false;
    size_t at = 0;
    for (const char *c = spelled; *c; c++) {
        if (*c == '{' || *c == '}') {
            learnt = *c == '{';
            continue;
        }
        const int32_t id = *c == '^'   ? BOS
                           : *c == '$' ? EOS
                           : *c == '<' ? IM_START
                           : *c == '>' ? IM_END
                                       : (unsigned char)*c;
        if (at >= example->length || example->ids[at] != id
            || example->labels[at] != (learnt ? id : LCAL__LABEL_IGNORE))
            fail_msg("example %zu, token %zu of %zu: expected %d%s, found %d labelled %d", index,
                     at, example->length, (int)id, learnt ? " learnt" : "",
                     at < example->length ? (int)example->ids[at] : -1,
                     at < example->length ? (int)example->labels[at] : -1);
        at++;
    }
    assert_int_equal(example->length, at);
}

static const char all_forms[] =
    "{\"prompt\":\"ab\",\"completion\":\" c\",\"id\":7}\n"
    "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
    "\"a\"},"
    "{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":\"A\"}]}\n"
    "{\"instruction\":\"do\",\"input\":\"it\",\"output\":\"ok\"}\n"
    "{\"instruction\":\"do\",\"input\":\"\",\"output\":\"ok\"}\n"
    "{\"instruction\":\"do\",\"output\":\"ok\",\"input\":null}\n"
    "{\"conversations\":[{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"gpt\",\"value\":\"a\"}]}"
    "\n"
    "{\"conversations\":[{\"from\":\"user\",\"value\":\"q\"},{\"from\":\"assistant\",\"value\":"
    "\"a\"}]}\n"
    "{\"input_ids\":[1,2,3],\"labels\":[1,-100,4]}\n"
    "{\"prompt\":\"\",\"completion\":\"x\"}\n"
    "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}\n";

static void test_raw(void **state)
{
    (void)state;
    lcal__text text = raw_text();
    text.options.detect = true; /* no template: raw */
    lcal__dataset data;
    if (parse(all_forms, &text, &(lcal__dataset_options){0}, &data) != LCAL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(data.count, 10);
    expect(&data, 0, "^ab{ c$}");
    expect(&data, 1, "^qaQ{A$}");
    expect(&data, 2, "^do\n\nit{ok$}");
    expect(&data, 3, "^do{ok$}");
    expect(&data, 4, "^do{ok$}");
    expect(&data, 5, "^q{a$}");
    expect(&data, 6, "^q{a$}");
    assert_memory_equal(data.examples[7].labels, ((int32_t[]){-100, -100, 4}), 12);
    expect(&data, 8, "^{x$}");
    expect(&data, 9, "^{x$}");
    lcal__dataset_free(&data);
    lcal__text_close(&text);
}

#define USER "<user\n"
#define ANSWER ">\n<assistant\n"

static void test_learnt(void **state)
{
    (void)state;
    static const struct {
        lcal__learnt learnt;
        const char *conversation, *pair;
    } cases[] = {
        {LCAL__LEARNT_COMPLETION, "^" USER "q" ANSWER "a>\n" USER "Q" ANSWER "{A>}\n",
         "^" USER "ab" ANSWER "{ c>}\n"},
        {LCAL__LEARNT_ASSISTANT, "^" USER "q" ANSWER "{a>}\n" USER "Q" ANSWER "{A>}\n",
         "^" USER "ab" ANSWER "{ c>}\n"},
        {LCAL__LEARNT_ALL, "^{" USER "q" ANSWER "a>\n" USER "Q" ANSWER "A>\n}",
         "^{" USER "ab" ANSWER " c>\n}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        lcal__text text = raw_text();
        lcal__dataset data;
        text.options.format = LCAL__CHAT_CHATML;
        text.options.learnt = cases[i].learnt;
        assert_int_equal(parse(all_forms, &text, &(lcal__dataset_options){0}, &data), LCAL_OK);
        expect(&data, 0, cases[i].pair);
        expect(&data, 1, cases[i].conversation);
        lcal__dataset_free(&data);
        lcal__text_close(&text);
    }
}

static void test_system(void **state)
{
    (void)state;
    lcal__text text = raw_text();
    lcal__dataset data;
    text.options.format = LCAL__CHAT_CHATML;
    text.options.system = "be";
    assert_int_equal(
        parse("{\"prompt\":\"q\",\"completion\":\"a\"}\n"
              "{\"messages\":[{\"role\":\"system\",\"content\":\"own\"},{\"role\":\"assistant\","
              "\"content\":\"a\"}]}\n",
              &text, &(lcal__dataset_options){0}, &data),
        LCAL_OK);
    expect(&data, 0, "^<system\nbe>\n" USER "q" ANSWER "{a>}\n");
    expect(&data, 1, "^<system\nown" ANSWER "{a>}\n");
    lcal__dataset_free(&data);
    lcal__text_close(&text);
    text.options.format = LCAL__CHAT_RAW;
    assert_int_equal(parse(all_forms, &text, &(lcal__dataset_options){0}, &data), LCAL_CONFIG);
    assert_non_null(strstr(err.message, "no system message; leave it out (data.system"));
    lcal__text_close(&text);
}

/* Text is never taken for a special token, wherever it stands. */
static void test_spelled_specials(void **state)
{
    (void)state;
    lcal__text text = raw_text();
    lcal__dataset data;
    text.options.format = LCAL__CHAT_CHATML;
    assert_int_equal(parse("{\"prompt\":\"<s>\",\"completion\":\"<|im_end|>\"}", &text,
                           &(lcal__dataset_options){0}, &data),
                     LCAL_OK);
    size_t ends = 0, starts = 0;
    for (size_t i = 0; i < data.examples[0].length; i++) {
        starts += data.examples[0].ids[i] == BOS;
        ends += data.examples[0].ids[i] == IM_END;
    }
    assert_int_equal(starts, 1);
    assert_int_equal(ends, 2);
    lcal__dataset_free(&data);
    lcal__text_close(&text);
}

static void test_dropped_and_cut(void **state)
{
    (void)state;
    static const char lines[] = "{\"prompt\":\"ab\",\"completion\":\"\"}\n"
                                "{\"prompt\":\"ab\",\"completion\":\"cdef\"}\n"
                                "{\"prompt\":\"abcdef\",\"completion\":\"g\"}\n"
                                "{\"prompt\":\"a\",\"completion\":\"b\"}\n";
    lcal__text text = raw_text();
    lcal__dataset data;
    lcal__dataset_options options = {.max_length = 5};
    assert_int_equal(parse(lines, &text, &options, &data), LCAL_OK);
    assert_int_equal(data.read, 4);
    assert_int_equal(data.dropped_empty, 1);
    assert_int_equal(data.dropped_overlong, 2);
    assert_int_equal(data.count, 1);
    expect(&data, 0, "^a{b$}");
    assert_int_equal(data.examples[0].index, 3);
    lcal__dataset_free(&data);

    options.overlong = LCAL__OVERLONG_TRUNCATE;
    assert_int_equal(parse(lines, &text, &options, &data), LCAL_OK);
    assert_int_equal(data.truncated, 2);
    assert_int_equal(data.dropped_empty, 2); /* of one, the prompt alone was left */
    expect(&data, 0, "^ab{cd}");
    assert_int_equal(data.examples[0].index, 1);
    lcal__dataset_free(&data);

    options.overlong = LCAL__OVERLONG_ERROR;
    assert_int_equal(parse(lines, &text, &options, &data), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "f.jsonl:2: key prompt: expected at most 5 tokens"));

    options = (lcal__dataset_options){.keep_empty = true, .limit = 2};
    assert_int_equal(parse(lines, &text, &options, &data), LCAL_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(data.read, 2);
    expect(&data, 0, "^ab{$}");
    lcal__dataset_free(&data);
    lcal__text_close(&text);
}

static void test_no_tokenizer(void **state)
{
    (void)state;
    lcal__text text = {.options = {.path = "/"}};
    lcal__dataset data;
    assert_int_equal(parse("{\"input_ids\":[1,2]}", &text, &(lcal__dataset_options){0}, &data),
                     LCAL_OK);
    assert_null(text.tokenizer);
    lcal__dataset_free(&data);
    assert_int_equal(parse("{\"input_ids\":[1,2]}\n\n{\"prompt\":\"a\",\"completion\":\"b\"}",
                           &text, &(lcal__dataset_options){0}, &data),
                     LCAL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "f.jsonl:3: text needs a tokenizer"));
    assert_non_null(strstr(err.message, "data.tokenizer"));
    lcal__text_close(&text);
    /* A tokenizer of another model. */
    text = raw_text();
    assert_int_equal(parse("{\"prompt\":\"a\",\"completion\":\"b\"}", &text,
                           &(lcal__dataset_options){.vocab = 200}, &data),
                     LCAL_FORMAT);
    assert_non_null(strstr(err.message, "token 0 is 300"));
    assert_non_null(strstr(err.message, "0..199"));
    lcal__text_close(&text);
}

static void test_split(void **state)
{
    (void)state;
    enum { EXAMPLES = 2000 };
    lcal__strbuf lines = {0};
    for (size_t i = 0; i < EXAMPLES; i++)
        lcal__strbuf_printf(&lines, "{\"input_ids\":[%zu,1%s]}\n", i % 100,
                            i % 3 ? "" : ",2,3,4,5");
    lcal__dataset all, some, held, held_of_some;
    assert_int_equal(parse(lines.text, NULL, &(lcal__dataset_options){0}, &all), LCAL_OK);
    const size_t tokens = all.tokens;
    assert_int_equal(lcal__dataset_split(&all, 0.25, 7, 0, &held, &err), LCAL_OK);
    assert_int_equal(all.count + held.count, EXAMPLES);
    assert_int_equal(all.tokens + held.tokens, tokens);
    assert_in_range(held.count, EXAMPLES / 4 - 80, EXAMPLES / 4 + 80); /* 4 standard deviations */
    /* Computed apart from the library: a split must stay what it was, or a run would go on with
     * examples it was to be judged by. */
    static const size_t first[] = {1, 2, 5, 7, 13, 15, 16, 21};
    assert_int_equal(held.count, 462);
    for (size_t i = 0; i < COUNT(first); i++)
        assert_int_equal(held.examples[i].index, first[i]);
    bool seen[EXAMPLES] = {false};
    for (size_t i = 0; i < all.count + held.count; i++) {
        const size_t index =
            i < all.count ? all.examples[i].index : held.examples[i - all.count].index;
        assert_false(seen[index]);
        seen[index] = true;
    }
    /* Which ones are held out does not depend on what else is kept. */
    assert_int_equal(parse(lines.text, NULL, &(lcal__dataset_options){.max_length = 4}, &some),
                     LCAL_OK);
    assert_int_equal(some.dropped_overlong, (EXAMPLES + 2) / 3);
    const size_t kept = some.count;
    assert_int_equal(lcal__dataset_split(&some, 0.25, 7, 0, &held_of_some, &err), LCAL_OK);
    assert_int_equal(some.count + held_of_some.count, kept);
    for (size_t i = 0, j = 0; i < held_of_some.count; i++, j++) {
        while (held.examples[j].index % 3 == 0)
            j++;
        assert_int_equal(held_of_some.examples[i].index, held.examples[j].index);
    }
    lcal__dataset_free(&held_of_some);
    /* A limit keeps the first; the others are not trained on either. */
    const size_t trained = some.count;
    lcal__dataset_free(&some);
    assert_int_equal(parse(lines.text, NULL, &(lcal__dataset_options){.max_length = 4}, &some),
                     LCAL_OK);
    assert_int_equal(lcal__dataset_split(&some, 0.25, 7, 5, &held_of_some, &err), LCAL_OK);
    assert_int_equal(held_of_some.count, 5);
    assert_int_equal(some.count, trained);
    lcal__dataset_free(&held_of_some);
    lcal__dataset_free(&some);
    lcal__dataset_free(&held);
    lcal__dataset_free(&all);
    lcal__strbuf_free(&lines);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"{\"prompt\":\"a\"}", "key completion: expected a string, found nothing"},
        {"{\"completion\":\"a\"}", "key prompt: expected a string, found nothing"},
        {"{\"prompt\":[\"a\"],\"completion\":\"b\"}",
         "key prompt: expected a string, found a list"},
        {"{\"prompt\":\"a\",\"completion\":5}", "key completion: expected a string, found an int"},
        {"{\"prompt\":\"a\",\"messages\":[]}", "keys prompt and messages belong to two forms"},
        {"{\"input_ids\":[1],\"output\":\"b\"}", "keys input_ids and output"},
        {"{\"prompt\":\"a\",\"completion\":\"b\",\"labels\":[1]}", "keys labels and prompt"},
        {"{\"text\":\"a\"}", "found none of these keys; plain text is"},
        {"{\"question\":\"a\",\"answer\":\"b\"}", "found none of these keys"},
        {"{\"messages\":{}}",
         "key messages: expected a list of at least one message, found an obj"},
        {"{\"messages\":[]}", "found an empty one"},
        {"{\"messages\":[\"a\"]}", "key messages[0]: expected an object {\"role\", \"content\"}"},
        {"{\"messages\":[{\"content\":\"a\"}]}", "messages[0].role: expected system, user or"},
        {"{\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]}", "found \"tool\""},
        {"{\"messages\":[{\"role\":1,\"content\":\"a\"}]}", "found an integer"},
        {"{\"messages\":[{\"role\":\"user\"}]}", "messages[0].content: expected a string, found n"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
         "messages[0].content: expected a string, found a list"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":"
         "\"b\"}]}",
         "messages[1].role: expected the assistant"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{}]}]}",
         "messages[0].tool_calls"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"}],\"tools\":[{}]}", "key tools"},
        {"{\"conversations\":[{\"from\":\"bot\",\"value\":\"a\"}]}",
         "conversations[0].from: expected system, human, user, gpt or assistant, found \"bot\""},
        {"{\"conversations\":[{\"role\":\"user\",\"content\":\"a\"}]}", "conversations[0].from"},
        {"{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"}]}",
         "conversations[0].from: expected the assistant, whose answer is learnt, to come last"},
        {"{\"instruction\":\"a\",\"input\":5,\"output\":\"b\"}", "key input: expected a string"},
        {"{\"instruction\":\"a\",\"input\":\"b\"}", "key output: expected a string, found nothing"},
        {"{\"input\":\"b\",\"output\":\"c\"}", "key instruction: expected a string, found nothing"},
        {"{\"instruction\":\"a\",\"output\":\"b\",\"system\":\"c\"}", "key system: not read here"},
        {"{\"instruction\":\"a\",\"output\":\"b\",\"history\":[[\"x\",\"y\"]]}", "key history"},
        {"\"text\"", "expected a JSON object, found a string"},
        {"{\"prompt\":\"a\\u0000\",\"completion\":\"b\"}", "not valid JSON"},
    };
    lcal__text text = raw_text();
    for (size_t i = 0; i < COUNT(cases); i++) {
        char lines[400];
        lcal__dataset data = {0};
        snprintf(lines, sizeof(lines), "{\"prompt\":\"a\",\"completion\":\"b\"}\n%s\n",
                 cases[i].line);
        const lcal_status status = parse(lines, &text, &(lcal__dataset_options){0}, &data);
        if (status != LCAL_FORMAT || !strstr(err.message, cases[i].message)
            || strncmp(err.message, "f.jsonl:2: ", 11) != 0)
            fail_msg("%s: %d: %s", cases[i].line, status, err.message);
        assert_null(data.examples);
    }
    lcal__text_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_learnt),
        cmocka_unit_test(test_system),
        cmocka_unit_test(test_spelled_specials),
        cmocka_unit_test(test_dropped_and_cut),
        cmocka_unit_test(test_no_tokenizer),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
