#include "lcal/score.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "calib/file.h"
#include "engine/tape.h"
#include "eval/score_batch.h"
#include "num/gemm.h"

/* All that scoring holds, so that one function frees it. Zeroed is valid and empty. */
typedef struct scorer {
    const lcal_score_options *options;
    lcal__exec exec;
    lcal__model model;
    lcal__adapter *adapters; /* [options->adapter_count] */
    lcal__adapter_use *uses; /* the same */
    lcal__calib_file calibration;
    lcal__assembly assembly;
    lcal__dataset dataset;
    lcal__score_cut cut;
    lcal__batch batch;
    lcal__tape *tape;
    void *workspace;
    float *nll;     /* [capacity.rows] of a batch */
    float *logits;  /* [wanted positions, vocab] of a batch */
    size_t filled;  /* positions in `logits` so far */
    size_t handled; /* the next position of `logits` to hand out */
} scorer;

static void scorer_free(scorer *s)
{
    lcal__free(s->logits);
    lcal__free(s->nll);
    lcal__free(s->workspace);
    lcal__tape_close(&s->tape);
    lcal__batch_free(&s->batch);
    lcal__dataset_free(&s->dataset);
    lcal__assembly_free(&s->assembly);
    lcal__calib_file_free(&s->calibration);
    lcal__free(s->uses);
    for (size_t i = 0; s->adapters && i < s->options->adapter_count; i++)
        lcal__adapter_close(&s->adapters[i]);
    lcal__free(s->adapters);
    lcal__model_close(&s->model);
}

static lcal_status open_adapters(scorer *s, lcal_error *err)
{
    const lcal_score_options *o = s->options;
    s->adapters = lcal__calloc(o->adapter_count, sizeof(*s->adapters));
    s->uses = lcal__calloc(o->adapter_count, sizeof(*s->uses));
    if (!s->adapters || !s->uses)
        return lcal__fail_nomem(err, "the list of adapters");
    for (size_t i = 0; i < o->adapter_count; i++) {
        double weight = o->adapter_weights ? o->adapter_weights[i] : 1.0;
        if (!isfinite((float)weight))
            return lcal__fail(err, LCAL_INVALID,
                              "%s: weight %g: expected a number that f32 can hold", o->adapters[i],
                              weight);
        LCAL_TRY(
            lcal__adapter_open(o->adapters[i], &s->model.config, o->log, &s->adapters[i], err));
        s->uses[i] = (lcal__adapter_use){&s->adapters[i], (float)weight};
    }
    return LCAL_OK;
}

static lcal_status assemble(scorer *s, lcal_error *err)
{
    const lcal_score_options *o = s->options;
    lcal__assembly_options options = {.memory =
                                          o->low_memory ? LCAL__MEMORY_LOW : LCAL__MEMORY_FAST};
    if (o->calibration) {
        LCAL_TRY(lcal__calib_load(o->calibration, &s->calibration, err));
        LCAL_TRY(lcal__calib_facts_check(&s->calibration.facts, o->calibration, &s->model, s->uses,
                                         o->adapter_count, err));
        options.spec = &s->calibration.facts.spec;
    }
    LCAL_TRY(lcal__assemble(&s->model, s->uses, o->adapter_count, &options, &s->exec, &s->assembly,
                            err));
    if (o->calibration)
        LCAL_TRY(lcal__calib_apply(&s->calibration, o->calibration, &s->assembly.params, err));
    return LCAL_OK;
}

static lcal_status read_examples(scorer *s, lcal_error *err)
{
    const lcal__dataset_options options = {.vocab = s->model.config.vocab, .keep_empty = true};
    LCAL_TRY(lcal__dataset_read(s->options->file, &options, &s->dataset, err));
    if (s->dataset.longest > s->model.config.max_positions)
        lcal__log(s->options->log, LCAL_LOG_NOTICE,
                  "%s: the longest example has %zu tokens, the model was made for %zu",
                  s->options->file, s->dataset.longest, s->model.config.max_positions);
    return LCAL_OK;
}

/* Tape and buffers for the largest batch of the cut. */
static lcal_status prepare(scorer *s, lcal_error *err)
{
    const size_t vocab = s->model.config.vocab;
    size_t wanted, floats;
    s->cut = lcal__score_cut_init(&s->dataset, s->options->logits, vocab);
    lcal__tape_options options = {.capacity = lcal__score_capacity(&s->cut, &wanted)};
    LCAL_TRY(lcal__batch_init(&s->batch, options.capacity.tokens, options.capacity.documents, err));
    LCAL_TRY(lcal__tape_record(&s->assembly.network, &s->exec, &options, &s->tape, err));
    s->workspace = lcal__alloc_aligned(lcal__tape_workspace(s->tape), 1);
    s->nll = lcal__alloc_aligned(options.capacity.rows, sizeof(float));
    if (lcal__size_mul(wanted, vocab, &floats))
        s->logits = lcal__alloc_aligned(floats, sizeof(float));
    if (!s->workspace || !s->nll || !s->logits)
        return lcal__fail_nomem(err, "activations and logits");
    lcal__tape_bind(s->tape, s->workspace);
    return LCAL_OK;
}

