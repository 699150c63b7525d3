#include "methods/answer.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"
#include "config/merge_rule.h"
#include "eval/answers.h"
#include "methods/prompts.h"
#include "methods/rows.h"

#define BATCHES_KEPT 4 /* of eval.batch: answers that are kept, or lost, together */

/* --- what answers depend on ------------------------------------------------------------- */

static void add_text(lcal__hash *hash, const char *text)
{
    lcal__hash_add(hash, text, strlen(text) + 1);
}

static void add_model(lcal__hash *hash, const lcal_model *model, lcal__strbuf *merge)
{
    const lcal__params *trained = &model->calibration.params;
    const lcal__calib_spec *spec = &model->calibration.facts.spec;
    add_text(hash, model->base.sha256);
    add_text(hash, lcal__composition_text_directory(model));
    for (size_t i = 0; i < model->adapters.count; i++) {
        add_text(hash, model->adapters.uses[i].adapter->sha256);
        lcal__hash_add(hash, &model->adapters.uses[i].weight, sizeof(float));
    }
    lcal__hash_add(hash, &model->merged, sizeof(model->merged));
    lcal__strbuf_clear(merge);
    lcal__merge_print_json(&model->merge, merge);
    lcal__hash_add(hash, merge->text, merge->length);
    if (model->calibration_path) {
        lcal__hash_add(hash, trained->values, trained->total * sizeof(float));
        lcal__hash_add(hash, &spec->form, sizeof(spec->form));
        lcal__hash_add(hash, &spec->scale, sizeof(spec->scale));
    }
}

static lcal_status identify(const lcal__job *job, const lcal__stage *stage,
                            const lcal__generate_setup *setup, char hex[LCAL__SHA256_HEX],
                            lcal_error *err)
{
    lcal__hash *hash;
    lcal__strbuf merge = {0};
    LCAL_TRY(lcal__hash_open(&hash, err));
    add_text(hash, job->row->shown.name);
    lcal__hash_add(hash, &setup->format, sizeof(setup->format));
    lcal__hash_add(hash, &job->settings->eval.max_tokens, sizeof(uint64_t));
    add_text(hash, setup->system ? setup->system : "");
    add_text(hash, stage->pass_count > 1 ? job->settings->eval.aux_prompt : "");
    for (size_t i = 0; i < stage->pass_count; i++)
        add_model(hash, stage->passes[i], &merge);
    lcal__hash_close(&hash, hex);
    const bool failed = merge.failed;
    lcal__strbuf_free(&merge);
    return failed ? lcal__fail_nomem(err, "a row's identity") : LCAL_OK;
}

/* Of the first pass, with the row's own template of a second. */
static lcal_status hash_prompt(const lcal_prompt *prompt, const lcal__case *c,
                               char hex[LCAL__SHA256_HEX], lcal_error *err)
{
    lcal__hash *hash;
    const char *second = json_string_value(json_object_get(c->row, "aux_prompt"));
    LCAL_TRY(lcal__hash_open(&hash, err));
    for (size_t i = 0; i < prompt->count; i++) {
        add_text(hash, prompt->messages[i].role);
        add_text(hash, prompt->messages[i].text);
    }
    add_text(hash, second ? second : "");
    lcal__hash_close(&hash, hex);
    return LCAL_OK;
}

/* --- answering -------------------------------------------------------------------------- */

typedef struct work {
    const lcal__job *job;
    const lcal__stage *stage;
    lcal__generate_setup setups[2];
    size_t setup_count;
    char identity[LCAL__SHA256_HEX];
    char *path; /* of what is kept; NULL: nothing is */
    lcal__kept *kept;
    lcal_error *err;
} work;

static lcal_status open_setups(work *w)
{
    const lcal_generate_options options = {
        .max_tokens = (size_t)w->job->settings->eval.max_tokens,
        .batch = (size_t)w->job->settings->eval.batch,
    };
    for (size_t i = 0; i < w->stage->pass_count; i++) {
        LCAL_TRY(
            lcal__generate_setup_init(&w->setups[i], w->stage->passes[i], &options, false, w->err));
        w->setup_count++;
    }
    return identify(w->job, w->stage, &w->setups[0], w->identity, w->err);
}

/* Forgets what is kept from the first answer on whose prompt is another one today. */
static lcal_status check_kept(work *w)
{
    const size_t count = w->kept->count < w->job->test.count ? w->kept->count : w->job->test.count;
    lcal__pass_prompts prompts;
    size_t sound = 0;
    LCAL_TRY(lcal__prompts_make(w->job, w->stage, 0, 0, count, NULL, w->setups[0].format, &prompts,
                                w->err));
    lcal_status status = LCAL_OK;
    for (; sound < count; sound++) {
        char hex[LCAL__SHA256_HEX];
        status = hash_prompt(&prompts.items[sound], &w->job->test.items[sound], hex, w->err);
        if (status != LCAL_OK || strcmp(hex, w->kept->items[sound].prompt) != 0)
            break;
    }
    lcal__prompts_free(&prompts);
    lcal__kept_cut(w->kept, sound);
    return status;
}

/* A zero byte becomes U+FFFD: prompts and most readers of JSON end there. */
static lcal_status replace_zeros(lcal__answer *answer, lcal_error *err)
{
    lcal__strbuf clean = {0};
    const char *text = answer->text.text, *end = text + answer->text.length;
    for (const char *zero; (zero = memchr(text, '\0', (size_t)(end - text))); text = zero + 1) {
        lcal__strbuf_add_bytes(&clean, text, (size_t)(zero - text));
        lcal__strbuf_add(&clean, "\xEF\xBF\xBD");
    }
    lcal__strbuf_add_bytes(&clean, text, (size_t)(end - text));
    if (clean.failed) {
        lcal__strbuf_free(&clean);
        return lcal__fail_nomem(err, "an answer");
    }
    lcal__strbuf_free(&answer->text);
    answer->text = clean;
    return LCAL_OK;
}

