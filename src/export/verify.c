/* include/lcal/verify.h: an export and its run side by side. */
#include "lcal/verify.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/composition.h"
#include "config/config.h"
#include "config/run_files.h"
#include "eval/scorer.h"
#include "export/subject.h"
#include "train/run_data.h"

/* Below this a probability is noise. */
#define PROBABILITY_FLOOR 1e-6

/* --- comparing ------------------------------------------------------------------------------- */

/* One example's logits of the run, and what they are compared into. */
typedef struct comparison {
    lcal_verification *found;
    double run_sum, export_sum;
    size_t labels;
    float *logits; /* [capacity] of the run */
    size_t capacity;
} comparison;

static lcal_status keep_run(void *user, const lcal_score_row *row, lcal_error *err)
{
    comparison *c = user;
    const size_t count = row->logits_count * row->vocab;
    if (!lcal__grow((void **)&c->logits, &c->capacity, count, sizeof(*c->logits)))
        return lcal__fail_nomem(err, "logits of an example");
    memcpy(c->logits, row->logits, count * sizeof(*c->logits));
    for (size_t i = 0; i < row->count; i++)
        c->run_sum += row->nll[i];
    c->labels += row->count;
    return LCAL_OK;
}

typedef struct distribution {
    size_t best;
    double low, high, log_sum; /* log of the sum of exponentials */
} distribution;

static distribution distribution_of(const float *logits, size_t vocab)
{
    distribution d = {.low = logits[0], .high = logits[0]};
    for (size_t v = 1; v < vocab; v++) {
        if (logits[v] > logits[d.best])
            d.best = v;
        d.low = fmin(d.low, logits[v]);
    }
    d.high = logits[d.best];
    double sum = 0.0;
    for (size_t v = 0; v < vocab; v++)
        sum += exp((double)logits[v] - d.high);
    d.log_sum = d.high + log(sum);
    return d;
}

static void raise(double *most, double value)
{
    if (value > *most)
        *most = value;
}

static lcal_status compare_position(comparison *c, size_t position, const float *a, const float *b,
                                    size_t vocab, lcal_error *err)
{
    lcal_verification *found = c->found;
    const distribution of_run = distribution_of(a, vocab), of_export = distribution_of(b, vocab);
    const double floor_log = log(PROBABILITY_FLOOR);
    if (!isfinite(of_run.log_sum) || !isfinite(of_export.log_sum))
        return lcal__fail(err, LCAL_NUMERIC, "example %zu: position %zu: logits are not finite",
                          found->examples + 1, position);
    double most = 0.0;
    for (size_t v = 0; v < vocab; v++) {
        const double difference = fabs((double)a[v] - (double)b[v]);
        const double log_a = (double)a[v] - of_run.log_sum,
                     log_b = (double)b[v] - of_export.log_sum;
        if (difference > found->logit) {
            found->logit = difference;
            found->example = found->examples;
            found->position = position;
            found->token = v;
        }
        raise(&most, difference);
        if (log_a > floor_log || log_b > floor_log)
            raise(&found->log_probability, fabs(log_a - log_b));
    }
    if (of_run.high > of_run.low)
        raise(&found->relative, most / (of_run.high - of_run.low));
    found->same_choice += of_run.best == of_export.best;
    found->positions++;
    return LCAL_OK;
}

static lcal_status compare_export(void *user, const lcal_score_row *row, lcal_error *err)
{
    comparison *c = user;
    for (size_t t = 0; t < row->logits_count; t++)
        LCAL_TRY(compare_position(c, t, c->logits + t * row->vocab, row->logits + t * row->vocab,
                                  row->vocab, err));
    for (size_t i = 0; i < row->count; i++)
        c->export_sum += row->nll[i];
    return LCAL_OK;
}

/* Example after example, so that only one's logits are held. */
static lcal_status compare_all(lcal_model *run, lcal_model *other, const lcal__dataset *data,
                               size_t limit, comparison *c, lcal_error *err)
{
    for (size_t i = 0; i < data->count && (!limit || i < limit); i++) {
        lcal__example *example = &data->examples[i];
        const lcal__dataset one = {.examples = example,
                                   .count = 1,
                                   .tokens = example->length,
                                   .counted = example->counted,
                                   .longest = example->length};
        LCAL_TRY(lcal__scorer_run(run, &one, LCAL_LOGITS_ALL, "the run", keep_run, c, err));
        LCAL_TRY(
            lcal__scorer_run(other, &one, LCAL_LOGITS_ALL, "the export", compare_export, c, err));
        c->found->examples++;
    }
    return LCAL_OK;
}

