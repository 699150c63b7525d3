#include "train/run_data.h"

#include "config/config.h"

static lcal_status text_options(const lcal__settings *settings, const lcal_log *log,
                                lcal__text_options *out, lcal_error *err)
{
    *out = (lcal__text_options){
        .path = settings->data.tokenizer[0] ? settings->data.tokenizer : settings->model,
        .system = settings->data.system,
        .log = log,
    };
    return lcal__text_options_parse(lcal__template_name(settings->data.template_),
                                    lcal__loss_on_name(settings->data.loss_on), out, err);
}

static lcal_status read_file(const lcal__settings *settings, const char *path, uint64_t limit,
                             size_t vocab, const lcal_log *log, lcal__text *text,
                             lcal__dataset *out, lcal_error *err)
{
    static const lcal__overlong overlong[] = {[LCAL__POLICY_DROP] = LCAL__OVERLONG_DROP,
                                              [LCAL__POLICY_TRUNCATE] = LCAL__OVERLONG_TRUNCATE,
                                              [LCAL__POLICY_ERROR] = LCAL__OVERLONG_ERROR};
    const lcal__dataset_options options = {
        .vocab = vocab,
        .max_length = (size_t)settings->data.max_length,
        .overlong = overlong[settings->data.overlong],
        .limit = (size_t)limit,
        .text = text,
    };
    LCAL_TRY(lcal__dataset_read(path, &options, out, err));
    if (out->dropped_overlong || out->truncated || out->dropped_empty)
        lcal__log(log, LCAL_LOG_NOTICE,
                  "%s: %zu of %zu examples kept: %zu dropped and %zu cut for being longer than "
                  "data.max_length %zu, %zu dropped for having nothing to learn",
                  path, out->count, out->read, out->dropped_overlong, out->truncated,
                  options.max_length, out->dropped_empty);
    return LCAL_OK;
}

static lcal_status hold_out(const lcal__settings *settings, const lcal_log *log,
                            lcal__run_data *data, lcal_error *err)
{
    const double fraction = settings->data.valid_fraction;
    const char *path = settings->data.train;
    const size_t all = data->train.count;
    LCAL_TRY(lcal__dataset_split(&data->train, fraction, settings->data.split_seed,
                                 (size_t)settings->data.valid_limit, &data->valid, err));
    if (data->train.count == 0 || data->valid.count == 0)
        return lcal__fail(err, LCAL_CONFIG,
                          "data.valid_fraction: %g of the %zu examples of %s leaves %s; choose "
                          "another fraction or data.split_seed, or give data.valid",
                          fraction, all, path,
                          data->valid.count ? "none to train on" : "none for validation");
    lcal__log(log, LCAL_LOG_INFO,
              "%s: %zu examples to train on, %zu for validation (data.valid_fraction %g, "
              "data.split_seed %llu)",
              path, data->train.count, data->valid.count, fraction,
              (unsigned long long)settings->data.split_seed);
    return LCAL_OK;
}

static lcal_status hash_examples(const lcal__dataset *data, char hex[LCAL__SHA256_HEX],
                                 lcal_error *err)
{
    lcal__hash *hash;
    LCAL_TRY(lcal__hash_open(&hash, err));
    for (size_t i = 0; i < data->count; i++) {
        const lcal__example *example = &data->examples[i];
        const uint64_t length = example->length;
        lcal__hash_add(hash, &length, sizeof(length));
        lcal__hash_add(hash, example->ids, example->length * sizeof(*example->ids));
        lcal__hash_add(hash, example->labels, example->length * sizeof(*example->labels));
    }
    lcal__hash_close(&hash, hex);
    return LCAL_OK;
}

static lcal_status open_all(const lcal__settings *settings, size_t vocab, const lcal_log *log,
                            lcal__run_data *out, lcal_error *err)
{
    LCAL_TRY(read_file(settings, settings->data.train, settings->data.limit, vocab, log, &out->text,
                       &out->train, err));
    if (settings->data.valid[0])
        LCAL_TRY(read_file(settings, settings->data.valid, settings->data.valid_limit, vocab, log,
                           &out->text, &out->valid, err));
    else if (settings->data.valid_fraction > 0)
        LCAL_TRY(hold_out(settings, log, out, err));
    return hash_examples(&out->train, out->sha256, err);
}

lcal_status lcal__run_data_open(const lcal__settings *settings, size_t vocab, const lcal_log *log,
                                lcal__run_data *out, lcal_error *err)
{
    *out = (lcal__run_data){0};
    lcal_status status = text_options(settings, log, &out->text.options, err);
    if (status == LCAL_OK)
        status = open_all(settings, vocab, log, out, err);
    if (status != LCAL_OK)
        lcal__run_data_close(out);
    return status;
}

void lcal__run_data_close(lcal__run_data *data)
{
    lcal__dataset_free(&data->valid);
    lcal__dataset_free(&data->train);
    lcal__text_close(&data->text);
    *data = (lcal__run_data){0};
}
