#define _POSIX_C_SOURCE 200809L /* isatty */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "chat_loop.h"
#include "commands.h"
#include "exit.h"
#include "interrupt.h"
#include "lcal/generate.h"
#include "model_args.h"
#include "progress.h"

typedef struct values {
    model_args model;
    const char *tokenizer, *system;
    cli_texts prompts, stops;
    size_t max_tokens, top_k, seed, batch, template_;
    double temperature, top_p, min_p, repetition_penalty;
    bool chat, ignore_eos, json;
} values;

static const char *const templates[] = {"auto", "raw", "llama3", "chatml", "zephyr", NULL};

static int check_usage(const cli_call *call)
{
    const values *v = call->values;
    const int status = model_args_check(&v->model, call->command);
    if (status)
        return status;
    if (v->prompts.count && call->operand_count)
        return cli_usage_error(call->command, "give prompts either by --prompt or in a file");
    if (v->chat && (v->prompts.count || call->operand_count))
        return cli_usage_error(call->command, "--chat reads standard input: leave --prompt and the "
                                              "file out");
    if (v->temperature == 0.0 && (v->top_k || (v->top_p > 0.0 && v->top_p < 1.0) || v->min_p > 0.0))
        return cli_usage_error(call->command,
                               "--top-k, --top-p and --min-p choose what is sampled from: give "
                               "--temperature above 0");
    return 0;
}

/* --- prompts ------------------------------------------------------------------------------ */

/* Prompts from the command line, or from a file. */
typedef struct source {
    lcal_message *messages; /* of the command line */
    lcal_prompt *own;
    lcal_prompts *read;
    const lcal_prompt *items; /* [count] */
    size_t count;
} source;

static void source_free(source *s)
{
    free(s->messages);
    free(s->own);
    lcal_prompts_close(&s->read);
}

static lcal_status from_texts(source *s, const cli_texts *texts, lcal_error *err)
{
    s->messages = calloc(texts->count, sizeof(*s->messages));
    s->own = calloc(texts->count, sizeof(*s->own));
    if (!s->messages || !s->own)
        return exit_error(err, LCAL_NOMEM, "out of memory: the list of prompts");
    for (size_t i = 0; i < texts->count; i++) {
        s->messages[i] = (lcal_message){"user", texts->items[i]};
        s->own[i] = (lcal_prompt){&s->messages[i], 1};
    }
    s->items = s->own;
    s->count = texts->count;
    return LCAL_OK;
}

/* All of standard input; *text is freed by the caller. */
static lcal_status read_input(char **text, size_t *size, lcal_error *err)
{
    size_t capacity = 0;
    for (*size = 0; !feof(stdin); *size += fread(*text + *size, 1, capacity - *size, stdin)) {
        if (capacity - *size < 4096) {
            capacity = 2 * capacity + 65536;
            char *grown = realloc(*text, capacity);
            if (!grown)
                return exit_error(err, LCAL_NOMEM, "standard input: out of memory");
            *text = grown;
        }
        if (ferror(stdin))
            return exit_error(err, LCAL_IO, "standard input: cannot read");
    }
    return LCAL_OK;
}

static lcal_status from_file(source *s, const char *path, lcal_error *err)
{
    lcal_status status = LCAL_OK;
    if (strcmp(path, "-") == 0) {
        char *text = NULL;
        size_t size;
        status = read_input(&text, &size, err);
        if (status == LCAL_OK)
            status = lcal_prompts_parse(text, size, "standard input", &s->read, err);
        free(text);
    } else {
        status = lcal_prompts_open(path, &s->read, err);
    }
    if (status == LCAL_OK)
        s->items = lcal_prompts_items(s->read, &s->count);
    return status;
}

static lcal_status source_open(source *s, const cli_call *call, lcal_error *err)
{
    const values *v = call->values;
    if (v->prompts.count)
        return from_texts(s, &v->prompts, err);
    return from_file(s, call->operand_count ? call->operands[0] : "-", err);
}

/* --- answers ------------------------------------------------------------------------------ */

static lcal_status answer(lcal_model *model, const lcal_generate_options *options, const source *s,
                          bool json, lcal_error *err)
{
    answers a;
    lcal_status status = LCAL_OK;
    if (!answers_init(&a, s->items, s->count, json))
        status = exit_error(err, LCAL_NOMEM, "out of memory: the answers");
    a.interrupted = interrupt_wanted;
    interrupt_catch();
    if (status == LCAL_OK)
        status = lcal_generate_messages(model, s->items, s->count, options, answers_piece, &a, err);
    if (status == LCAL_OK && a.status != LCAL_OK) {
        *err = a.err;
        status = a.status;
    }
    if (status == LCAL_OK && interrupt_wanted())
        answers_break(&a);
    if (status == LCAL_OK)
        answers_summary(&a);
    answers_free(&a);
    return status;
}