/* --- opening --------------------------------------------------------------------------------- */

static lcal_status open_adapter(const char *path, const lcal_model *run,
                                const lcal_model_options *options, lcal_model **out,
                                lcal_error *err)
{
    LCAL_TRY(lcal_model_open(lcal__composition_base(run)->directory, options, out, err));
    lcal_status status = lcal_model_add_adapter(*out, path, 1.0, err);
    if (status != LCAL_OK)
        lcal_model_close(out);
    return status;
}

static lcal_status open_calibration(const char *path, const lcal_config *config,
                                    const lcal_model_options *options, lcal_model **out,
                                    lcal_error *err)
{
    LCAL_TRY(lcal_model_open_config(config, options, out, err));
    lcal_status status = lcal_model_calibrate(*out, path, err);
    if (status != LCAL_OK)
        lcal_model_close(out);
    return status;
}

static lcal_status open_export(const char *path, lcal__subject_kind kind, const lcal_model *run,
                               const lcal_config *config, const lcal_model_options *options,
                               lcal_model **out, lcal_error *err)
{
    switch (kind) {
    case LCAL__SUBJECT_MODEL:
        LCAL_TRY(lcal_model_open(path, options, out, err));
        break;
    case LCAL__SUBJECT_ADAPTER:
        LCAL_TRY(open_adapter(path, run, options, out, err));
        break;
    case LCAL__SUBJECT_CALIBRATION:
        LCAL_TRY(open_calibration(path, config, options, out, err));
        break;
    }
    const size_t expected = lcal_model_vocab(run), found = lcal_model_vocab(*out);
    if (expected == found)
        return LCAL_OK;
    lcal_model_close(out);
    return lcal__fail(err, LCAL_SHAPE, "%s: %zu logits: expected the run's %zu", path, found,
                      expected);
}

static lcal_status open_config(const char *run, lcal_config **out, lcal_error *err)
{
    char *path = lcal__path_join(run, LCAL__RUN_CONFIG);
    if (!path)
        return lcal__fail_nomem(err, run);
    lcal_status status =
        lcal__path_is_file(path)
            ? lcal_config_open_for(LCAL_FOR_TRAINER, path, NULL, 0, out, err)
            : lcal__fail(err, LCAL_CONFIG, "%s: no run of lcal (no " LCAL__RUN_CONFIG ")", run);
    lcal__free(path);
    return status;
}

/* --- the whole ------------------------------------------------------------------------------- */

static lcal_status compare(lcal_model *run, lcal_model *other, const lcal_config *config,
                           const lcal_verify_options *options, lcal_verification *out,
                           lcal_error *err)
{
    lcal__run_data data;
    LCAL_TRY(lcal__run_data_open(lcal__config_settings(config), lcal_model_vocab(run),
                                 options->model.log, &data, err));
    comparison c = {.found = out};
    const lcal__dataset *examples = data.valid.count ? &data.valid : &data.train;
    out->data = data.valid.count ? "validation" : "training";
    lcal_status status = lcal__composition_assemble(run, err);
    if (status == LCAL_OK)
        status = lcal__composition_assemble(other, err);
    if (status == LCAL_OK)
        status = compare_all(run, other, examples, options->limit, &c, err);
    if (c.labels) {
        out->run_loss = c.run_sum / (double)c.labels;
        out->export_loss = c.export_sum / (double)c.labels;
    }
    lcal__free(c.logits);
    lcal__run_data_close(&data);
    return status;
}

lcal_status lcal_verify(const char *path, const char *run, const lcal_verify_options *options,
                        lcal_verification *out, lcal_error *err)
{
    static const lcal_verify_options defaults;
    lcal_model *of_run = NULL, *of_export = NULL;
    lcal_config *config = NULL;
    lcal__subject_kind kind;
    if (!options)
        options = &defaults;
    if (!path || !run || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_verify: path, run and out must be given");
    *out = (lcal_verification){0};
    LCAL_TRY(lcal__export_subject(path, &kind, err));
    out->kind = lcal__subject_name(kind);
    lcal_status status = open_config(run, &config, err);
    if (status == LCAL_OK)
        status = lcal_model_open_run(run, &options->model, &of_run, err);
    if (status == LCAL_OK)
        status = open_export(path, kind, of_run, config, &options->model, &of_export, err);
    if (status == LCAL_OK)
        status = compare(of_run, of_export, config, options, out, err);
    lcal_model_close(&of_export);
    lcal_model_close(&of_run);
    lcal_config_close(&config);
    return status;
}
