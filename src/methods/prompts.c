#include "methods/prompts.h"

#include <string.h>

#include "base/mem.h"
#include "methods/template.h"

#define SHOT_END "\n\n"

void lcal__prompts_free(lcal__pass_prompts *prompts)
{
    for (size_t i = 0; i < prompts->text_count; i++)
        lcal__free(prompts->texts[i]);
    lcal__free(prompts->texts);
    lcal__free(prompts->messages);
    lcal__free(prompts->items);
    *prompts = (lcal__pass_prompts){0};
}

/* --- questions of two passes ------------------------------------------------------------ */

/* The text that the composed prompt of an example is about. */
static lcal_status find_text(const lcal__job *job, const lcal__case *c, const char **text,
                             size_t *size, lcal_error *err)
{
    const char *source = job->settings->eval.test, *template_ = job->settings->eval.prompt;
    LCAL_TRY(lcal__case_string(c, source, "text", text, err));
    if (*text) {
        *size = strlen(*text);
        return LCAL_OK;
    }
    if (lcal__template_find(template_, lcal__case_question(c), text, size))
        return LCAL_OK;
    return lcal__fail(err, LCAL_FORMAT,
                      "%s:%zu: key prompt: expected a prompt made by the template eval.prompt, "
                      "found another one; give the row \"main_prompt\" or \"text\"",
                      source, c->line);
}

static lcal_status ask_main(const lcal__job *job, const lcal__case *c, lcal__strbuf *out,
                            lcal_error *err)
{
    const char *own, *text;
    size_t size;
    LCAL_TRY(lcal__case_string(c, job->settings->eval.test, "main_prompt", &own, err));
    if (own) {
        lcal__strbuf_add(out, own);
        return LCAL_OK;
    }
    LCAL_TRY(find_text(job, c, &text, &size, err));
    lcal__template_fill(job->settings->eval.main_prompt, text, size, out);
    return LCAL_OK;
}

static lcal_status ask_auxiliary(const lcal__job *job, const lcal__case *c, const char *answer,
                                 lcal__strbuf *out, lcal_error *err)
{
    const char *own;
    LCAL_TRY(lcal__case_string(c, job->settings->eval.test, "aux_prompt", &own, err));
    lcal__template_fill(own ? own : job->settings->eval.aux_prompt, answer, strlen(answer), out);
    return LCAL_OK;
}

/* --- before anything is generated ------------------------------------------------------- */

static lcal_status check_template(const char *key, const char *template_, lcal_error *err)
{
    if (!template_[0] || lcal__template_is_sound(template_))
        return LCAL_OK;
    return lcal__fail(err, LCAL_CONFIG, "key %s: expected a template with one {text}, found \"%s\"",
                      key, template_);
}

static lcal_status check_case(const lcal__job *job, const lcal__case *c, lcal_error *err)
{
    const lcal__settings *settings = job->settings;
    const char *source = settings->eval.test, *main_prompt, *aux_prompt, *text;
    size_t size;
    LCAL_TRY(lcal__case_string(c, source, "main_prompt", &main_prompt, err));
    LCAL_TRY(lcal__case_string(c, source, "aux_prompt", &aux_prompt, err));
    LCAL_TRY(lcal__case_string(c, source, "text", &text, err));
    if (aux_prompt && !lcal__template_is_sound(aux_prompt))
        return lcal__fail(err, LCAL_FORMAT,
                          "%s:%zu: key aux_prompt: expected a template with one {text}, found "
                          "\"%.80s\"",
                          source, c->line, aux_prompt);
    if (!aux_prompt && !settings->eval.aux_prompt[0])
        return lcal__fail(err, LCAL_CONFIG,
                          "key eval.aux_prompt: two passes need the auxiliary task's prompt, but "
                          "neither it nor \"aux_prompt\" of %s:%zu is given",
                          source, c->line);
    if (main_prompt)
        return LCAL_OK;
    if (!settings->eval.main_prompt[0] || (!text && !settings->eval.prompt[0]))
        return lcal__fail(err, LCAL_CONFIG,
                          "keys eval.main_prompt and eval.prompt: two passes need the main task's "
                          "prompt, but neither they nor \"main_prompt\" of %s:%zu are given",
                          source, c->line);
    return find_text(job, c, &text, &size, err);
}

lcal_status lcal__prompts_check(const lcal__job *job, lcal_error *err)
{
    LCAL_TRY(check_template("eval.prompt", job->settings->eval.prompt, err));
    LCAL_TRY(check_template("eval.main_prompt", job->settings->eval.main_prompt, err));
    LCAL_TRY(check_template("eval.aux_prompt", job->settings->eval.aux_prompt, err));
    for (size_t i = 0; i < job->test.count; i++)
        LCAL_TRY(check_case(job, &job->test.items[i], err));
    return LCAL_OK;
}

