#include "eval_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "json_out.h"
#include "train_report.h"

/* --- for people ------------------------------------------------------------------------- */

static void print_cost(const lcal_eval_report *r)
{
    printf("%-24s%12zu\n", "inferences an answer", r->inferences);
    if (r->searches)
        printf("%-24s%12zu\n", "few-shot losses", r->searches);
    printf("%-24s%12" PRIu64 "\n", "trained parameters", r->trained_parameters);
    printf("%-24s%12" PRIu64 "\n", "bytes of files", r->stored_bytes);
    for (size_t i = 0; i < r->weight_count; i++)
        printf("weight of adapter %-6zu%12.6g\n", i, r->weights[i]);
}

static void print_scores(const lcal_eval_report *r)
{
    printf("%-24s%12.1f\n", "seconds to prepare", r->prepare_seconds);
    printf("%-24s%12.1f\n", "seconds to answer", r->answer_seconds);
    printf("%-24s%12" PRIu64 "\n\n", "tokens of answers", r->tokens);
    printf("%-24s%12s  95 %% interval\n", "score", "mean");
    for (size_t i = 0; i < r->score_count; i++) {
        const lcal_eval_score *s = &r->scores[i];
        printf("%-24s%12.2f  %.2f to %.2f\n", s->name, s->mean, s->low, s->high);
    }
    printf("%-24s%12.2f\n%-24s%12.2f\n", "corpus_bleu", r->corpus_bleu, "corpus_chrf",
           r->corpus_chrf);
}

void eval_report_print(const lcal_eval_report *r)
{
    printf("%s (%s), seed %" PRIu64 ", %zu examples\n", r->method->name, r->method->paper, r->seed,
           r->examples);
    if (r->planned && r->plan.trained_parameters)
        report_plan(&r->plan);
    print_cost(r);
    if (r->score_count)
        print_scores(r);
}

/* --- JSON ------------------------------------------------------------------------------- */

static void member(const char *key, double value)
{
    printf(",\"%s\":", key);
    json_number(value);
}

static void print_weights(const lcal_eval_report *r)
{
    fputs(",\"weights\":[", stdout);
    for (size_t i = 0; i < r->weight_count; i++) {
        fputs(i ? "," : "", stdout);
        json_number(r->weights[i]);
    }
    putchar(']');
}

/* Metrics, or verdicts: {"rouge1": {"mean", "low", "high"}, ...}. */
static void print_group(const lcal_eval_report *r, const char *key, bool verdicts)
{
    const char *before = "";
    printf(",\"%s\":{", key);
    for (size_t i = 0; i < r->score_count; i++) {
        const lcal_eval_score *s = &r->scores[i];
        if (s->verdict != verdicts)
            continue;
        fputs(before, stdout);
        json_text(s->name);
        fputs(":{\"mean\":", stdout);
        json_number(s->mean);
        member("low", s->low);
        member("high", s->high);
        putchar('}');
        before = ",";
    }
    putchar('}');
}

void eval_report_json(const lcal_eval_report *r)
{
    fputs("{\"method\":", stdout);
    json_text(r->method->name);
    printf(",\"seed\":%" PRIu64 ",\"planned\":%s,\"interrupted\":%s,\"examples\":%zu,"
           "\"answered\":%zu,\"reused\":%zu,\"inferences\":%zu,\"searches\":%zu,"
           "\"trained_parameters\":%" PRIu64 ",\"stored_bytes\":%" PRIu64 ",\"tokens\":%" PRIu64,
           r->seed, r->planned ? "true" : "false", r->interrupted ? "true" : "false", r->examples,
           r->answered, r->reused, r->inferences, r->searches, r->trained_parameters,
           r->stored_bytes, r->tokens);
    if (r->planned)
        member("peak_bytes", (double)r->plan.peak_bytes);
    member("prepare_seconds", r->prepare_seconds);
    member("answer_seconds", r->answer_seconds);
    if (r->weight_count)
        print_weights(r);
    if (r->score_count) {
        print_group(r, "scores", false);
        print_group(r, "verdicts", true);
        member("corpus_bleu", r->corpus_bleu);
        member("corpus_chrf", r->corpus_chrf);
    }
    fputs("}\n", stdout);
}
