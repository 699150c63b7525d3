#include <math.h>
#include <stdio.h>

#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/score.h"
#include "model_args.h"
#include "progress.h"

typedef struct values {
    model_args model;
    const char *tokenizer, *system;
    size_t logits, template_, loss_on;
} values;

static const char *const logits_words[] = {"none", "last", "all", NULL};
static const char *const templates[] = {"auto", "raw", "llama3", "chatml", "zephyr", NULL};
static const char *const loss_words[] = {"completion", "assistant", "all", NULL};

typedef struct totals {
    lcal_logits logits;
    size_t examples, labels;
    double sum;
} totals;

static void print_floats(const float *x, size_t count)
{
    putchar('[');
    for (size_t i = 0; i < count; i++)
        printf("%s%.9g", i ? "," : "", (double)x[i]);
    putchar(']');
}

/* Logits may be infinite or not a number where a model is broken; JSON has no word for that. */
static lcal_status check_logits(const lcal_score_row *row, lcal_error *err)
{
    for (size_t i = 0; i < row->logits_count * row->vocab; i++)
        if (!isfinite(row->logits[i])) {
            err->status = LCAL_NUMERIC;
            snprintf(err->message, sizeof(err->message),
                     "example %zu: logit %zu is %f: expected a finite number", row->index + 1,
                     i % row->vocab, (double)row->logits[i]);
            return LCAL_NUMERIC;
        }
    return LCAL_OK;
}

static lcal_status print_row(void *user, const lcal_score_row *row, lcal_error *err)
{
    totals *t = user;
    lcal_status status = check_logits(row, err);
    if (status != LCAL_OK)
        return status;
    fputs("{\"nll\":", stdout);
    print_floats(row->nll, row->count);
    fputs(",\"loss\":", stdout);
    json_number(row->loss);
    if (t->logits == LCAL_LOGITS_LAST) {
        fputs(",\"logits\":", stdout);
        print_floats(row->logits, row->vocab);
    } else if (t->logits == LCAL_LOGITS_ALL) {
        fputs(",\"logits\":[", stdout);
        for (size_t i = 0; i < row->logits_count; i++) {
            fputs(i ? "," : "", stdout);
            print_floats(row->logits + i * row->vocab, row->vocab);
        }
        putchar(']');
    }
    fputs("}\n", stdout);
    t->examples++;
    t->labels += row->count;
    for (size_t i = 0; i < row->count; i++)
        t->sum += row->nll[i];
    return exit_check_stdout(err);
}

static void print_totals(const totals *t)
{
    fprintf(stderr, "%zu examples, %zu labelled tokens", t->examples, t->labels);
    if (t->labels) {
        double loss = t->sum / (double)t->labels;
        fprintf(stderr, ", loss %.6f a token, perplexity %.4f", loss, exp(loss));
    }
    fputc('\n', stderr);
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    lcal_error err = {0};
    progress shown = progress_init(false);
    const lcal_log log = {progress_log, &shown};
    const lcal_score_options options = {
        .file = call->operands[0],
        .logits = (lcal_logits)v->logits,
        .template_ = cli_given(call, "template") ? templates[v->template_] : NULL,
        .loss_on = cli_given(call, "loss-on") ? loss_words[v->loss_on] : NULL,
        .system = v->system,
    };
    lcal_model *model = NULL;
    totals t = {.logits = options.logits};
    const int usage = model_args_check(&v->model, call->command);
    if (usage)
        return usage;
    lcal_status status = model_args_open(&v->model, &log, &model, &err);
    if (status == LCAL_OK && v->tokenizer)
        status = lcal_model_set_tokenizer(model, v->tokenizer, &err);
    if (status == LCAL_OK)
        status = lcal_score(model, &options, print_row, &t, &err);
    lcal_model_close(&model);
    if (status != LCAL_OK)
        return exit_failure("score", &err);
    print_totals(&t);
    return 0;
}

static const cli_option options[] = {
    MODEL_ARGS_OPTIONS(values, model),
    {"logits", CLI_CHOICE, offsetof(values, logits), "WHICH", .words = logits_words,
     .fallback = "none",
     .help = "Print logits too: of the last position as one list, or of all as a list of lists."},
    {"tokenizer", CLI_TEXT, offsetof(values, tokenizer), "PATH",
     .help = "Tokenizer of text, a file or a directory that holds one, instead of the model's."},
    {"template", CLI_CHOICE, offsetof(values, template_), "NAME", .words = templates,
     .help = "Chat template of text, as data.template of a configuration. Default: the run's, else "
             "auto."},
    {"system", CLI_TEXT, offsetof(values, system), "TEXT", .empty = true,
     .help = "System message before texts that have none, as data.system. Default: the run's; "
             "\"\": none."},
    {"loss-on", CLI_CHOICE, offsetof(values, loss_on), "WHICH", .words = loss_words,
     .help = "Which tokens of text count: the last answer, every answer, or all. Default: the "
             "run's, else completion."},
    {0},
};

const cli_command cmd_score = {
    .name = "score",
    .summary = "Print the loss of every labelled token of a data file",
    .arguments = "FILE",
    .operand = "FILE",
    .details =
        "FILE has one JSON object a line, plain or gzip, in any form that `lcal train` reads: "
        "{\"prompt\", \"completion\"}, {\"messages\"}, {\"instruction\", \"input\", "
        "\"output\"}, {\"conversations\"}, or {\"input_ids\": [...], \"labels\": [...]} with "
        "labels[t] the target of position t-1, -100 ignored. Each line is answered "
        "by {\"nll\": [...], \"loss\": mean}: negative log-likelihoods in nats of its "
        "labelled tokens in order, loss null where there are none.",
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
