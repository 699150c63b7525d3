#include "eval/scorer.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/tape.h"
#include "eval/score_batch.h"

/* All that a run of scoring holds, so that one function frees it. Zeroed is valid and empty. */
typedef struct scorer {
    const lcal__composition *composition;
    const lcal__dataset *dataset;
    const char *source;
    size_t vocab;
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
}

/* Tape and buffers for the largest batch of the cut. */
static lcal_status prepare(scorer *s, lcal_error *err)
{
    size_t wanted, floats;
    lcal__tape_options options = {.capacity = lcal__score_capacity(&s->cut, &wanted)};
    LCAL_TRY(lcal__batch_init(&s->batch, options.capacity.tokens, options.capacity.documents, err));
    LCAL_TRY(lcal__tape_record(lcal__composition_network(s->composition),
                               lcal__composition_exec(s->composition), &options, &s->tape, err));
    s->workspace = lcal__alloc_aligned(lcal__tape_workspace(s->tape), 1);
    s->nll = lcal__alloc_aligned(options.capacity.rows, sizeof(float));
    if (lcal__size_mul(wanted, s->vocab, &floats))
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
    const size_t vocab = s->vocab;
    for (size_t r = 0; r < count; r++) {
        if (s->cut.logits == LCAL_LOGITS_LAST && s->batch.row_target[first + r] >= 0)
            continue;
        memcpy(s->logits + s->filled * vocab, logits + r * vocab, vocab * sizeof(float));
        s->filled++;
    }
}

static void run_batch(scorer *s)
{
    lcal__feed feed = {.batch = &s->batch, .nll = s->nll, .logits_user = s};
    if (s->cut.logits != LCAL_LOGITS_NONE)
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
    const lcal__example *example = &s->dataset->examples[index];
    lcal_score_row row = {
        .index = index,
        .count = example->counted,
        .nll = nll,
        .vocab = s->vocab,
        .logits = s->logits + s->handled * s->vocab,
    };
    if (s->cut.logits != LCAL_LOGITS_NONE)
        row.logits_count = s->cut.logits == LCAL_LOGITS_ALL ? example->length : 1;
    s->handled += row.logits_count;
    double sum = 0.0;
    for (size_t i = 0; i < row.count; i++)
        sum += nll[i];
    row.loss = row.count ? sum / (double)row.count : (double)NAN;
    if (row.count && !isfinite(row.loss))
        return lcal__fail(err, LCAL_NUMERIC,
                          "%s: example %zu: the loss is %f: expected a finite number; look for "
                          "weights that are not finite with `lcal inspect %s`",
                          s->source, index + 1, row.loss,
                          lcal__composition_base(s->composition)->directory);
    return fn(user, &row, err);
}

static lcal_status score_all(scorer *s, lcal_score_fn *fn, void *user, lcal_error *err)
{
    for (size_t first = 0, end; first < s->dataset->count; first = end) {
        end = lcal__score_cut_end(&s->cut, first);
        lcal__score_pack(&s->cut, first, end, &s->batch);
        if (s->batch.rows)
            run_batch(s);
        compact_nll(s);
        const float *nll = s->nll;
        for (size_t i = first; i < end; i++) {
            LCAL_TRY(hand_out(s, i, nll, fn, user, err));
            nll += s->dataset->examples[i].counted;
        }
    }
    return LCAL_OK;
}

lcal_status lcal__scorer_run(const lcal__composition *composition, const lcal__dataset *dataset,
                             lcal_logits logits, const char *source, lcal_score_fn *fn, void *user,
                             lcal_error *err)
{
    scorer s = {.composition = composition, .dataset = dataset, .source = source};
    s.vocab = lcal__composition_base(composition)->config.vocab;
    s.cut = lcal__score_cut_init(dataset, logits, s.vocab);
    lcal_status status = prepare(&s, err);
    if (status == LCAL_OK)
        status = score_all(&s, fn, user, err);
    scorer_free(&s);
    return status;
}
