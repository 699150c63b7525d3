#include "eval/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "lcal/model.h"

#define TOKENIZER "../data/stories260K/tok512.bin"

void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

/* Path below tests/; one of four buffers. */
static const char *path_of(const char *format, ...)
{
    static char paths[4][4096];
    static size_t next;
    const char *source = getenv("LCAL_TEST_SOURCE");
    char *path = paths[next++ % 4];
    const int head = snprintf(path, sizeof(paths[0]), "%s/", source ? source : "tests");
    va_list args;
    va_start(args, format);
    vsnprintf(path + head, sizeof(paths[0]) - (size_t)head, format, args);
    va_end(args);
    return path;
}

lcal_model *fixture_model(const char *name, bool adapters, size_t threads)
{
    lcal_error err = {0};
    lcal_model *model = NULL;
    const lcal_model_options options = {.threads = threads};
    const char *folder = path_of("golden/models/%s", name);
    check(lcal_model_open(folder, &options, &model, &err), &err);
    if (adapters) {
        check(lcal_model_add_adapter(model, path_of("golden/models/%s/lora_a", name), 1.0, &err),
              &err);
        check(lcal_model_add_adapter(model, path_of("golden/models/%s/lora_b", name), 0.5, &err),
              &err);
    }
    check(lcal_model_set_tokenizer(model, path_of(TOKENIZER), &err), &err);
    return model;
}

lcal__answers fixture_answers(lcal_model *model, const lcal_generate_options *options,
                              const int32_t *const *prompts, const size_t *lengths, size_t count)
{
    lcal_error err = {0};
    lcal__generate_setup setup;
    lcal__prompt_list list;
    lcal__answers answers = {0};
    check(lcal__generate_setup_init(&setup, model, options, true, &err), &err);
    check(lcal__prompt_list_take(&list, &setup, prompts, lengths, count, &err), &err);
    check(lcal__answers_generate(&setup, &list, &answers, &err), &err);
    lcal__prompt_list_free(&list);
    lcal__generate_setup_free(&setup);
    return answers;
}

fixture_prompts fixture_prompts_new(size_t count, size_t longest, uint64_t seed)
{
    fixture_prompts p = {calloc(count, sizeof(*p.ids)), calloc(count, sizeof(*p.lengths)), count};
    lcal__rng rng = {seed, lcal__rng_stream("prompts"), 0};
    assert_true(p.ids && p.lengths);
    for (size_t i = 0; i < count; i++) {
        p.lengths[i] = i ? 1 + (size_t)lcal__rng_below(&rng, longest) : longest;
        p.ids[i] = calloc(p.lengths[i], sizeof(**p.ids));
        assert_non_null(p.ids[i]);
        for (size_t t = 0; t < p.lengths[i]; t++)
            p.ids[i][t] = t ? (int32_t)(3 + lcal__rng_below(&rng, 509)) : 1;
    }
    return p;
}

void fixture_prompts_free(fixture_prompts *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->ids[i]);
    free(p->ids);
    free(p->lengths);
}

void fixture_same(const lcal__answers *a, const lcal__answers *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const lcal__answer *x = &a->items[i], *y = &b->items[i];
        assert_int_equal(x->count, y->count);
        if (x->count)
            assert_memory_equal(x->ids, y->ids, x->count * sizeof(*x->ids));
        assert_string_equal(x->text.text, y->text.text);
        assert_int_equal(x->finish, y->finish);
    }
}

bool fixture_listen(void *user, const lcal_piece *piece)
{
    fixture_text *t = user;
    for (size_t at = 0, size; at < piece->length; at += size) {
        size = lcal__utf8_valid(piece->text + at, piece->length - at);
        assert_true(size > 0);
    }
    if (piece->prompt != t->prompt)
        return true;
    assert_int_equal(t->finish, LCAL_FINISH_NOT); /* nothing comes after the last piece */
    assert_true(t->length + piece->length < sizeof(t->text));
    memcpy(t->text + t->length, piece->text, piece->length);
    t->length += piece->length;
    t->text[t->length] = '\0';
    t->tokens = piece->tokens;
    t->prompt_tokens = piece->prompt_tokens;
    t->finish = piece->finish;
    return ++t->pieces != t->stop_after;
}
