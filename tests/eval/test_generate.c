/*
 * Generation over whole models: against llama2.c's text, against the scores of the same tokens
 * (another forward pass), and against itself, alone and side by side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "eval/fixture.h"
#include "format/json.h"
#include "format/lines.h"
#include "lcal/score.h"

static lcal_error err;

/* --- greedy text ------------------------------------------------------------------------- */

/* llama2.c counts the prompt's tokens, BOS left out, among its steps and prints them too, then a
 * line break; the recorded texts are without line breaks at their ends. */
static void check_llama2c(lcal_model *model, const json_t *row)
{
    const char *prompt = json_string_value(json_object_get(row, "prompt"));
    const size_t steps = (size_t)json_integer_value(json_object_get(row, "steps"));
    const lcal_tokenizer *tokenizer;
    int32_t *ids;
    size_t count;
    char text[8192];
    fixture_text got = {0};
    check(lcal_model_tokenizer(model, &tokenizer, &err), &err);
    check(lcal_tokenizer_encode(tokenizer, prompt, strlen(prompt), LCAL_ADD_SPECIAL, &ids, &count,
                                &err),
          &err);
    lcal_ids_free(ids);
    const lcal_generate_options options = {.max_tokens = steps - (count - 1)};
    check(lcal_generate(model, &prompt, 1, &options, fixture_listen, &got, &err), &err);
    snprintf(text, sizeof(text), "%s%s", prompt, got.text);
    for (size_t end = strlen(text); end && text[end - 1] == '\n'; end--)
        text[end - 1] = '\0';
    assert_string_equal(text, json_string_value(json_object_get(row, "greedy_text")));
    assert_int_equal(got.tokens, options.max_tokens);
    assert_int_equal(got.prompt_tokens, count);
}

static void test_greedy_text_of_llama2c(void **state)
{
    (void)state;
    const char *data = getenv("LCAL_TEST_DATA");
    char path[4096];
    lcal__map map;
    lcal__lines *lines;
    const char *line;
    size_t length, rows = 0;
    if (!data) {
        print_message("LCAL_TEST_DATA is not set: no text of llama2.c to compare with\n");
        skip();
    }
    snprintf(path, sizeof(path), "%s/models/stories260K/greedy.llama2c.jsonl", data);
    lcal_model *model = fixture_model("stories260K", false, 1);
    check(lcal__map_open(path, &map, &err), &err);
    check(lcal__lines_open(map.data, map.size, path, &lines, &err), &err);
    for (;;) {
        json_t *row;
        check(lcal__lines_next(lines, &line, &length, &err), &err);
        if (!line)
            break;
        check(lcal__json_parse_object(line, length, path, &row, &err), &err);
        check_llama2c(model, row);
        json_decref(row);
        rows++;
    }
    assert_true(rows >= 3);
    lcal__lines_close(&lines);
    lcal__map_close(&map);
    lcal_model_close(&model);
}

/* Every token of a greedy answer has the largest logit of a forward pass without cache. */
static void check_against_scores(lcal_model *model, const int32_t *prompt, size_t length,
                                 const lcal__answer *answer)
{
    const size_t count = length + answer->count, vocab = lcal_model_vocab(model);
    int32_t *ids = calloc(count, sizeof(*ids));
    float *nll = calloc(count, sizeof(*nll)), *logits = calloc(count * vocab, sizeof(*logits));
    assert_true(ids && nll && logits);
    memcpy(ids, prompt, length * sizeof(*ids));
    memcpy(ids + length, answer->ids, answer->count * sizeof(*ids));
    check(lcal_score_ids(model, ids, NULL, count, nll, logits, &err), &err);
    for (size_t t = length; t < count; t++) {
        const float *row = logits + (t - 1) * vocab;
        float most = -INFINITY, least = INFINITY;
        for (size_t v = 0; v < vocab; v++) {
            most = fmaxf(most, row[v]);
            least = fminf(least, row[v]);
        }
        assert_true(row[ids[t]] >= most - 1e-4f * (most - least));
    }
    free(ids);
    free(nll);
    free(logits);
}

