#include "eval/prompt_list.h"

#include "base/mem.h"

static lcal_status init(lcal__prompt_list *list, size_t count, lcal_error *err)
{
    *list = (lcal__prompt_list){.items = lcal__calloc(count, sizeof(*list->items))};
    if (!list->items)
        return lcal__fail_nomem(err, "the list of prompts");
    list->count = count;
    return LCAL_OK;
}

static lcal_status check_prompt(const lcal__id_prompt *prompt, size_t number,
                                const lcal__model_config *config, lcal_error *err)
{
    if (prompt->count == 0)
        return lcal__fail(err, LCAL_INVALID,
                          "prompt %zu: no tokens: the text is empty and the tokenizer begins texts "
                          "with no token of its own; give at least a word",
                          number + 1);
    if (prompt->count > config->max_positions)
        return lcal__fail(err, LCAL_INVALID,
                          "prompt %zu: %zu tokens: expected at most the model's %zu; shorten it",
                          number + 1, prompt->count, config->max_positions);
    for (size_t i = 0; i < prompt->count; i++)
        if (prompt->ids[i] < 0 || (size_t)prompt->ids[i] >= config->vocab)
            return lcal__fail(err, LCAL_INVALID, "prompt %zu: id %zu: expected 0..%zu, found %ld",
                              number + 1, i + 1, config->vocab - 1, (long)prompt->ids[i]);
    return LCAL_OK;
}

static lcal_status check(lcal__prompt_list *list, const lcal__generate_setup *setup,
                         lcal_error *err)
{
    const lcal__model_config *config = &lcal__composition_base(setup->model)->config;
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].stream = i;
        LCAL_TRY(check_prompt(&list->items[i], i, config, err));
    }
    return LCAL_OK;
}

static lcal_status encode(lcal__prompt_list *list, const lcal__generate_setup *setup,
                          const lcal_prompt *prompts, lcal_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const size_t before = list->ids.count;
        lcal_status status = lcal__generate_setup_encode(setup, prompts[i].messages,
                                                         prompts[i].count, &list->ids, err);
        if (status != LCAL_OK)
            return lcal__fail_in(err, status, "prompt %zu", i + 1);
        list->items[i].count = list->ids.count - before;
    }
    size_t at = 0;
    for (size_t i = 0; i < list->count; at += list->items[i++].count)
        list->items[i].ids = list->ids.ids ? list->ids.ids + at : NULL;
    return check(list, setup, err);
}

lcal_status lcal__prompt_list_encode(lcal__prompt_list *list, const lcal__generate_setup *setup,
                                     const lcal_prompt *prompts, size_t count, lcal_error *err)
{
    LCAL_TRY(init(list, count, err));
    lcal_status status = encode(list, setup, prompts, err);
    if (status != LCAL_OK)
        lcal__prompt_list_free(list);
    return status;
}

lcal_status lcal__prompt_list_take(lcal__prompt_list *list, const lcal__generate_setup *setup,
                                   const int32_t *const *ids, const size_t *lengths, size_t count,
                                   lcal_error *err)
{
    LCAL_TRY(init(list, count, err));
    for (size_t i = 0; i < count; i++)
        list->items[i] = (lcal__id_prompt){.ids = ids[i], .count = lengths[i]};
    lcal_status status = check(list, setup, err);
    if (status != LCAL_OK)
        lcal__prompt_list_free(list);
    return status;
}

void lcal__prompt_list_free(lcal__prompt_list *list)
{
    lcal__free(list->items);
    lcal__chat_ids_free(&list->ids);
    *list = (lcal__prompt_list){0};
}

size_t lcal__prompt_list_length(const lcal__prompt_list *list, const lcal__generate_setup *setup)
{
    const size_t most = lcal__composition_base(setup->model)->config.max_positions;
    size_t longest = 0;
    for (size_t i = 0; i < list->count; i++)
        longest = list->items[i].count > longest ? list->items[i].count : longest;
    return setup->generator.max_tokens < most - longest ? longest + setup->generator.max_tokens
                                                        : most;
}