/* One pass over examples first..first+count-1; hashes [count] are of its prompts, or NULL. */
static lcal_status run_pass(work *w, size_t pass, size_t first, size_t count,
                            const char *const *before, char (*hashes)[LCAL__SHA256_HEX],
                            lcal__answers *out)
{
    const lcal__generate_setup *setup = &w->setups[pass];
    lcal__pass_prompts prompts;
    lcal__prompt_list list = {0};
    LCAL_TRY(lcal__prompts_make(w->job, w->stage, pass, first, count, before, setup->format,
                                &prompts, w->err));
    lcal_status status = LCAL_OK;
    for (size_t i = 0; hashes && i < count && status == LCAL_OK; i++)
        status = hash_prompt(&prompts.items[i], &w->job->test.items[first + i], hashes[i], w->err);
    if (status == LCAL_OK)
        status = lcal__prompt_list_encode(&list, setup, prompts.items, count, w->err);
    if (status == LCAL_OK)
        status = lcal__answers_generate(setup, &list, out, w->err);
    for (size_t i = 0; i < out->count && status == LCAL_OK; i++)
        status = replace_zeros(&out->items[i], w->err);
    lcal__prompt_list_free(&list);
    lcal__prompts_free(&prompts);
    return status;
}

/* last: of the last pass; first: of the first of two, empty for one. */
static lcal_status keep(work *w, const lcal__answers *last, const lcal__answers *first,
                        char (*hashes)[LCAL__SHA256_HEX])
{
    for (size_t i = 0; i < last->count; i++) {
        lcal__kept_answer answer = {
            .text = last->items[i].text.text,
            .first = first->count ? first->items[i].text.text : NULL,
            .tokens = last->items[i].count + (first->count ? first->items[i].count : 0),
            .finish = last->items[i].finish,
        };
        memcpy(answer.prompt, hashes[i], sizeof(answer.prompt));
        LCAL_TRY(lcal__kept_add(w->kept, &answer, w->err));
    }
    return LCAL_OK;
}

static lcal_status second_pass(work *w, size_t first, size_t count, const lcal__answers *before,
                               lcal__answers *out)
{
    const char **texts = lcal__calloc(count, sizeof(*texts));
    if (!texts)
        return lcal__fail_nomem(w->err, "the answers");
    for (size_t i = 0; i < count; i++)
        texts[i] = before->items[i].text.text;
    lcal_status status = run_pass(w, 1, first, count, texts, NULL, out);
    lcal__free(texts);
    return status;
}

static lcal_status answer_some(work *w, size_t first, size_t count)
{
    lcal__answers before = {0}, answers = {0};
    const bool two = w->stage->pass_count > 1;
    char(*hashes)[LCAL__SHA256_HEX] = lcal__calloc(count, sizeof(*hashes));
    lcal_status status = hashes
                             ? run_pass(w, 0, first, count, NULL, hashes, two ? &before : &answers)
                             : lcal__fail_nomem(w->err, "the answers");
    if (status == LCAL_OK && two)
        status = second_pass(w, first, count, &before, &answers);
    if (status == LCAL_OK)
        status = keep(w, &answers, &before, hashes);
    else
        status = lcal__fail_in(w->err, status, "%s, from example %zu on",
                               w->job->settings->eval.test, first + 1);
    lcal__answers_free(&before);
    lcal__answers_free(&answers);
    lcal__free(hashes);
    return status;
}

static lcal_status answer_rest(work *w, bool *interrupted)
{
    const lcal_eval_options *options = w->job->options;
    const size_t all = w->job->test.count;
    const size_t most = BATCHES_KEPT * (size_t)w->job->settings->eval.batch;
    while (w->kept->count < all) {
        const double begun = lcal__seconds();
        const size_t left = all - w->kept->count;
        if (lcal__job_should_stop(w->job)) {
            *interrupted = true;
            break;
        }
        LCAL_TRY(answer_some(w, w->kept->count, left < most ? left : most));
        w->kept->answer_seconds += lcal__seconds() - begun;
        if (w->path)
            LCAL_TRY(lcal__kept_save(w->path, w->identity, w->kept, w->err));
        if (options->answered)
            options->answered(options->hooks.user, w->kept->count, all);
    }
    return LCAL_OK;
}

/* What is there already. */
static lcal_status resume(work *w)
{
    if (!w->job->folder)
        return LCAL_OK;
    LCAL_TRY(lcal__dir_make(w->job->folder, w->err));
    w->path = lcal__job_path(w->job, "answers.jsonl");
    if (!w->path)
        return lcal__fail_nomem(w->err, "a path");
    if (!w->job->options->overwrite)
        LCAL_TRY(lcal__kept_load(w->path, w->identity, w->kept, w->err));
    return w->kept->count ? check_kept(w) : LCAL_OK;
}

lcal_status lcal__answer_cases(const lcal__job *job, const lcal__stage *stage, lcal__kept *kept,
                               size_t *reused, bool *interrupted, lcal_error *err)
{
    work w = {.job = job, .stage = stage, .kept = kept, .err = err};
    lcal_status status = open_setups(&w);
    if (status == LCAL_OK)
        status = resume(&w);
    *reused = kept->count;
    if (*reused == 0)
        *kept = (lcal__kept){
            .items = kept->items, .capacity = kept->capacity, .prepare_seconds = stage->seconds};
    if (status == LCAL_OK)
        status = answer_rest(&w, interrupted);
    for (size_t i = 0; i < w.setup_count; i++)
        lcal__generate_setup_free(&w.setups[i]);
    lcal__free(w.path);
    return status;
}