static void test_cache_changes_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"tiny-llama3", "tiny-qwen2", "tiny-stablelm2",
                                        "stories260K"};
    const lcal_generate_options options = {.max_tokens = 24, .ignore_eos = true};
    for (size_t i = 0; i < 4; i++) {
        lcal_model *model = fixture_model(names[i], true, 2);
        fixture_prompts p = fixture_prompts_new(5, 300, i);
        lcal__answers answers =
            fixture_answers(model, &options, (const int32_t *const *)p.ids, p.lengths, p.count);
        for (size_t n = 0; n < p.count; n++) {
            assert_int_equal(answers.items[n].count, 24);
            assert_int_equal(answers.items[n].finish, LCAL_FINISH_LENGTH);
            check_against_scores(model, p.ids[n], p.lengths[n], &answers.items[n]);
        }
        lcal__answers_free(&answers);
        fixture_prompts_free(&p);
        lcal_model_close(&model);
    }
}

/* --- side by side ------------------------------------------------------------------------ */

static const lcal_generate_options samplings[] = {
    {0},
    {.temperature = 0.8, .seed = 3},
    {.temperature = 1.5, .top_k = 20, .top_p = 0.9, .min_p = 0.02, .seed = 4},
    {.temperature = 1.0, .repetition_penalty = 1.3, .seed = 5},
    {.repetition_penalty = 2.0},
};

static void test_side_by_side_as_alone(void **state)
{
    (void)state;
    static const size_t batches[][2] = {{1, 1}, {2, 1}, {7, 3}, {64, 2}};
    fixture_prompts p = fixture_prompts_new(19, 280, 9);
    for (size_t s = 0; s < sizeof(samplings) / sizeof(*samplings); s++) {
        lcal__answers first = {0};
        for (size_t b = 0; b < 4; b++) {
            lcal_model *model =
                fixture_model(s % 2 ? "stories260K" : "tiny-qwen2", true, batches[b][1]);
            lcal_generate_options options = samplings[s];
            options.batch = batches[b][0];
            options.max_tokens = 30;
            lcal__answers answers =
                fixture_answers(model, &options, (const int32_t *const *)p.ids, p.lengths, p.count);
            if (b == 0) {
                first = answers;
            } else {
                fixture_same(&first, &answers);
                lcal__answers_free(&answers);
            }
            lcal_model_close(&model);
        }
        lcal__answers_free(&first);
    }
    fixture_prompts_free(&p);
}

/* Equal prompts draw numbers of their own; the seed decides which. */
static void test_seeds(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 1);
    const int32_t ids[] = {1, 403, 407};
    const int32_t *prompts[3] = {ids, ids, ids};
    const size_t lengths[3] = {3, 3, 3};
    lcal_generate_options options = {.temperature = 1.0, .max_tokens = 40, .seed = 1};
    lcal__answers a = fixture_answers(model, &options, prompts, lengths, 3);
    lcal__answers b = fixture_answers(model, &options, prompts, lengths, 3);
    fixture_same(&a, &b);
    assert_string_not_equal(a.items[0].text.text, a.items[1].text.text);
    assert_string_not_equal(a.items[1].text.text, a.items[2].text.text);
    options.seed = 2;
    lcal__answers c = fixture_answers(model, &options, prompts, lengths, 3);
    assert_string_not_equal(a.items[0].text.text, c.items[0].text.text);
    lcal__answers_free(&a);
    lcal__answers_free(&b);
    lcal__answers_free(&c);
    lcal_model_close(&model);
}