/* Keeps what will be handed out: all rows, or the last of each document. */
static void keep_logits(void *user, size_t first, size_t count, const float *logits)
{
    scorer *s = user;
    const size_t vocab = s->model.config.vocab;
    for (size_t r = 0; r < count; r++) {
        if (s->options->logits == LCAL_LOGITS_LAST && s->batch.row_target[first + r] >= 0)
            continue;
        memcpy(s->logits + s->filled * vocab, logits + r * vocab, vocab * sizeof(float));
        s->filled++;
    }
}

static void run_batch(scorer *s)
{
    lcal__feed feed = {.batch = &s->batch, .nll = s->nll, .logits_user = s};
    if (s->options->logits != LCAL_LOGITS_NONE)
        feed.logits = keep_logits;
    s->filled = s->handled = 0;
    lcal__tape_run(s->tape, &feed);
}

/* Drops the rows without a label in place: what is left is one loss a labelled token, example after
 * example. */
static void compact_nll(scorer *s)
{
    size_t kept = 0;
    for (size_t r = 0; r < s->batch.rows; r++)
        if (s->batch.row_target[r] >= 0)
            s->nll[kept++] = s->nll[r];
}

static lcal_status hand_out(scorer *s, size_t index, const float *nll, lcal_score_fn *fn,
                            void *user, lcal_error *err)
{
    const lcal__example *example = &s->dataset.examples[index];
    lcal_score_row row = {
        .index = index,
        .count = example->counted,
        .nll = nll,
        .vocab = s->model.config.vocab,
        .logits = s->logits + s->handled * s->model.config.vocab,
    };
    if (s->options->logits != LCAL_LOGITS_NONE)
        row.logits_count = s->options->logits == LCAL_LOGITS_ALL ? example->length : 1;
    s->handled += row.logits_count;
    double sum = 0.0;
    for (size_t i = 0; i < row.count; i++)
        sum += nll[i];
    row.loss = row.count ? sum / (double)row.count : (double)NAN;
    if (row.count && !isfinite(row.loss))
        return lcal__fail(err, LCAL_NUMERIC,
                          "%s: example %zu: the loss is %f: expected a finite number; look for "
                          "weights that are not finite with `lcal inspect %s`",
                          s->options->file, index + 1, row.loss, s->options->model);
    return fn(user, &row, err);
}

static lcal_status score_all(scorer *s, lcal_score_fn *fn, void *user, lcal_error *err)
{
    for (size_t first = 0, end; first < s->dataset.count; first = end) {
        end = lcal__score_cut_end(&s->cut, first);
        lcal__score_pack(&s->cut, first, end, &s->batch);
        if (s->batch.rows)
            run_batch(s);
        compact_nll(s);
        const float *nll = s->nll;
        for (size_t i = first; i < end; i++) {
            LCAL_TRY(hand_out(s, i, nll, fn, user, err));
            nll += s->dataset.examples[i].counted;
        }
    }
    return LCAL_OK;
}

static lcal_status score(scorer *s, lcal_score_fn *fn, void *user, lcal_error *err)
{
    const lcal_score_options *o = s->options;
    if (lcal__blas_complaint())
        lcal__log(o->log, LCAL_LOG_NOTICE, "%s", lcal__blas_complaint());
    s->exec = lcal__exec_init(o->threads);
    LCAL_TRY(lcal__model_open(o->model, o->log, &s->model, err));
    LCAL_TRY(open_adapters(s, err));
    LCAL_TRY(read_examples(s, err)); /* before the adapters are folded: the data may be wrong */
    LCAL_TRY(assemble(s, err));
    LCAL_TRY(prepare(s, err));
    return score_all(s, fn, user, err);
}

lcal_status lcal_score(const lcal_score_options *options, lcal_score_fn *fn, void *user,
                       lcal_error *err)
{
    if (!options || !options->model || !options->file || !fn
        || (options->adapter_count && !options->adapters))
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_score: model, file, the adapters counted and a function to call "
                          "must be given");
    scorer s = {.options = options};
    lcal_status status = score(&s, fn, user, err);
    scorer_free(&s);
    return status;
}
