#include "eval/generate_setup.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define STANDARD_TOKENS 256
#define STANDARD_BATCH 16

static lcal_status find_format(lcal__generate_setup *s, const char *name, bool any_format,
                               lcal_error *err)
{
    for (int f = 0; name && f < LCAL__CHAT_FORMATS; f++)
        if (strcmp(name, lcal__chat_format_name((lcal__chat_format)f)) == 0) {
            s->format = (lcal__chat_format)f;
            return LCAL_OK;
        }
    if (name && strcmp(name, "auto") != 0)
        return lcal__fail(err, LCAL_INVALID,
                          "template: expected auto, raw, llama3, chatml or zephyr, found \"%.64s\"",
                          name);
    lcal_error ignored = {0};
    lcal_status status = lcal__chat_format_detect(lcal__composition_text_directory(s->model),
                                                  &s->format, any_format ? &ignored : err);
    if (status == LCAL_OK || !any_format)
        return status;
    s->format = LCAL__CHAT_RAW;
    return LCAL_OK;
}

static void add_end(lcal__generate_setup *s, int64_t id)
{
    if (id >= 0 && id <= INT32_MAX)
        s->ends[s->generator.end_count++] = (int32_t)id;
}

/* The model's own ends, the tokenizer's, the template's; and BOS: what follows it is another text,
 * and some models (llama2.c's) were taught no other end. */
static void find_ends(lcal__generate_setup *s)
{
    const lcal__model_config *config = &lcal__composition_base(s->model)->config;
    int32_t stops[LCAL__CHAT_STOPS];
    const size_t count = lcal__chat_stops(s->tokenizer, s->format, stops);
    for (size_t i = 0; i < config->eos_count; i++)
        add_end(s, config->eos[i]);
    for (size_t i = 0; i < count; i++)
        add_end(s, stops[i]);
    add_end(s, config->bos);
    add_end(s, lcal__tokenizer_bos(s->tokenizer));
    s->generator.ends = s->ends;
}

static lcal_status copy_system(lcal__generate_setup *s, const char *system, lcal_error *err)
{
    if (!system || !system[0])
        return LCAL_OK;
    if (s->format == LCAL__CHAT_RAW)
        return lcal__fail(err, LCAL_INVALID,
                          "system: the template is raw, which has no system message; write it into "
                          "the prompt, or choose the template llama3, chatml or zephyr");
    if (!lcal__utf8_all(system, strlen(system)))
        return lcal__fail(err, LCAL_INVALID, "system: expected text in UTF-8, found other bytes");
    s->system = lcal__strdup(system);
    return s->system ? LCAL_OK : lcal__fail_nomem(err, "the system message");
}

static lcal_status init(lcal__generate_setup *s, const lcal_generate_options *o, bool any_format,
                        lcal_error *err)
{
    s->batch = o->batch ? o->batch : STANDARD_BATCH;
    s->generator = (lcal__generator_options){
        .sampling = {o->temperature, o->top_k, o->top_p, o->min_p, o->repetition_penalty},
        .seed = o->seed,
        .max_tokens = o->max_tokens ? o->max_tokens : STANDARD_TOKENS,
        .stops = &s->stops,
    };
    LCAL_TRY(lcal__sampler_options_check(&s->generator.sampling, err));
    LCAL_TRY(lcal__stop_texts_init(&s->stops, o->stop, o->stop_count, err));
    const lcal__text_words words = lcal__composition_words(s->model);
    LCAL_TRY(find_format(s, o->template_ ? o->template_ : words.template_, any_format, err));
    if (o->system || s->format != LCAL__CHAT_RAW)
        LCAL_TRY(copy_system(s, o->system ? o->system : words.system, err));
    LCAL_TRY(lcal__composition_tokenizer(s->model, &s->tokenizer, err));
    s->generator.tokenizer = s->tokenizer;
    if (!o->ignore_eos)
        find_ends(s);
    return LCAL_OK;
}

lcal_status lcal__generate_setup_init(lcal__generate_setup *setup, lcal__composition *model,
                                      const lcal_generate_options *options, bool any_format,
                                      lcal_error *err)
{
    const lcal_generate_options standard = {0};
    *setup = (lcal__generate_setup){.model = model};
    lcal_status status = init(setup, options ? options : &standard, any_format, err);
    if (status != LCAL_OK)
        lcal__generate_setup_free(setup);
    return status;
}

void lcal__generate_setup_free(lcal__generate_setup *setup)
{
    lcal__stop_texts_free(&setup->stops);
    lcal__free(setup->system);
    *setup = (lcal__generate_setup){0};
}

lcal_status lcal__generate_setup_encode(const lcal__generate_setup *s, const lcal_message *messages,
                                        size_t count, lcal__chat_ids *out, lcal_error *err)
{
    lcal__message *all = lcal__calloc(count + 1, sizeof(*all));
    if (!all)
        return lcal__fail_nomem(err, "the messages of a conversation");
    bool has_system = false;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        has_system = has_system || strcmp(messages[i].role, "system") == 0;
    if (s->system && !has_system)
        all[used++] = (lcal__message){"system", s->system, strlen(s->system)};
    for (size_t i = 0; i < count; i++)
        all[used++] = (lcal__message){messages[i].role, messages[i].text, strlen(messages[i].text)};
    lcal_status status = lcal__chat_encode(s->tokenizer, s->format, all, used, true, out, err);
    lcal__free(all);
    return status;
}

lcal_status lcal__generate_setup_open(const lcal__generate_setup *s, size_t lanes, size_t length,
                                      lcal__generator **out, lcal_error *err)
{
    LCAL_TRY(lcal__composition_assemble(s->model, err));
    const lcal__network *network = lcal__composition_network(s->model);
    const lcal__exec *exec = lcal__composition_exec(s->model);
    lcal__generator_options options = s->generator;
    options.length = length;
    options.lanes = lcal__generator_lanes(network, exec, length, lanes);
    if (options.lanes < lanes)
        lcal__log(lcal__composition_log(s->model), LCAL_LOG_NOTICE,
                  "memory is short: %zu prompts side by side instead of %zu", options.lanes, lanes);
    return lcal__generator_open(network, exec, &options, out, err);
}
