/* The public functions of generation: arguments checked, pieces passed on. */
#include "lcal/generate.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "eval/answers.h"

typedef struct listener {
    lcal_piece_fn *fn;
    void *user;
} listener;

static lcal_status pass_on(void *user, const lcal__news *news, bool *stop, lcal_error *err)
{
    const listener *l = user;
    (void)err;
    *stop = !l->fn(l->user, &news->piece);
    return LCAL_OK;
}

static lcal_status generate(const lcal__generate_setup *setup, const lcal__prompt_list *prompts,
                            lcal_piece_fn *fn, void *user, lcal_error *err)
{
    listener l = {fn, user};
    return lcal__answers_follow(setup, prompts, pass_on, &l, err);
}

static lcal_status check_messages(const lcal_prompt *prompts, size_t count, lcal_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!prompts[i].messages || prompts[i].count == 0)
            return lcal__fail(err, LCAL_INVALID, "prompt %zu: expected a message, found none",
                              i + 1);
        for (size_t m = 0; m < prompts[i].count; m++) {
            const lcal_message *message = &prompts[i].messages[m];
            if (!message->role || !message->text)
                return lcal__fail(err, LCAL_INVALID,
                                  "prompt %zu: message %zu: role and text must be given", i + 1,
                                  m + 1);
            if (!lcal__utf8_all(message->text, strlen(message->text)))
                return lcal__fail(err, LCAL_INVALID,
                                  "prompt %zu: message %zu: expected text in UTF-8, found other "
                                  "bytes",
                                  i + 1, m + 1);
        }
    }
    return LCAL_OK;
}

lcal_status lcal_generate_messages(lcal_model *model, const lcal_prompt *prompts, size_t count,
                                   const lcal_generate_options *options, lcal_piece_fn *fn,
                                   void *user, lcal_error *err)
{
    lcal__generate_setup setup;
    lcal__prompt_list list = {0};
    if (!model || (!prompts && count) || !fn)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_generate_messages: model, prompts and a function to call must be "
                          "given");
    LCAL_TRY(check_messages(prompts, count, err));
    LCAL_TRY(lcal__generate_setup_init(&setup, model, options, false, err));
    lcal_status status = lcal__prompt_list_encode(&list, &setup, prompts, count, err);
    if (status == LCAL_OK)
        status = generate(&setup, &list, fn, user, err);
    lcal__prompt_list_free(&list);
    lcal__generate_setup_free(&setup);
    return status;
}

lcal_status lcal_generate(lcal_model *model, const char *const *prompts, size_t count,
                          const lcal_generate_options *options, lcal_piece_fn *fn, void *user,
                          lcal_error *err)
{
    if (!model || (!prompts && count) || !fn)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_generate: model, prompts and a function to call must be given");
    lcal_message *messages = lcal__calloc(count, sizeof(*messages));
    lcal_prompt *items = lcal__calloc(count, sizeof(*items));
    lcal_status status = messages && items ? LCAL_OK : lcal__fail_nomem(err, "the list of prompts");
    for (size_t i = 0; i < count && status == LCAL_OK; i++) {
        messages[i] = (lcal_message){"user", prompts[i]}; /* NULL is refused with the rest */
        items[i] = (lcal_prompt){&messages[i], 1};
    }
    if (status == LCAL_OK)
        status = lcal_generate_messages(model, items, count, options, fn, user, err);
    lcal__free(items);
    lcal__free(messages);
    return status;
}

lcal_status lcal_generate_ids(lcal_model *model, const int32_t *const *prompts,
                              const size_t *lengths, size_t count,
                              const lcal_generate_options *options, lcal_piece_fn *fn, void *user,
                              lcal_error *err)
{
    lcal__generate_setup setup;
    lcal__prompt_list list = {0};
    if (!model || ((!prompts || !lengths) && count) || !fn)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_generate_ids: model, prompts, their lengths and a function to call "
                          "must be given");
    LCAL_TRY(lcal__generate_setup_init(&setup, model, options, true, err));
    lcal_status status = lcal__prompt_list_take(&list, &setup, prompts, lengths, count, err);
    if (status == LCAL_OK)
        status = generate(&setup, &list, fn, user, err);
    lcal__prompt_list_free(&list);
    lcal__generate_setup_free(&setup);
    return status;
}
