/* What is scored: the examples of a file, or one in memory. */
#include "lcal/score.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/text.h"
#include "eval/scorer.h"

/* --- a file ----------------------------------------------------------------------------- */

static lcal_status find_tokenizer(void *user, const lcal__tokenizer **out, lcal_error *err)
{
    return lcal__composition_tokenizer(user, out, err);
}

static lcal_status read_examples(lcal_model *model, const lcal_score_options *o, lcal__dataset *out,
                                 lcal_error *err)
{
    const lcal__model_config *config = &lcal__composition_base(model)->config;
    const lcal__text_words words = lcal__composition_words(model);
    lcal__text text = {.options = {.path = lcal__composition_text_directory(model),
                                   .find = find_tokenizer,
                                   .find_user = model,
                                   .system = o->system ? o->system : words.system,
                                   .log = lcal__composition_log(model)}};
    const lcal__dataset_options options = {
        .vocab = config->vocab, .keep_empty = true, .text = &text};
    LCAL_TRY(lcal__text_options_parse(o->template_ ? o->template_ : words.template_,
                                      o->loss_on ? o->loss_on : words.loss_on, &text.options, err));
    if (!o->system && !text.options.detect && text.options.format == LCAL__CHAT_RAW)
        text.options.system = NULL; /* another template than the run's was asked for */
    lcal_status status = lcal__dataset_read(o->file, &options, out, err);
    lcal__text_close(&text);
    LCAL_TRY(status);
    if (out->longest > config->max_positions)
        lcal__log(lcal__composition_log(model), LCAL_LOG_NOTICE,
                  "%s: the longest example has %zu tokens, the model was made for %zu", o->file,
                  out->longest, config->max_positions);
    return LCAL_OK;
}

lcal_status lcal_score(lcal_model *model, const lcal_score_options *options, lcal_score_fn *fn,
                       void *user, lcal_error *err)
{
    if (!model || !options || !options->file || !fn)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_score: model, file and a function to call must be given");
    lcal__dataset dataset;
    /* Before the adapters are folded: the data may be wrong. */
    LCAL_TRY(read_examples(model, options, &dataset, err));
    lcal_status status = lcal__composition_assemble(model, err);
    if (status == LCAL_OK)
        status = lcal__scorer_run(model, &dataset, options->logits, options->file, fn, user, err);
    lcal__dataset_free(&dataset);
    return status;
}

/* --- one example in memory -------------------------------------------------------------- */

/* Where the one row goes. */
typedef struct destination {
    const int32_t *labels;
    size_t count;
    float *nll, *logits;
} destination;

static lcal_status keep_row(void *user, const lcal_score_row *row, lcal_error *err)
{
    const destination *to = user;
    size_t taken = 0;
    (void)err;
    for (size_t t = 0; t < to->count; t++)
        to->nll[t] = to->labels[t] == LCAL__LABEL_IGNORE ? NAN : row->nll[taken++];
    if (to->logits)
        memcpy(to->logits, row->logits, row->logits_count * row->vocab * sizeof(float));
    return LCAL_OK;
}

/* labels_out: [count], the first one ignored, as a dataset has them. */
static lcal_status check_ids(const int32_t *ids, const int32_t *labels, size_t count, size_t vocab,
                             int32_t *labels_out, lcal_error *err)
{
    for (size_t t = 0; t < count; t++) {
        const int32_t label = labels ? labels[t] : ids[t];
        if (ids[t] < 0 || (size_t)ids[t] >= vocab)
            return lcal__fail(err, LCAL_INVALID,
                              "lcal_score_ids: ids[%zu]: expected 0..%zu, found %d", t, vocab - 1,
                              (int)ids[t]);
        if (label != LCAL__LABEL_IGNORE && (label < 0 || (size_t)label >= vocab))
            return lcal__fail(err, LCAL_INVALID,
                              "lcal_score_ids: labels[%zu]: expected %d or 0..%zu, found %d", t,
                              LCAL__LABEL_IGNORE, vocab - 1, (int)label);
        labels_out[t] = t ? label : LCAL__LABEL_IGNORE;
    }
    return LCAL_OK;
}

static lcal_status score_example(lcal_model *model, lcal__example *example, float *nll,
                                 float *logits, lcal_error *err)
{
    for (size_t t = 0; t < example->length; t++)
        example->counted += example->labels[t] != LCAL__LABEL_IGNORE;
    const lcal__dataset dataset = {.examples = example,
                                   .count = 1,
                                   .tokens = example->length,
                                   .counted = example->counted,
                                   .longest = example->length};
    destination to = {example->labels, example->length, nll, logits};
    LCAL_TRY(lcal__composition_assemble(model, err));
    return lcal__scorer_run(model, &dataset, logits ? LCAL_LOGITS_ALL : LCAL_LOGITS_NONE,
                            "lcal_score_ids", keep_row, &to, err);
}

lcal_status lcal_score_ids(lcal_model *model, const int32_t *ids, const int32_t *labels,
                           size_t count, float *nll, float *logits, lcal_error *err)
{
    if (!model || !ids || !count || !nll)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_score_ids: model, at least one id and nll must be given");
    const size_t vocab = lcal__composition_base(model)->config.vocab;
    int32_t *own = lcal__calloc(count, sizeof(*own));
    if (!own)
        return lcal__fail_nomem(err, "labels");
    lcal__example example = {.ids = ids, .labels = own, .length = count};
    lcal_status status = check_ids(ids, labels, count, vocab, own, err);
    if (status == LCAL_OK)
        status = score_example(model, &example, nll, logits, err);
    lcal__free(own);
    return status;
}
