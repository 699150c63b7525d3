/* Chats: turn by turn as the whole conversation at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "eval/fixture.h"

static lcal_error err;

static const char *const said[] = {"Tell me of a dog.", "What did the dog do?", "", "And then?"};
#define TURNS (sizeof(said) / sizeof(*said))

static fixture_text say(lcal_chat *chat, const char *message, size_t stop_after)
{
    fixture_text answer = {.stop_after = stop_after};
    check(lcal_chat_say(chat, message, fixture_listen, &answer, &err), &err);
    return answer;
}

/* Every answer again, from the conversation so far. */
static void check_conversation(const char *template_, const char *system, size_t cut)
{
    lcal_model *model = fixture_model("stories260K", true, 1);
    const lcal_generate_options options = {
        .max_tokens = 25, .template_ = template_, .system = system, .repetition_penalty = 1.2};
    lcal_chat *chat;
    lcal_message messages[2 * TURNS];
    fixture_text answers[TURNS];
    check(lcal_chat_open(model, &options, &chat, &err), &err);
    for (int again = 0; again < 2; again++) {
        for (size_t turn = 0; turn < TURNS; turn++) {
            /* The second answer is cut short by the listener. */
            answers[turn] = say(chat, said[turn], turn == 1 ? cut : 0);
            messages[2 * turn] = (lcal_message){"user", said[turn]};
            const lcal_prompt prompt = {messages, 2 * turn + 1};
            fixture_text whole = {.stop_after = turn == 1 ? cut : 0};
            check(lcal_generate_messages(model, &prompt, 1, &options, fixture_listen, &whole, &err),
                  &err);
            assert_string_equal(answers[turn].text, whole.text);
            assert_int_equal(answers[turn].prompt_tokens, whole.prompt_tokens);
            messages[2 * turn + 1] = (lcal_message){"assistant", answers[turn].text};
        }
        assert_true(answers[0].length > 0);
        lcal_chat_reset(chat);
    }
    lcal_chat_close(&chat);
    assert_null(chat);
    lcal_model_close(&model);
}

static void test_turns(void **state)
{
    (void)state;
    check_conversation("raw", NULL, 0);
    check_conversation("zephyr", NULL, 0);
    check_conversation("zephyr", "You tell stories.", 7);
}

/* The same seed tells the same again after a reset, and not the same twice in a conversation. */
static void test_sampled(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 1);
    const lcal_generate_options options = {
        .max_tokens = 20, .temperature = 1.0, .seed = 8, .ignore_eos = true};
    lcal_chat *chat;
    check(lcal_chat_open(model, &options, &chat, &err), &err);
    const fixture_text one = say(chat, "Once", 0), two = say(chat, " and", 0);
    lcal_chat_reset(chat);
    const fixture_text again = say(chat, "Once", 0), more = say(chat, " and", 0);
    assert_string_equal(one.text, again.text);
    assert_string_equal(two.text, more.text);
    assert_string_not_equal(one.text, two.text);
    /* The second answer goes on in the random numbers, a new generation begins with the first. */
    const lcal_message messages[] = {{"user", "Once"}, {"assistant", one.text}, {"user", " and"}};
    const lcal_prompt prompt = {messages, 3};
    fixture_text whole = {0};
    check(lcal_generate_messages(model, &prompt, 1, &options, fixture_listen, &whole, &err), &err);
    assert_string_not_equal(two.text, whole.text);
    lcal_chat_close(&chat);
    lcal_model_close(&model);
}

static void test_no_room(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 1);
    const lcal_generate_options options = {.max_tokens = 100, .ignore_eos = true};
    lcal_chat *chat;
    char story[4096] = "Once";
    check(lcal_chat_open(model, &options, &chat, &err), &err);
    const fixture_text first = say(chat, "Once", 0);
    while (strlen(story) < sizeof(story) - 8)
        strcat(story, " a dog");
    fixture_text none = {0};
    assert_int_equal(lcal_chat_say(chat, story, fixture_listen, &none, &err), LCAL_INVALID);
    assert_non_null(strstr(err.message, "expected fewer than 512"));
    assert_int_equal(none.pieces, 0);
    /* As it was: the next answer is that to the first turn and this message. */
    const fixture_text next = say(chat, " and", 0);
    const lcal_message messages[] = {{"user", "Once"}, {"assistant", first.text}, {"user", " and"}};
    const lcal_prompt prompt = {messages, 3};
    fixture_text whole = {0};
    check(lcal_generate_messages(model, &prompt, 1, &options, fixture_listen, &whole, &err), &err);
    assert_string_equal(next.text, whole.text);
    lcal_chat_close(&chat);
    lcal_model_close(&model);
}

static void test_refused(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 1);
    lcal_chat *chat = NULL;
    const lcal_generate_options bad = {.template_ = "chatty"};
    assert_int_equal(lcal_chat_open(model, &bad, &chat, &err), LCAL_INVALID);
    assert_null(chat);
    assert_int_equal(lcal_chat_open(NULL, NULL, &chat, &err), LCAL_INVALID);
    check(lcal_chat_open(model, NULL, &chat, &err), &err);
    assert_int_equal(lcal_chat_say(chat, NULL, fixture_listen, NULL, &err), LCAL_INVALID);
    lcal_chat_close(&chat);
    lcal_chat_close(&chat);
    lcal_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_sampled),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
