/* Tokenizers smaller than the model, with ids that are no tokens; and memory that runs out. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "data/tokenizer_fixture.h"
#include "eval/fixture.h"
#include "model/scratch.h"

static lcal_error err;

/* --- padded rows and holes ---------------------------------------------------------------- */

/* 256 bytes, then nothing up to token 300: the model's 512 rows are mostly no tokens. At this
 * temperature each is drawn in turn. */
static void test_ids_that_are_no_tokens(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("tiny-llama3", false, 1);
    lcal__strbuf json = fixture_json(
        NULL, 0, "\"added_tokens\": [{\"id\": 300, \"content\": \"<end>\", \"special\": true}],",
        NULL);
    scratch_text("tokenizer.json", json.text);
    lcal__strbuf_free(&json);
    check(lcal_model_set_tokenizer(model, scratch_path("tokenizer.json"), &err), &err);
    fixture_prompts p = fixture_prompts_new(8, 5, 4);
    const lcal_generate_options options = {
        .temperature = 100.0, .max_tokens = 300, .ignore_eos = true};
    lcal__answers answers =
        fixture_answers(model, &options, (const int32_t *const *)p.ids, p.lengths, p.count);
    bool met[301] = {false};
    for (size_t i = 0; i < p.count; i++) {
        assert_int_equal(answers.items[i].count, 300);
        for (size_t t = 0; t < 300; t++) {
            const int32_t id = answers.items[i].ids[t];
            assert_true(id < 256 || id == 300);
            met[id] = true;
        }
    }
    size_t distinct = 0;
    for (size_t id = 0; id <= 300; id++)
        distinct += met[id];
    assert_true(distinct > 200);
    lcal__answers_free(&answers);
    fixture_prompts_free(&p);
    lcal_model_close(&model);
}

/* --- memory runs out ---------------------------------------------------------------------- */

static lcal_status generate(lcal_model *model, fixture_text *text)
{
    static const char *const stops[] = {"zz"}, *const prompts[] = {"Once upon", "Tom"};
    const lcal_generate_options options = {
        .max_tokens = 6, .stop = stops, .stop_count = 1, .batch = 2, .repetition_penalty = 1.1};
    *text = (fixture_text){0};
    return lcal_generate(model, prompts, 2, &options, fixture_listen, text, &err);
}

static void test_memory_runs_out_while_answering(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 1);
    fixture_text whole, text;
    check(generate(model, &whole), &err); /* the model is assembled, the tokenizer open */
    lcal_status status = LCAL_NOMEM;
    size_t failures = 0;
    for (size_t n = 1; status != LCAL_OK; n++) {
        allocations_left = n;
        err.message[0] = '\0';
        status = generate(model, &text);
        if (status != LCAL_OK) {
            assert_int_equal(status, LCAL_NOMEM);
            assert_true(err.message[0] != '\0');
            failures++;
        }
        assert_true(n < 10000);
    }
    allocations_left = 0;
    assert_true(failures > 20);
    assert_string_equal(text.text, whole.text);
    lcal_model_close(&model);
}

/* A chat whose answer failed is as it was: what is said next is answered as if it had not been. */
static void test_memory_runs_out_in_a_chat(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 1);
    const lcal_generate_options options = {.max_tokens = 8};
    lcal_chat *chat;
    check(lcal_chat_open(model, &options, &chat, &err), &err);
    fixture_text one = {0}, two = {0}, failed;
    check(lcal_chat_say(chat, "Once upon", fixture_listen, &one, &err), &err);
    check(lcal_chat_say(chat, " and the dog", fixture_listen, &two, &err), &err);
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        fixture_text again = {0};
        lcal_chat_reset(chat);
        check(lcal_chat_say(chat, "Once upon", fixture_listen, &again, &err), &err);
        assert_string_equal(again.text, one.text);
        failed = (fixture_text){0};
        allocations_left = n;
        lcal_status status = lcal_chat_say(chat, " and the dog", fixture_listen, &failed, &err);
        const bool reached = allocations_left == 0;
        allocations_left = 0;
        if (!reached) {
            assert_int_equal(status, LCAL_OK);
            break;
        }
        if (status == LCAL_OK)
            continue; /* the answer was not touched by it */
        assert_int_equal(status, LCAL_NOMEM);
        failures++;
        again = (fixture_text){0};
        check(lcal_chat_say(chat, " and the dog", fixture_listen, &again, &err), &err);
        assert_string_equal(again.text, two.text);
    }
    assert_true(failures > 5);
    lcal_chat_close(&chat);
    lcal_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ids_that_are_no_tokens, scratch_open, scratch_close),
        cmocka_unit_test(test_memory_runs_out_while_answering),
        cmocka_unit_test(test_memory_runs_out_in_a_chat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
