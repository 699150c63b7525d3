#define _POSIX_C_SOURCE 200809L /* stat */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/score.h"
#include "progress.h"

typedef struct values {
    const char *model, *calibration;
    cli_texts adapters;
    size_t precision, memory, logits, threads;
} values;

static const char *const precisions[] = {"f32", NULL};
static const char *const memories[] = {"fast", "low", NULL};
static const char *const logits_words[] = {"none", "last", "all", NULL};

/* DIR[:WEIGHT] taken apart. */
typedef struct adapters {
    char **paths;
    double *weights;
    size_t count;
} adapters;

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Cuts ":WEIGHT" off; a directory that has such a name is one. */
static double split_weight(char *path)
{
    char *colon = strrchr(path, ':'), *end;
    if (!colon || !colon[1] || is_directory(path))
        return 1.0;
    double weight = strtod(colon + 1, &end);
    if (*end || !isfinite(weight))
        return 1.0;
    *colon = '\0';
    return weight;
}

static void adapters_free(adapters *a)
{
    for (size_t i = 0; a->paths && i < a->count; i++)
        free(a->paths[i]);
    free(a->paths);
    free(a->weights);
}

static bool adapters_parse(const cli_texts *texts, adapters *out)
{
    *out = (adapters){.count = texts->count};
    out->paths = calloc(texts->count + 1, sizeof(char *));
    out->weights = calloc(texts->count + 1, sizeof(double));
    if (!out->paths || !out->weights)
        return false;
    for (size_t i = 0; i < texts->count; i++) {
        out->paths[i] = strdup(texts->items[i]);
        if (!out->paths[i])
            return false;
        out->weights[i] = split_weight(out->paths[i]);
    }
    return true;
}

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
    adapters a;
    if (!adapters_parse(&v->adapters, &a)) {
        adapters_free(&a);
        fputs("lcal score: out of memory\n", stderr);
        return EXIT_SYSTEM;
    }
    const lcal_score_options options = {
        .model = v->model,
        .adapters = (const char *const *)a.paths,
        .adapter_weights = a.weights,
        .adapter_count = a.count,
        .calibration = v->calibration,
        .file = call->operands[0],
        .logits = (lcal_logits)v->logits,
        .threads = v->threads,
        .low_memory = v->memory == 1,
        .log = &log,
    };
    totals t = {.logits = options.logits};
    lcal_status status = lcal_score(&options, print_row, &t, &err);
    adapters_free(&a);
    if (status != LCAL_OK)
        return exit_failure("score", &err);
    print_totals(&t);
    return 0;
}

static const cli_option options[] = {
    {"model", CLI_TEXT, offsetof(values, model), "DIR", .required = true,
     .help = "Base model in Hugging Face layout."},
    {"adapter", CLI_TEXTS, offsetof(values, adapters), "DIR[:WEIGHT]",
     .help = "LoRA adapter in PEFT layout, added with its weight (1 where none is given). May be "
             "given several times."},
    {"calibration", CLI_TEXT, offsetof(values, calibration), "FILE",
     .help = "Calibration, .h5 or .safetensors; refused on another base or other adapters."},
    {"logits", CLI_CHOICE, offsetof(values, logits), "WHICH", .words = logits_words,
     .fallback = "none",
     .help = "Print logits too: of the last position as one list, or of all as a list of lists."},
    {"precision", CLI_CHOICE, offsetof(values, precision), "TYPE", .words = precisions,
     .fallback = "f32", .help = "Arithmetic of weights and activations."},
    {"memory", CLI_CHOICE, offsetof(values, memory), "HOW", .words = memories, .fallback = "fast",
     .help = "fast folds adapters into a private f32 copy of the weights; low keeps the weights as "
             "stored and the adapters apart."},
    {"threads", CLI_COUNT, offsetof(values, threads), "N", .low = 0, .high = 1024, .fallback = "0",
     .help = "Threads to compute with; 0: all processors. The result does not depend on it."},
    {0},
};

const cli_command cmd_score = {
    .name = "score",
    .summary = "Print the loss of every labelled token of a data file",
    .arguments = "FILE",
    .operand = "FILE",
    .details = "FILE has one JSON object a line, plain or gzip: {\"input_ids\": [...], \"labels\": "
               "[...]}, labels[t] the target of position t-1, -100 ignored. Each line is answered "
               "by {\"nll\": [...], \"loss\": mean}: negative log-likelihoods in nats of its "
               "labelled tokens in order, loss null where there are none.",
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