/* With a large penalty no token comes twice, nor one of the prompt. */
static void test_repetition_penalty(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 1);
    const int32_t ids[] = {1, 403, 407, 261, 378, 268, 317, 410, 262, 285}, *const prompt = ids;
    const size_t length = sizeof(ids) / sizeof(*ids);
    size_t repeated[2] = {0, 0};
    for (int strong = 0; strong < 2; strong++) {
        const lcal_generate_options options = {
            .max_tokens = 30, .ignore_eos = true, .repetition_penalty = strong ? 1e6 : 1.0};
        lcal__answers answers = fixture_answers(model, &options, &prompt, &length, 1);
        const lcal__answer *a = &answers.items[0];
        for (size_t i = 0; i < a->count; i++) {
            for (size_t t = 0; t < length; t++)
                repeated[strong] += a->ids[i] == ids[t];
            for (size_t t = 0; t < i; t++)
                repeated[strong] += a->ids[i] == a->ids[t];
        }
        lcal__answers_free(&answers);
    }
    assert_true(repeated[0] > 5);
    assert_int_equal(repeated[1], 0);
    lcal_model_close(&model);
}

/* --- the cache ---------------------------------------------------------------------------- */

static lcal_status keep_ids(void *user, const lcal__news *news, bool *stop, lcal_error *error)
{
    int32_t *ids = user;
    (void)stop, (void)error;
    if (news->id >= 0)
        ids[news->piece.tokens - 1] = news->id;
    return LCAL_OK;
}

/* Ids that are said to be cached are not run again: others in their place change nothing. */
static void test_cached_ids_are_not_run(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("tiny-llama3", false, 1);
    fixture_prompts p = fixture_prompts_new(2, 40, 3);
    lcal__generate_setup setup;
    lcal__generator *generator;
    int32_t first[10], second[10], third[10];
    const lcal_generate_options options = {.max_tokens = 10, .ignore_eos = true};
    check(lcal__generate_setup_init(&setup, model, &options, true, &err), &err);
    check(lcal__generate_setup_open(&setup, 1, 64, &generator, &err), &err);
    lcal__id_prompt prompt = {.ids = p.ids[0], .count = 40};
    check(lcal__generator_run(generator, &prompt, 1, keep_ids, first, &err), &err);
    assert_int_equal(lcal__generator_held(generator), 49);
    for (size_t i = 0; i < 39; i++)
        p.ids[0][i] = 7;
    prompt.cached = 39;
    check(lcal__generator_run(generator, &prompt, 1, keep_ids, second, &err), &err);
    assert_memory_equal(first, second, sizeof(first));
    prompt.cached = 0;
    check(lcal__generator_run(generator, &prompt, 1, keep_ids, third, &err), &err);
    assert_memory_not_equal(first, third, sizeof(first));
    lcal__generator_close(&generator);
    lcal__generate_setup_free(&setup);
    fixture_prompts_free(&p);
    lcal_model_close(&model);
}

/* --- ends -------------------------------------------------------------------------------- */

static void test_longest_sequence(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 2);
    fixture_prompts p = fixture_prompts_new(3, 513, 2);
    lcal_generate_options options = {.max_tokens = 8, .ignore_eos = true};
    fixture_text text = {0};
    assert_int_equal(lcal_generate_ids(model, (const int32_t *const *)p.ids, p.lengths, 3, &options,
                                       fixture_listen, &text, &err),
                     LCAL_INVALID);
    assert_non_null(strstr(err.message, "prompt 1: 513 tokens: expected at most the model's 512"));
    assert_int_equal(text.pieces, 0);
    p.lengths[0] = 512;
    p.lengths[1] = p.lengths[1] < 400 ? p.lengths[1] : 400;
    options.batch = 1;
    lcal__answers answers =
        fixture_answers(model, &options, (const int32_t *const *)p.ids, p.lengths, 2);
    assert_int_equal(answers.items[0].count, 0);
    assert_int_equal(answers.items[0].finish, LCAL_FINISH_LENGTH);
    assert_int_equal(answers.items[1].count, 8);
    lcal__answers_free(&answers);
    p.lengths[0] = 509;
    answers = fixture_answers(model, &options, (const int32_t *const *)p.ids, p.lengths, 1);
    assert_int_equal(answers.items[0].count, 3);
    assert_int_equal(answers.items[0].finish, LCAL_FINISH_LENGTH);
    lcal__answers_free(&answers);
    fixture_prompts_free(&p);
    lcal_model_close(&model);
}

