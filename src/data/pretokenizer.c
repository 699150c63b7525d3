#include "data/pretokenizer.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"

lcal_status lcal__pretokenizer_add(lcal__pretokenizer *pre, lcal__pre_step step, lcal_error *err)
{
    if (pre->count == LCAL__PRE_STEPS_MAX) {
        lcal__regex_close(&step.regex);
        return lcal__fail(err, LCAL_UNSUPPORTED, "more than %d steps", LCAL__PRE_STEPS_MAX);
    }
    pre->steps[pre->count++] = step;
    return LCAL_OK;
}

lcal_status lcal__pretokenizer_add_regex(lcal__pretokenizer *pre, const char *pattern,
                                         lcal_error *err)
{
    lcal__pre_step step = {.behavior = LCAL__SPLIT_ISOLATED};
    LCAL_TRY(lcal__regex_open(pattern, strlen(pattern), false, &step.regex, err));
    return lcal__pretokenizer_add(pre, step, err);
}

void lcal__pretokenizer_free(lcal__pretokenizer *pre)
{
    for (size_t i = 0; i < pre->count; i++)
        lcal__regex_close(&pre->steps[i].regex);
    *pre = (lcal__pretokenizer){0};
}

/* One run: what all its steps share. */
typedef struct run {
    const lcal__pretokenizer *pre;
    lcal__regex_match *match;
    lcal__word_fn *fn;
    void *context;
} run;

/* A cut in progress: a word is handed on once it is clear that nothing joins it. */
typedef struct cut {
    const run *r;
    size_t step;
    const char *text;
    size_t start, end; /* the word that waits; empty: none */
} cut;

static lcal_status run_step(const run *r, size_t at, const char *text, size_t length,
                            lcal_error *err);

static lcal_status hand_on(cut *c, lcal_error *err)
{
    lcal_status status = LCAL_OK;
    if (c->end > c->start)
        status = run_step(c->r, c->step + 1, c->text + c->start, c->end - c->start, err);
    c->start = c->end;
    return status;
}

static lcal_status add_piece(cut *c, size_t start, size_t end, bool is_match, lcal_error *err)
{
    const lcal__pre_step *step = &c->r->pre->steps[c->step];
    is_match = is_match != step->invert;
    if (start == end)
        return LCAL_OK;
    if (is_match && step->behavior == LCAL__SPLIT_MERGED_WITH_PREVIOUS && c->end == start) {
        c->end = end;
        return hand_on(c, err);
    }
    LCAL_TRY(hand_on(c, err));
    c->start = is_match && step->behavior == LCAL__SPLIT_REMOVED ? end : start;
    c->end = end;
    return LCAL_OK;
}

static lcal_status split(const run *r, size_t at, const char *text, size_t length, lcal_error *err)
{
    cut c = {.r = r, .step = at, .text = text};
    size_t done = 0;
    for (size_t from = 0; from <= length;) {
        bool found;
        size_t start, end;
        LCAL_TRY(lcal__regex_find(r->pre->steps[at].regex, r->match, text, length, from, &found,
                                  &start, &end, err));
        if (!found)
            break;
        LCAL_TRY(add_piece(&c, done, start, false, err));
        LCAL_TRY(add_piece(&c, start, end, true, err));
        done = end;
        /* An empty match is a border without a word; go on behind the next character. */
        from = end > start ? end
                           : end + (end < length ? lcal__utf8_valid(text + end, length - end) : 1);
    }
    LCAL_TRY(add_piece(&c, done, length, false, err));
    return hand_on(&c, err);
}

static lcal_status cut_with_prefix(const run *r, size_t at, const char *text, size_t length,
                                   lcal_error *err)
{
    lcal__strbuf prefixed = {0};
    lcal__strbuf_add(&prefixed, " ");
    lcal__strbuf_add_bytes(&prefixed, text, length);
    lcal_status status = LCAL_OK;
    if (prefixed.failed)
        status = lcal__fail_nomem(err, "text");
    else if (r->pre->steps[at].regex)
        status = split(r, at, prefixed.text, prefixed.length, err);
    else
        status = run_step(r, at + 1, prefixed.text, prefixed.length, err);
    lcal__strbuf_free(&prefixed);
    return status;
}

/* Steps from number `at` on; the recursion is as deep as there are steps. */
static lcal_status run_step(const run *r, size_t at, const char *text, size_t length,
                            lcal_error *err)
{
    if (at == r->pre->count)
        return r->fn(r->context, text, length, err);
    const lcal__pre_step *step = &r->pre->steps[at];
    if (step->prefix_space && text[0] != ' ')
        return cut_with_prefix(r, at, text, length, err);
    return step->regex ? split(r, at, text, length, err) : run_step(r, at + 1, text, length, err);
}

lcal_status lcal__pretokenizer_run(const lcal__pretokenizer *pre, const char *text, size_t length,
                                   lcal__word_fn *fn, void *context, lcal_error *err)
{
    run r = {.pre = pre, .fn = fn, .context = context};
    if (length == 0)
        return LCAL_OK;
    LCAL_TRY(lcal__regex_match_open(&r.match, err));
    lcal_status status = run_step(&r, 0, text, length, err);
    lcal__regex_match_close(&r.match);
    return status;
}