/* --- conversations ---------------------------------------------------------------------- */

/* What one call makes prompts from. */
typedef struct maker {
    const lcal__job *job;
    const lcal__stage *stage;
    size_t pass;
    const char *const *answers;
    bool raw;
    lcal__pass_prompts *out;
    size_t message_count; /* so far */
    lcal_error *err;
} maker;

static void add(maker *m, const char *role, const char *text)
{
    m->out->messages[m->message_count++] = (lcal_message){role, text};
}

/* The text becomes the prompts' own. */
static lcal_status add_made(maker *m, const char *role, lcal__strbuf *text)
{
    char *made;
    LCAL_TRY(lcal__strbuf_take(text, &made, m->err));
    m->out->texts[m->out->text_count++] = made;
    add(m, role, made);
    return LCAL_OK;
}

static lcal_status add_shot(maker *m, const lcal__case *shot)
{
    for (size_t i = 0; i < shot->message_count; i++)
        if (strcmp(shot->messages[i].role, "system") != 0)
            add(m, shot->messages[i].role, shot->messages[i].text);
    if (!m->raw) {
        add(m, "assistant", shot->references[0]);
        return LCAL_OK;
    }
    lcal__strbuf answer = {0};
    lcal__strbuf_printf(&answer, "%s" SHOT_END, shot->references[0]);
    lcal_status status = add_made(m, "assistant", &answer);
    lcal__strbuf_free(&answer);
    return status;
}

static lcal_status add_question(maker *m, const lcal__case *c, size_t index)
{
    lcal__strbuf text = {0};
    if (m->stage->pass_count == 1) {
        add(m, "user", lcal__case_question(c));
        return LCAL_OK;
    }
    lcal_status status = m->pass == 0 ? ask_main(m->job, c, &text, m->err)
                                      : ask_auxiliary(m->job, c, m->answers[index], &text, m->err);
    if (status == LCAL_OK)
        status = add_made(m, "user", &text);
    lcal__strbuf_free(&text);
    return status;
}

/* System messages, then shots, then the rest of the conversation. */
static lcal_status make(maker *m, const lcal__case *c, size_t index)
{
    const size_t begin = m->message_count;
    size_t next = 0;
    while (next + 1 < c->message_count && strcmp(c->messages[next].role, "system") == 0)
        add(m, "system", c->messages[next++].text);
    for (size_t i = 0; i < m->stage->shots.count; i++)
        LCAL_TRY(add_shot(m, &m->stage->shots.items[i]));
    for (; next + 1 < c->message_count; next++)
        add(m, c->messages[next].role, c->messages[next].text);
    LCAL_TRY(add_question(m, c, index));
    m->out->items[index] = (lcal_prompt){m->out->messages + begin, m->message_count - begin};
    return LCAL_OK;
}

static lcal_status allocate(lcal__pass_prompts *out, const lcal__job *job, const lcal__stage *stage,
                            size_t first, size_t count, lcal_error *err)
{
    size_t shots = 0, messages = 0, texts;
    for (size_t i = 0; i < stage->shots.count; i++)
        shots += stage->shots.items[i].message_count + 1;
    for (size_t i = 0; i < count; i++)
        messages += shots + job->test.items[first + i].message_count;
    if (lcal__size_mul(count, stage->shots.count + 1, &texts)) {
        out->items = lcal__calloc(count, sizeof(*out->items));
        out->messages = lcal__calloc(messages, sizeof(*out->messages));
        out->texts = lcal__calloc(texts, sizeof(*out->texts));
    }
    out->count = count;
    return out->items && out->messages && out->texts ? LCAL_OK : lcal__fail_nomem(err, "prompts");
}

lcal_status lcal__prompts_make(const lcal__job *job, const lcal__stage *stage, size_t pass,
                               size_t first, size_t count, const char *const *answers,
                               lcal__chat_format format, lcal__pass_prompts *out, lcal_error *err)
{
    maker m = {.job = job,
               .stage = stage,
               .pass = pass,
               .answers = answers,
               .raw = format == LCAL__CHAT_RAW,
               .out = out,
               .err = err};
    *out = (lcal__pass_prompts){0};
    lcal_status status = allocate(out, job, stage, first, count, err);
    for (size_t i = 0; i < count && status == LCAL_OK; i++)
        status = make(&m, &job->test.items[first + i], i);
    if (status != LCAL_OK)
        lcal__prompts_free(out);
    return status;
}