/* BOS (1) and EOS (2) are never part of an answer, unless they are to be ignored. */
static void test_end_tokens(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("tiny-llama3", false, 2);
    fixture_prompts p = fixture_prompts_new(40, 12, 6);
    lcal_generate_options options = {.temperature = 3.0, .max_tokens = 60, .seed = 11};
    lcal__answers answers =
        fixture_answers(model, &options, (const int32_t *const *)p.ids, p.lengths, p.count);
    size_t ended = 0, met = 0;
    for (size_t i = 0; i < p.count; i++) {
        const lcal__answer *a = &answers.items[i];
        for (size_t t = 0; t < a->count; t++)
            assert_true(a->ids[t] != 1 && a->ids[t] != 2);
        assert_true((a->finish == LCAL_FINISH_END) == (a->count < 60));
        ended += a->finish == LCAL_FINISH_END;
    }
    assert_in_range(ended, 1, p.count - 1);
    lcal__answers_free(&answers);
    options.ignore_eos = true;
    answers = fixture_answers(model, &options, (const int32_t *const *)p.ids, p.lengths, p.count);
    for (size_t i = 0; i < p.count; i++) {
        assert_int_equal(answers.items[i].count, 60);
        for (size_t t = 0; t < 60; t++)
            met += answers.items[i].ids[t] == 1 || answers.items[i].ids[t] == 2;
    }
    assert_true(met >= ended);
    lcal__answers_free(&answers);
    fixture_prompts_free(&p);
    lcal_model_close(&model);
}

static void test_stop_texts(void **state)
{
    (void)state;
    static const char *const stops[] = {" Lily. She", "never seen"};
    lcal_model *model = fixture_model("stories260K", false, 1);
    const char *const prompts[] = {"", "Tom and Sue went to"};
    lcal_generate_options options = {.max_tokens = 60};
    fixture_text whole = {0}, cut = {0}, other = {.prompt = 1};
    check(lcal_generate(model, prompts, 2, &options, fixture_listen, &whole, &err), &err);
    options.stop = stops;
    options.stop_count = 2;
    check(lcal_generate(model, prompts, 2, &options, fixture_listen, &cut, &err), &err);
    check(lcal_generate(model, prompts, 2, &options, fixture_listen, &other, &err), &err);
    const char *place = strstr(whole.text, stops[0]);
    assert_non_null(place);
    assert_int_equal(cut.length, place - whole.text);
    assert_memory_equal(cut.text, whole.text, cut.length);
    assert_int_equal(cut.finish, LCAL_FINISH_STOP);
    assert_int_equal(other.finish, LCAL_FINISH_LENGTH);
    assert_int_equal(other.tokens, 60);
    lcal_model_close(&model);
}

/* --- text -------------------------------------------------------------------------------- */

/* Random tokens spell bytes that are half a character: pieces are whole ones (the listener looks),
 * and together what the tokenizer decodes, repaired. */
static void test_pieces_are_whole_characters(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("tiny-llama3", false, 1);
    const lcal_tokenizer *tokenizer;
    const lcal_generate_options options = {
        .temperature = 50.0, .max_tokens = 200, .ignore_eos = true, .seed = 2};
    const int32_t bos = 1, *const prompts[] = {&bos};
    const size_t length = 1;
    fixture_text streamed = {0};
    check(lcal_model_tokenizer(model, &tokenizer, &err), &err);
    lcal__answers answers = fixture_answers(model, &options, prompts, &length, 1);
    check(lcal_generate_ids(model, prompts, &length, 1, &options, fixture_listen, &streamed, &err),
          &err);
    assert_string_equal(streamed.text, answers.items[0].text.text);
    assert_int_equal(streamed.tokens, 200);
    char *bytes;
    size_t size;
    lcal__strbuf repaired = {0};
    check(lcal_tokenizer_decode(tokenizer, answers.items[0].ids, answers.items[0].count, 1, &bytes,
                                &size, &err),
          &err);
    lcal__strbuf_add_utf8(&repaired, bytes, size);
    assert_string_equal(repaired.text, streamed.text);
    assert_non_null(strstr(streamed.text, "\xEF\xBF\xBD"));
    lcal__strbuf_free(&repaired);
    lcal_text_free(bytes);
    lcal__answers_free(&answers);
    lcal_model_close(&model);
}

