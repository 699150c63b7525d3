#include "methods/shots.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/text.h"
#include "eval/scorer.h"
#include "format/json.h"
#include "methods/rows.h"

/* --- drawing ---------------------------------------------------------------------------- */

/* Moves the drawn ones to `out`. order: [all->count] */
static lcal_status draw(const lcal__job *job, lcal__cases *all, uint32_t *order, lcal__cases *out,
                        lcal_error *err)
{
    const size_t wanted = (size_t)job->settings->eval.shots;
    lcal__rng rng = {job->settings->train.seed, lcal__rng_stream("shots"), 0};
    if (wanted > all->count)
        return lcal__fail(err, LCAL_CONFIG,
                          "key eval.shots: %zu examples are to be drawn, but %s has only %zu",
                          wanted, job->settings->data.train, all->count);
    for (size_t i = 0; i < all->count; i++)
        order[i] = (uint32_t)i;
    lcal__rng_shuffle(&rng, order, all->count);
    out->items = lcal__calloc(wanted, sizeof(*out->items));
    if (!out->items)
        return lcal__fail_nomem(err, "drawn examples");
    for (size_t i = 0; i < wanted; i++) {
        out->items[out->count++] = all->items[order[i]];
        all->items[order[i]] = (lcal__case){0};
    }
    return LCAL_OK;
}

lcal_status lcal__shots_draw(const lcal__job *job, lcal__cases *out, lcal_error *err)
{
    const lcal__settings *settings = job->settings;
    lcal__cases all = {0};
    LCAL_TRY(lcal__cases_read(settings->data.train, (size_t)settings->data.limit, &all, err));
    uint32_t *order = lcal__calloc(all.count, sizeof(*order));
    lcal_status status =
        order ? draw(job, &all, order, out, err) : lcal__fail_nomem(err, "an order of examples");
    lcal__free(order);
    lcal__cases_free(&all);
    return status;
}

/* --- their loss ------------------------------------------------------------------------- */

static lcal_status find_tokenizer(void *user, const lcal__tokenizer **out, lcal_error *err)
{
    return lcal__composition_tokenizer(user, out, err);
}

lcal_status lcal__shots_encode(const lcal__job *job, const lcal__cases *shots, lcal_model *model,
                               lcal__dataset *out, lcal_error *err)
{
    const lcal__settings *settings = job->settings;
    lcal__strbuf lines = {0};
    lcal__text text = {.options = {.path = lcal__composition_text_directory(model),
                                   .find = find_tokenizer,
                                   .find_user = model,
                                   .system = settings->data.system,
                                   .log = job->options->hooks.log}};
    const lcal__dataset_options options = {
        .vocab = lcal_model_vocab(model),
        .max_length = (size_t)settings->data.max_length,
        .overlong = LCAL__OVERLONG_TRUNCATE,
        .text = &text,
    };
    lcal_status status =
        lcal__text_options_parse(lcal__template_name(settings->data.template_),
                                 lcal__loss_on_name(settings->data.loss_on), &text.options, err);
    for (size_t i = 0; i < shots->count && status == LCAL_OK; i++) {
        status = lcal__json_append(shots->items[i].row, &lines, err);
        lcal__strbuf_add(&lines, "\n");
    }
    if (status == LCAL_OK && lines.failed)
        status = lcal__fail_nomem(err, "drawn examples");
    if (status == LCAL_OK)
        status =
            lcal__dataset_parse(lines.text, lines.length, settings->data.train, &options, out, err);
    lcal__text_close(&text);
    lcal__strbuf_free(&lines);
    return status;
}

typedef struct sums {
    size_t batch, examples; /* most of a batch, so far in it */
    double nll, labels;     /* of the batch so far */
    double means;           /* of the batches before */
    size_t batches;
} sums;

static void close_batch(sums *s)
{
    if (s->labels > 0.0) {
        s->means += s->nll / s->labels;
        s->batches++;
    }
    s->nll = s->labels = 0.0;
    s->examples = 0;
}

static lcal_status add_row(void *user, const lcal_score_row *row, lcal_error *err)
{
    sums *s = user;
    (void)err;
    for (size_t i = 0; i < row->count; i++)
        s->nll += (double)row->nll[i];
    s->labels += (double)row->count;
    if (++s->examples == s->batch)
        close_batch(s);
    return LCAL_OK;
}

lcal_status lcal__shots_loss(lcal_model *model, const lcal__dataset *shots, size_t batch,
                             double *out, lcal_error *err)
{
    sums s = {.batch = batch};
    LCAL_TRY(lcal__composition_assemble(model, err));
    LCAL_TRY(
        lcal__scorer_run(model, shots, LCAL_LOGITS_NONE, "the drawn examples", add_row, &s, err));
    close_batch(&s);
    *out = s.means / (double)s.batches;
    return LCAL_OK;
}

/* --- in the prompt ---------------------------------------------------------------------- */

lcal_status lcal__prepare_shots(const lcal__job *job, lcal__stage *stage, lcal_error *err)
{
    LCAL_TRY(lcal__prepare_adapters(job, stage, err));
    return lcal__shots_draw(job, &stage->shots, err);
}
