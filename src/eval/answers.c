#include "eval/answers.h"

#include "base/mem.h"

lcal_status lcal__answers_follow(const lcal__generate_setup *setup,
                                 const lcal__prompt_list *prompts, lcal__news_fn *fn, void *user,
                                 lcal_error *err)
{
    if (prompts->count == 0)
        return LCAL_OK;
    lcal__generator *generator = NULL;
    const size_t lanes = setup->batch < prompts->count ? setup->batch : prompts->count;
    LCAL_TRY(lcal__generate_setup_open(setup, lanes, lcal__prompt_list_length(prompts, setup),
                                       &generator, err));
    lcal_status status =
        lcal__generator_run(generator, prompts->items, prompts->count, fn, user, err);
    lcal__generator_close(&generator);
    return status;
}

static lcal_status keep(void *user, const lcal__news *news, bool *stop, lcal_error *err)
{
    (void)stop;
    lcal__answers *answers = user;
    lcal__answer *answer = &answers->items[news->piece.prompt];
    lcal__strbuf_add_bytes(&answer->text, news->piece.text, news->piece.length);
    answer->finish = news->piece.finish;
    if (answer->text.failed)
        return lcal__fail_nomem(err, "an answer");
    if (news->id < 0)
        return LCAL_OK;
    if (!lcal__grow((void **)&answer->ids, &answer->capacity, answer->count + 1,
                    sizeof(*answer->ids)))
        return lcal__fail_nomem(err, "an answer");
    answer->ids[answer->count++] = news->id;
    return LCAL_OK;
}

lcal_status lcal__answers_generate(const lcal__generate_setup *setup,
                                   const lcal__prompt_list *prompts, lcal__answers *out,
                                   lcal_error *err)
{
    lcal__answers answers = {lcal__calloc(prompts->count, sizeof(*answers.items)), prompts->count};
    if (!answers.items)
        return lcal__fail_nomem(err, "the answers");
    lcal_status status = lcal__answers_follow(setup, prompts, keep, &answers, err);
    if (status == LCAL_OK)
        *out = answers;
    else
        lcal__answers_free(&answers);
    return status;
}

void lcal__answers_free(lcal__answers *answers)
{
    for (size_t i = 0; i < answers->count; i++) {
        lcal__free(answers->items[i].ids);
        lcal__strbuf_free(&answers->items[i].text);
    }
    lcal__free(answers->items);
    *answers = (lcal__answers){0};
}
