#include "methods/report.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "eval/bootstrap.h"

static lcal_status score_all(lcal__scored *s, lcal_error *err)
{
    const lcal__settings *settings = s->job->settings;
    for (size_t i = 0; i < s->kept->count; i++) {
        const lcal__case *c = &s->job->test.items[i];
        const char *text = s->kept->items[i].text;
        LCAL_TRY(lcal__scores_add(&s->corpus, c->references, c->reference_count, text, strlen(text),
                                  settings->eval.stem, s->scores + i * LCAL__SCORES, err));
    }
    return LCAL_OK;
}

lcal_status lcal__scored_open(const lcal__job *job, const lcal__kept *kept, lcal__scored *out,
                              lcal_error *err)
{
    lcal__scored s = {.job = job, .kept = kept};
    s.scores = lcal__calloc(kept->count, LCAL__SCORES * sizeof(*s.scores));
    lcal_status status = s.scores ? score_all(&s, err) : lcal__fail_nomem(err, "scores");
    if (status == LCAL_OK && job->options->judge_in)
        status = lcal__verdicts_read(job->options->judge_in, kept->count, &s.verdicts, err);
    if (status == LCAL_OK)
        *out = s;
    else
        lcal__scored_close(&s);
    return status;
}

void lcal__scored_close(lcal__scored *scored)
{
    lcal__verdicts_free(&scored->verdicts);
    lcal__free(scored->scores);
    *scored = (lcal__scored){0};
}

/* Scores and verdicts side by side, so that one resample is of both: [answers, columns]. */
static double *join(const lcal__scored *s, size_t columns)
{
    const size_t answers = s->kept->count, names = s->verdicts.name_count;
    double *all = lcal__calloc(answers, columns * sizeof(*all));
    for (size_t i = 0; all && i < answers; i++) {
        memcpy(all + i * columns, s->scores + i * LCAL__SCORES, LCAL__SCORES * sizeof(*all));
        if (names)
            memcpy(all + i * columns + LCAL__SCORES, s->verdicts.values + i * names,
                   names * sizeof(*all));
    }
    return all;
}

static void name_score(const lcal__scored *s, size_t index, const lcal__interval *of,
                       lcal_eval_score *out)
{
    const bool verdict = index >= LCAL__SCORES;
    *out =
        (lcal_eval_score){.verdict = verdict, .mean = of->mean, .low = of->low, .high = of->high};
    snprintf(out->name, sizeof(out->name), "%s",
             verdict ? s->verdicts.names[index - LCAL__SCORES] : lcal__score_name(index));
}

lcal_status lcal__scored_sum(const lcal__scored *s, lcal_eval_report *report, lcal_error *err)
{
    const lcal__settings *settings = s->job->settings;
    const size_t columns = LCAL__SCORES + s->verdicts.name_count;
    lcal__interval means[LCAL__SCORES + LCAL__VERDICT_NAMES_MAX];
    double *all = join(s, columns);
    report->scores = lcal__calloc(columns, sizeof(*report->scores));
    lcal_status status = all && report->scores ? lcal__bootstrap(all, s->kept->count, columns,
                                                                 (size_t)settings->eval.resamples,
                                                                 settings->train.seed, means, err)
                                               : lcal__fail_nomem(err, "scores");
    lcal__free(all);
    LCAL_TRY(status);
    report->score_count = columns;
    for (size_t i = 0; i < columns; i++)
        name_score(s, i, &means[i], &report->scores[i]);
    report->corpus_bleu = lcal__bleu_score(&s->corpus.bleu, false);
    report->corpus_chrf = lcal__chrf_score(&s->corpus.chrf);
    return LCAL_OK;
}
