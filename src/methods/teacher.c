#include "methods/teacher.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "calib/composition.h"

struct lcal__teacher {
    lcal__tape *tape;
    void *workspace;
    float *logits; /* [rows of a batch, vocab] */
    size_t vocab;
    double temperature, overlap;
    const lcal__params *params; /* the trainer's */
    size_t layers, adapters;
};

/* --- the arithmetic --------------------------------------------------------------------- */

/* log of the sum of exp(x / t), x [n]. */
static double log_sum(const float *x, size_t n, double t)
{
    double most = (double)x[0], sum = 0.0;
    for (size_t i = 1; i < n; i++)
        most = fmax(most, (double)x[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp(((double)x[i] - most) / t);
    return most / t + log(sum);
}

double lcal__distill_row(const float *teacher, float *logits, size_t n, double t, bool gradient,
                         double weight)
{
    const double of_teacher = log_sum(teacher, n, t), of_logits = log_sum(logits, n, t);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double log_q = (double)teacher[i] / t - of_teacher;
        const double log_p = (double)logits[i] / t - of_logits;
        const double q = exp(log_q);
        sum += q * (log_q - log_p);
        if (gradient)
            logits[i] = (float)(weight * t * (exp(log_p) - q));
    }
    return t * t * sum;
}

double lcal__cosine(const float *a, const float *b, size_t n, double factor, float *da, float *db)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    if (aa == 0.0 || bb == 0.0)
        return 0.0;
    const double norms = sqrt(aa * bb), cosine = ab / norms;
    for (size_t i = 0; i < n; i++) {
        da[i] += (float)(factor * ((double)b[i] / norms - cosine * (double)a[i] / aa));
        db[i] += (float)(factor * ((double)a[i] / norms - cosine * (double)b[i] / bb));
    }
    return cosine;
}

/* --- as hooks of training --------------------------------------------------------------- */

typedef struct chunk {
    const lcal__teacher *teacher;
    size_t first, vocab;
    double weight;
    bool gradient;
    float *logits, *losses;
} chunk;

static void distill_rows(void *context, size_t first, size_t count, size_t worker)
{
    const chunk *c = context;
    (void)worker;
    for (size_t r = first; r < first + count; r++)
        c->losses[r] = (float)lcal__distill_row(c->teacher->logits + (c->first + r) * c->vocab,
                                                c->logits + r * c->vocab, c->vocab,
                                                c->teacher->temperature, c->gradient, c->weight);
}

static void criterion(void *user, const lcal__exec *exec, size_t first, size_t count, size_t vocab,
                      float row_weight, bool gradient, float *logits, float *losses)
{
    chunk c = {user, first, vocab, (double)row_weight, gradient, logits, losses};
    lcal__for_rows(exec, count, vocab, distill_rows, &c);
}

static void keep_logits(void *user, size_t first, size_t count, const float *logits)
{
    const lcal__teacher *teacher = user;
    memcpy(teacher->logits + first * teacher->vocab, logits,
           count * teacher->vocab * sizeof(*logits));
}

/* The teacher reads the batch first. */
static void teach(void *user, const lcal__batch *batch, lcal__feed *feed)
{
    lcal__teacher *teacher = user;
    lcal__feed own = {.batch = batch, .logits = keep_logits, .logits_user = teacher};
    lcal__tape_run(teacher->tape, &own);
    feed->criterion = criterion;
    feed->criterion_user = teacher;
}

static const lcal__param *column(const lcal__teacher *t, size_t adapter, size_t layer, int proj)
{
    char name[96];
    snprintf(name, sizeof(name), "adapters.%zu.layers.%zu.%s.m", adapter, layer,
             lcal__proj_name((lcal__proj)proj));
    return lcal__params_find(t->params, name);
}

/* All pairs of adapters that change a module. */
static double penalize_module(const lcal__teacher *t, size_t layer, int proj)
{
    const double pairs = (double)t->adapters * (double)(t->adapters - 1) / 2.0;
    const double factor = t->overlap / pairs;
    double sum = 0.0;
    for (size_t i = 0; i < t->adapters; i++)
        for (size_t j = i + 1; j < t->adapters; j++) {
            const lcal__param *a = column(t, i, layer, proj), *b = column(t, j, layer, proj);
            if (a && b)
                sum += factor
                       * lcal__cosine(t->params->values + a->offset, t->params->values + b->offset,
                                      a->rows * a->cols, factor, t->params->grads + a->offset,
                                      t->params->grads + b->offset);
        }
    return sum;
}

static double penalty(void *user)
{
    const lcal__teacher *t = user;
    double sum = 0.0;
    for (size_t layer = 0; layer < t->layers && t->adapters > 1; layer++)
        for (int proj = 0; proj < LCAL__PROJ_COUNT; proj++)
            sum += penalize_module(t, layer, proj);
    return sum;
}

/* --- opening ---------------------------------------------------------------------------- */

static lcal_status prepare(lcal__teacher *t, lcal_model *model, const lcal__passes *passes,
                           lcal_error *err)
{
    const lcal__tape_options options = {.capacity = passes->train_options.capacity};
    size_t floats;
    LCAL_TRY(lcal__composition_assemble(model, err));
    LCAL_TRY(lcal__tape_record(lcal__composition_network(model), lcal__composition_exec(model),
                               &options, &t->tape, err));
    t->workspace = lcal__alloc_aligned(lcal__tape_workspace(t->tape), 1);
    if (lcal__size_mul(options.capacity.rows, t->vocab, &floats))
        t->logits = lcal__alloc_aligned(floats, sizeof(float));
    if (!t->workspace || !t->logits)
        return lcal__fail_nomem(err, "a teacher's activations and logits");
    lcal__tape_bind(t->tape, t->workspace);
    return LCAL_OK;
}

lcal_status lcal__teacher_open(lcal_model *model, lcal_trainer *trainer, double temperature,
                               double overlap, lcal__teacher **out, lcal_error *err)
{
    lcal__session *session = &trainer->session;
    lcal__teacher *t = lcal__calloc(1, sizeof(*t));
    if (!t)
        return lcal__fail_nomem(err, "a teacher");
    *t = (lcal__teacher){
        .vocab = lcal_model_vocab(model),
        .temperature = temperature,
        .overlap = overlap,
        .params = &session->assembly.params,
        .layers = session->model.config.layers,
        .adapters = session->adapters.count,
    };
    lcal_status status = prepare(t, model, &session->passes, err);
    if (status != LCAL_OK) {
        lcal__teacher_close(&t);
        return status;
    }
    session->passes.teach = teach;
    session->passes.penalty = penalty;
    session->passes.teach_user = t;
    *out = t;
    return LCAL_OK;
}

void lcal__teacher_close(lcal__teacher **teacher)
{
    lcal__teacher *t = *teacher;
    if (!t)
        return;
    lcal__tape_close(&t->tape);
    lcal__free(t->workspace);
    lcal__free(t->logits);
    lcal__free(t);
    *teacher = NULL;
}
