#include "lcal/preview.h"

#include "base/mem.h"
#include "config/config.h"
#include "model/model.h"
#include "train/run_data.h"

/* One call's working memory. Zeroed is valid. */
typedef struct viewer {
    const lcal__tokenizer *tokenizer; /* NULL: none */
    lcal_preview_token *tokens;
    size_t capacity;
    lcal__strbuf text; /* of all tokens of an example */
    size_t *ends;      /* [tokens] where each one's text ends */
    size_t ends_capacity;
} viewer;

static lcal_status decode(viewer *v, const lcal__example *example, lcal_error *err)
{
    lcal__decode_stream stream = {0};
    lcal__strbuf_clear(&v->text);
    for (size_t i = 0; i < example->length; i++) {
        const int32_t id = example->ids[i];
        /* A model may have more rows than its tokenizer has tokens. */
        if (lcal__tokenizer_token(v->tokenizer, id, NULL))
            LCAL_TRY(lcal__tokenizer_stream(v->tokenizer, &stream, id, false, &v->text, err));
        if (i + 1 == example->length)
            LCAL_TRY(lcal__tokenizer_stream_end(&stream, &v->text, err));
        v->ends[i] = v->text.length;
    }
    return LCAL_OK;
}

static lcal_status show(viewer *v, const lcal__example *example, lcal_preview_fn *fn, void *user,
                        lcal_error *err)
{
    const size_t count = example->length;
    if (!lcal__grow((void **)&v->tokens, &v->capacity, count, sizeof(*v->tokens))
        || !lcal__grow((void **)&v->ends, &v->ends_capacity, count, sizeof(*v->ends)))
        return lcal__fail_nomem(err, "the preview of an example");
    if (v->tokenizer)
        LCAL_TRY(decode(v, example, err));
    for (size_t i = 0; i < count; i++) {
        lcal_preview_token *token = &v->tokens[i];
        *token = (lcal_preview_token){.id = example->ids[i],
                                      .loss = example->labels[i] != LCAL__LABEL_IGNORE};
        if (!v->tokenizer)
            continue;
        const size_t start = i ? v->ends[i - 1] : 0;
        token->text = v->text.text ? v->text.text + start : "";
        token->length = v->ends[i] - start;
    }
    const lcal_preview_example shown = {example->index, v->tokens, count};
    return fn(user, &shown, err);
}

static lcal_status show_all(viewer *v, const lcal__dataset *data,
                            const lcal_preview_options *options, lcal_preview_fn *fn, void *user,
                            lcal_error *err)
{
    size_t shown = 0;
    for (size_t i = 0; i < data->count && (!options->count || shown < options->count); i++) {
        if (data->examples[i].index < options->from)
            continue;
        LCAL_TRY(show(v, &data->examples[i], fn, user, err));
        shown++;
    }
    return LCAL_OK;
}

/* The tokenizer that the text was read with; for pre-tokenised data one that may be there. */
static void find_tokenizer(lcal__run_data *data, const lcal_log *log, viewer *v)
{
    lcal__text *text = &data->text;
    lcal_error ignored = {0};
    if (!text->tokenizer)
        text->tokenizer =
            lcal__tokenizer_open(text->options.path, NULL, &text->owned, &ignored) == LCAL_OK
                ? text->owned
                : NULL;
    if (!text->tokenizer)
        lcal__log(log, LCAL_LOG_NOTICE, "ids without text: %s", ignored.message);
    v->tokenizer = text->tokenizer;
}

static void count(const lcal__run_data *data, const lcal__dataset *shown, lcal_preview_counts *out)
{
    /* Examples held out have no numbers of their own: they are of the training file. */
    const bool held_out = data->valid.count && !data->valid.storage;
    const lcal__dataset *file = held_out ? &data->train : shown;
    *out = (lcal_preview_counts){
        .read = file->read,
        .used = file->count + (held_out ? data->valid.count : 0),
        .dropped_overlong = file->dropped_overlong,
        .dropped_empty = file->dropped_empty,
        .truncated = file->truncated,
        .tokens = shown->tokens,
        .labels = shown->counted,
        .train_examples = data->train.count,
        .valid_examples = data->valid.count,
    };
}

static lcal_status preview(lcal__run_data *data, const lcal_preview_options *options,
                           lcal_preview_fn *fn, void *user, lcal_preview_counts *counts,
                           lcal_error *err)
{
    const lcal__dataset *shown = options->valid ? &data->valid : &data->train;
    viewer v = {0};
    if (shown->count == 0)
        return lcal__fail(err, LCAL_CONFIG,
                          "there are no validation examples: give data.valid or "
                          "data.valid_fraction");
    find_tokenizer(data, options->log, &v);
    lcal_status status = show_all(&v, shown, options, fn, user, err);
    if (status == LCAL_OK && counts)
        count(data, shown, counts);
    lcal__free(v.tokens);
    lcal__free(v.ends);
    lcal__strbuf_free(&v.text);
    return status;
}

lcal_status lcal_preview(const lcal_config *config, const lcal_preview_options *options,
                         lcal_preview_fn *fn, void *user, lcal_preview_counts *counts,
                         lcal_error *err)
{
    if (!config || !options || !fn)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_preview: a configuration, options and a function to call must be "
                          "given");
    const lcal__settings *settings = lcal__config_settings(config);
    lcal__model_config model;
    lcal__run_data data;
    LCAL_TRY(lcal__model_open_config(settings->model, &model, err));
    LCAL_TRY(lcal__run_data_open(settings, model.vocab, options->log, &data, err));
    lcal_status status = preview(&data, options, fn, user, counts, err);
    lcal__run_data_close(&data);
    return status;
}