static void test_listener_ends_all(void **state)
{
    (void)state;
    lcal_model *model = fixture_model("stories260K", false, 1);
    const char *const prompts[] = {"One", "Two", "Three"};
    const lcal_generate_options options = {.batch = 2};
    fixture_text text = {.stop_after = 5};
    check(lcal_generate(model, prompts, 3, &options, fixture_listen, &text, &err), &err);
    assert_int_equal(text.pieces, 5);
    assert_int_equal(text.finish, LCAL_FINISH_NOT);
    check(lcal_generate(model, NULL, 0, NULL, fixture_listen, &text, &err), &err);
    lcal_model_close(&model);
}

/* --- what is refused --------------------------------------------------------------------- */

static void test_refused(void **state)
{
    (void)state;
    static const char *const empty[] = {""};
    static const struct {
        lcal_generate_options options;
        lcal_status status;
        const char *says;
    } cases[] = {
        {{.temperature = -1.0}, LCAL_INVALID, "temperature: expected 0"},
        {{.top_p = 1.5}, LCAL_INVALID, "top_p"},
        {{.min_p = NAN}, LCAL_INVALID, "min_p"},
        {{.template_ = "llama4"}, LCAL_INVALID, "template: expected auto, raw"},
        {{.system = "Be short."}, LCAL_INVALID, "system: the template is raw"},
        {{.template_ = "llama3"}, LCAL_UNSUPPORTED, "<|start_header_id|>"},
        {{.stop = empty, .stop_count = 1}, LCAL_INVALID, "stop text"},
    };
    lcal_model *model = fixture_model("stories260K", false, 1);
    const char *prompt = "Once";
    fixture_text text = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(
            lcal_generate(model, &prompt, 1, &cases[i].options, fixture_listen, &text, &err),
            cases[i].status);
        if (!strstr(err.message, cases[i].says))
            fail_msg("\"%s\" is not in: %s", cases[i].says, err.message);
    }
    const int32_t bad[] = {1, 512}, *const ids[] = {bad, bad};
    const size_t lengths[] = {1, 2}, none[] = {1, 0};
    assert_int_equal(lcal_generate_ids(model, ids, lengths, 2, NULL, fixture_listen, &text, &err),
                     LCAL_INVALID);
    assert_non_null(strstr(err.message, "prompt 2: id 2: expected 0..511, found 512"));
    assert_int_equal(lcal_generate_ids(model, ids, none, 2, NULL, fixture_listen, &text, &err),
                     LCAL_INVALID);
    assert_non_null(strstr(err.message, "prompt 2: no tokens"));
    const lcal_message tool = {"tool", "x"};
    const lcal_prompt conversations[] = {{&tool, 1}, {&tool, 0}};
    assert_int_equal(
        lcal_generate_messages(model, conversations, 1, NULL, fixture_listen, &text, &err),
        LCAL_INVALID);
    assert_non_null(strstr(err.message, "prompt 1: message 1: role"));
    assert_int_equal(
        lcal_generate_messages(model, conversations + 1, 1, NULL, fixture_listen, &text, &err),
        LCAL_INVALID);
    assert_int_equal(lcal_generate(model, NULL, 1, NULL, fixture_listen, &text, &err),
                     LCAL_INVALID);
    assert_int_equal(text.pieces, 0);
    lcal_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy_text_of_llama2c),
        cmocka_unit_test(test_cache_changes_nothing),
        cmocka_unit_test(test_side_by_side_as_alone),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_repetition_penalty),
        cmocka_unit_test(test_cached_ids_are_not_run),
        cmocka_unit_test(test_longest_sequence),
        cmocka_unit_test(test_end_tokens),
        cmocka_unit_test(test_stop_texts),
        cmocka_unit_test(test_pieces_are_whole_characters),
        cmocka_unit_test(test_listener_ends_all),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