static lcal_status open_model(const values *v, const lcal_log *log, lcal_model **out,
                              lcal_error *err)
{
    lcal_status status = model_args_open(&v->model, log, out, err);
    if (status == LCAL_OK && v->tokenizer)
        status = lcal_model_set_tokenizer(*out, v->tokenizer, err);
    return status;
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    int usage = check_usage(call);
    if (usage)
        return usage;
    const lcal_generate_options options = {
        .max_tokens = v->max_tokens,
        .repetition_penalty = v->repetition_penalty,
        .temperature = v->temperature,
        .top_k = v->top_k,
        .top_p = v->top_p,
        .min_p = v->min_p,
        .seed = v->seed,
        .stop = v->stops.items,
        .stop_count = v->stops.count,
        .ignore_eos = v->ignore_eos,
        .template_ = cli_given(call, "template") ? templates[v->template_] : NULL,
        .system = v->system,
        .batch = v->batch,
    };
    const bool chat =
        v->chat || (!v->prompts.count && !call->operand_count && isatty(STDIN_FILENO));
    lcal_error err = {0};
    lcal_model *model = NULL;
    source prompts = {0};
    progress shown = progress_init(true); /* notices alone */
    const lcal_log log = {progress_log, &shown};
    int status = 0;
    /* Prompts first: what is wrong with them is known before a large model is read. */
    lcal_status done = chat ? LCAL_OK : source_open(&prompts, call, &err);
    if (done == LCAL_OK)
        done = open_model(v, &log, &model, &err);
    if (done == LCAL_OK && chat)
        status = chat_loop(model, &options, v->json);
    else if (done == LCAL_OK)
        done = answer(model, &options, &prompts, v->json, &err);
    if (done != LCAL_OK)
        status = exit_failure("generate", &err);
    else if (status == 0 && interrupt_wanted())
        status = EXIT_INTERRUPTED;
    lcal_model_close(&model);
    source_free(&prompts);
    return status;
}

static const cli_option options[] = {
    MODEL_ARGS_OPTIONS(values, model),
    {"tokenizer", CLI_TEXT, offsetof(values, tokenizer), "FILE",
     .help = "Tokenizer in place of the model's own: tokenizer.json, GGUF, llama2.c's .bin, or a "
             "directory that holds one."},
    {"prompt", CLI_TEXTS, offsetof(values, prompts), "TEXT", .empty = true,
     .help = "What to answer. May be given several times."},
    {"chat", CLI_FLAG, offsetof(values, chat),
     .help = "A conversation: every line of standard input is answered with all that was said "
             "before. /reset begins anew, /exit ends."},
    {"system", CLI_TEXT, offsetof(values, system), "TEXT", .empty = true,
     .help = "System message before conversations that have none; not with template raw. Default: "
             "the run's; \"\": none."},
    {"template", CLI_CHOICE, offsetof(values, template_), "NAME", .words = templates,
     .help = "How messages become text for the model. auto: as its own chat template says; raw: "
             "text to go on with. Default: the run's, else auto."},
    {"max-tokens", CLI_COUNT, offsetof(values, max_tokens), "N", .low = 1, .high = 1000000000,
     .fallback = "256", .help = "Most tokens of an answer."},
    {"temperature", CLI_NUMBER, offsetof(values, temperature), "T", .from = 0.0, .to = 100.0,
     .fallback = "0",
     .help = "0: always the likeliest token; above: tokens are drawn, the higher "
             "the more evenly."},
    {"top-k", CLI_COUNT, offsetof(values, top_k), "K", .low = 0, .high = 1000000000,
     .fallback = "0", .help = "Draw from the K likeliest tokens; 0: from all."},
    {"top-p", CLI_NUMBER, offsetof(values, top_p), "P", .from = 0.0, .to = 1.0, .fallback = "1",
     .help = "Draw from the fewest likeliest tokens that make up P; 0 or 1: from all."},
    {"min-p", CLI_NUMBER, offsetof(values, min_p), "P", .from = 0.0, .to = 1.0, .fallback = "0",
     .help = "Draw from tokens at least P times as likely as the likeliest; 0: from all."},
    {"repetition-penalty", CLI_NUMBER, offsetof(values, repetition_penalty), "R", .from = 0.0,
     .to = 100.0, .fallback = "1",
     .help = "Above 1: tokens that occurred in prompt or answer get less likely. 0 or 1: off. Then "
             "come temperature, top-k, top-p and min-p, each on what the one before left."},
    {"seed", CLI_COUNT, offsetof(values, seed), "N", .low = 0, .high = SIZE_MAX, .fallback = "0",
     .help = "Of the draws: the same seed gives the same answers."},
    {"stop", CLI_TEXTS, offsetof(values, stops), "TEXT",
     .help = "A text that ends an answer and is left out of it. May be given several times."},
    {"ignore-eos", CLI_FLAG, offsetof(values, ignore_eos),
     .help = "Go on to --max-tokens where the model would end."},
    {"batch", CLI_COUNT, offsetof(values, batch), "N", .low = 0, .high = 4096, .fallback = "0",
     .help = "Most prompts answered side by side; 0: 16. Fewer where memory is short. The answers "
             "do not depend on it."},
    {"json", CLI_FLAG, offsetof(values, json), .help = "One JSON object an answer."},
    {0},
};

const cli_command cmd_generate = {
    .name = "generate",
    .summary = "Answer prompts with a model, or chat with it",
    .arguments = "[FILE]",
    .operand = "FILE",
    .details =
        "Prompts come from --prompt, or from FILE, or from standard input (- or no FILE); where "
        "that is a terminal, a chat begins. FILE has one prompt a line, plain or gzip: a text, or "
        "a JSON object with \"prompt\", with \"messages\", or of another form that `lcal train` "
        "reads as text; answers in it are left out. Empty lines are passed over.\n"
        "Text appears as it is made, the answers in order of their prompts with an empty line "
        "between. --json prints {\"prompt\", \"text\", \"tokens\", \"finish\"} a line, finish "
        "being "
        "end, stop or length. Ctrl-C ends the answer, a second one the command.",
    .options = options,
    .values_size = sizeof(values),
    .operands_max = 1,
    .run = run,
};
