#include "eval/sampler.h"

#include <math.h>
#include <stdbool.h>

#include "base/mem.h"

static lcal_status check(const char *name, double value, double most, const char *expected,
                         lcal_error *err)
{
    if (value >= 0.0 && value <= most) /* false for NaN */
        return LCAL_OK;
    return lcal__fail(err, LCAL_INVALID, "%s: expected %s, found %g", name, expected, value);
}

lcal_status lcal__sampler_options_check(const lcal__sampler_options *o, lcal_error *err)
{
    LCAL_TRY(check("temperature", o->temperature, 1e6,
                   "0 for the likeliest token, or a number up to 1e6", err));
    LCAL_TRY(check("top_p", o->top_p, 1.0, "a probability from 0 to 1", err));
    LCAL_TRY(check("min_p", o->min_p, 1.0, "a probability from 0 to 1", err));
    return check("repetition_penalty", o->repetition_penalty, 1e6,
                 "1 or 0 for none, or another number up to 1e6", err);
}

lcal_status lcal__sampler_init(lcal__sampler *s, const lcal__sampler_options *options, size_t vocab,
                               const uint8_t *barred, lcal_error *err)
{
    *s = (lcal__sampler){.options = *options, .vocab = vocab, .barred = barred};
    s->candidates = lcal__calloc(vocab, sizeof(*s->candidates));
    return s->candidates ? LCAL_OK : lcal__fail_nomem(err, "the candidates of a draw");
}

void lcal__sampler_free(lcal__sampler *s)
{
    lcal__free(s->candidates);
    *s = (lcal__sampler){0};
}

static bool has_penalty(const lcal__sampler_options *o)
{
    return o->repetition_penalty != 0.0 && o->repetition_penalty != 1.0;
}

static double penalised(double logit, double penalty)
{
    return logit > 0.0 ? logit / penalty : logit * penalty;
}

/* All tokens that may be chosen, in order of id; returns how many. */
static lcal_status gather(lcal__sampler *s, const float *logits, const lcal__seen *seen,
                          size_t *count, lcal_error *err)
{
    const bool penalty = has_penalty(&s->options);
    size_t n = 0;
    for (size_t id = 0; id < s->vocab; id++) {
        double logit = logits[id];
        if (isnan(logit) || logit == (double)INFINITY)
            return lcal__fail(err, LCAL_NUMERIC,
                              "the logit of token %zu is %f: expected a finite number", id, logit);
        if ((s->barred && s->barred[id]) || logit == -(double)INFINITY)
            continue;
        if (penalty && seen->marks[id])
            logit = penalised(logit, s->options.repetition_penalty);
        s->candidates[n++] = (lcal__candidate){.logit = logit, .id = (int32_t)id};
    }
    *count = n;
    return n ? LCAL_OK : lcal__fail(err, LCAL_NUMERIC, "no token is possible after the text");
}

static const lcal__candidate *likeliest(const lcal__sampler *s, size_t count)
{
    const lcal__candidate *best = s->candidates;
    for (size_t i = 1; i < count; i++)
        if (s->candidates[i].logit > best->logit)
            best = &s->candidates[i];
    return best;
}

static bool before(const lcal__candidate *a, const lcal__candidate *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static void swap(lcal__candidate *a, lcal__candidate *b)
{
    const lcal__candidate c = *a;
    *a = *b;
    *b = c;
}

/* Lets heap[at] sink to its place among heap[0..count): a parent ranks before its children. */
static void sink(lcal__candidate *heap, size_t count, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &heap[at]))
            return;
        swap(&heap[child], &heap[at]);
    }
}

/* Takes the first of the heap c[0..count), which moves to c[count - 1]; returns its weight. */
static double take(lcal__candidate *c, size_t count)
{
    swap(&c[0], &c[count - 1]);
    sink(c, count - 1, 0);
    return c[count - 1].weight;
}

/*
 * The filters: what stays moves to the end of the candidates, the likeliest last. Returns how many
 * stay. A heap ranks no more than these: the whole vocabulary is never sorted for a few tokens.
 */
static size_t filter(lcal__sampler *s, size_t count, double total)
{
    const lcal__sampler_options *o = &s->options;
    lcal__candidate *c = s->candidates;
    size_t ranked = 0, stay = 0, most = count;
    for (size_t i = count / 2; i-- > 0;)
        sink(c, count, i);
    if (o->top_k && o->top_k < count) {
        most = o->top_k;
        for (total = 0.0; ranked < most; ranked++)
            total += take(c, count - ranked);
    }
    const double wanted = o->top_p > 0.0 && o->top_p < 1.0 ? o->top_p * total : INFINITY;
    for (double sum = 0.0; stay < most && sum < wanted; stay++) {
        if (stay == ranked) {
            take(c, count - ranked);
            ranked++;
        }
        const double weight = c[count - 1 - stay].weight;
        if (stay && weight < o->min_p)
            break;
        sum += weight;
    }
    return stay;
}

/* By weight; draw in [0, 1). */
static int32_t pick(const lcal__candidate *c, size_t count, double draw)
{
    double total = 0.0, sum = 0.0;
    for (size_t i = 0; i < count; i++)
        total += c[i].weight;
    size_t last = 0; /* where rounding leaves the draw behind the last */
    for (size_t i = 0; i < count; i++) {
        sum += c[i].weight;
        if (sum > draw * total)
            return c[i].id;
        if (c[i].weight > 0.0)
            last = i;
    }
    return c[last].id;
}

lcal_status lcal__sampler_next(lcal__sampler *s, const float *logits, const lcal__seen *seen,
                               double draw, int32_t *out, lcal_error *err)
{
    const lcal__sampler_options *o = &s->options;
    size_t count;
    LCAL_TRY(gather(s, logits, seen, &count, err));
    const lcal__candidate *best = likeliest(s, count);
    if (o->temperature == 0.0) {
        *out = best->id;
        return LCAL_OK;
    }
    const double most = best->logit;
    double total = 0.0;
    for (size_t i = 0; i < count; i++) {
        s->candidates[i].weight = exp((s->candidates[i].logit - most) / o->temperature);
        total += s->candidates[i].weight;
    }
    const bool filters = o->top_k || o->min_p > 0.0 || (o->top_p > 0.0 && o->top_p < 1.0);
    const size_t stay = filters ? filter(s, count, total) : count;
    *out = pick(s->candidates + (count - stay), stay, draw);
    return LCAL_OK;
}
