#include <stdbool.h>
#include <stdio.h>

#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/preview.h"
#include "progress.h"
#include "terminal.h"

typedef struct values {
    size_t count, from;
    bool valid, text, json;
} values;

/* How what is learnt is told from the rest. */
typedef struct style {
    const char *open, *close; /* around it */
    const char *blank;        /* before what is not learnt, as wide as `open` is to the eye */
} style;

static style choose_style(bool in_text)
{
    if (terminal_has_colour(stdout))
        return (style){"\033[32m", "\033[0m", ""};
    return in_text ? (style){"[[", "]]", ""} : (style){"[", "]", " "};
}

typedef struct view {
    const values *v;
    style style;
    size_t shown;
} view;

static void print_tokens(const view *w, const lcal_preview_example *example)
{
    for (size_t i = 0; i < example->count; i++) {
        const lcal_preview_token *token = &example->tokens[i];
        printf("%8ld  %s", (long)token->id, token->loss ? w->style.open : w->style.blank);
        if (token->text)
            json_bytes(token->text, token->length);
        printf("%s\n", token->loss ? w->style.close : "");
    }
}

/* Text as it is, but for what could steer a terminal. */
static void print_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F)
            printf("\\x%02X", byte);
        else
            putchar(byte);
    }
}

static void print_text(const view *w, const lcal_preview_example *example)
{
    bool inside = false;
    for (size_t i = 0; i < example->count; i++) {
        const lcal_preview_token *token = &example->tokens[i];
        if (token->loss != inside)
            fputs(token->loss ? w->style.open : w->style.close, stdout);
        inside = token->loss;
        print_plain(token->text ? token->text : "", token->length);
    }
    fputs(inside ? w->style.close : "", stdout);
    putchar('\n');
}

static void print_json(const lcal_preview_example *example)
{
    printf("{\"index\":%zu,\"tokens\":[", example->index);
    for (size_t i = 0; i < example->count; i++) {
        const lcal_preview_token *token = &example->tokens[i];
        printf("%s{\"id\":%ld,\"text\":", i ? "," : "", (long)token->id);
        if (token->text)
            json_bytes(token->text, token->length);
        else
            fputs("null", stdout);
        printf(",\"loss\":%s}", token->loss ? "true" : "false");
    }
    puts("]}");
}

static lcal_status print_example(void *user, const lcal_preview_example *example, lcal_error *err)
{
    view *w = user;
    size_t learnt = 0;
    for (size_t i = 0; i < example->count; i++)
        learnt += example->tokens[i].loss;
    w->shown++;
    if (w->v->json) {
        print_json(example);
        return exit_check_stdout(err);
    }
    printf("%sexample %zu: %zu tokens, %zu with loss\n", w->shown > 1 ? "\n" : "", example->index,
           example->count, learnt);
    (w->v->text ? print_text : print_tokens)(w, example);
    return exit_check_stdout(err);
}

static void print_counts(FILE *out, const lcal_preview_counts *c, bool valid)
{
    fprintf(out,
            "%zu examples read, %zu used: %zu dropped as too long, %zu dropped with nothing to "
            "learn, %zu cut\n"
            "%zu examples to train on, %zu for validation; those %s have %zu tokens, %zu with "
            "loss\n",
            c->read, c->used, c->dropped_overlong, c->dropped_empty, c->truncated,
            c->train_examples, c->valid_examples, valid ? "for validation" : "to train on",
            c->tokens, c->labels);
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    if (!call->operand_count && !call->override_count)
        return cli_usage_error(call->command, "CONFIG is missing");
    lcal_error err = {0};
    lcal_config *config = NULL;
    progress shown = progress_init(false);
    const lcal_log log = {progress_log, &shown};
    const lcal_preview_options options = {v->from, v->count, v->valid, &log};
    lcal_preview_counts counts;
    view w = {.v = v, .style = choose_style(v->text)};
    lcal_status status =
        lcal_config_open_for(LCAL_FOR_TRAINER, call->operand_count ? call->operands[0] : NULL,
                             call->overrides, call->override_count, &config, &err);
    if (status == LCAL_OK)
        status = lcal_preview(config, &options, print_example, &w, &counts, &err);
    lcal_config_close(&config);
    if (status != LCAL_OK)
        return exit_failure("preview", &err);
    if (w.shown == 0)
        fprintf(stderr, "lcal preview: no example that is used has a number from %zu on\n",
                v->from);
    if (!v->json)
        putchar('\n');
    print_counts(v->json ? stderr : stdout, &counts, v->valid);
    return 0;
}

static const cli_option options[] = {
    {"count", CLI_COUNT, offsetof(values, count), "N", .low = 0, .high = 4294967295,
     .fallback = "3", .help = "Examples to show; 0: all."},
    {"from", CLI_COUNT, offsetof(values, from), "N", .low = 0, .high = 4294967295, .fallback = "0",
     .help = "Number in the file, from 0, of the first example to show."},
    {"valid", CLI_FLAG, offsetof(values, valid),
     .help = "Show examples of validation instead of those trained on."},
    {"text", CLI_FLAG, offsetof(values, text),
     .help = "Show running text instead of a line for each token."},
    {"json", CLI_FLAG, offsetof(values, json),
     .help = "One JSON object an example: {\"index\", \"tokens\": [{\"id\", \"text\", \"loss\"}, "
             "...]}."},
    {0},
};

const cli_command cmd_preview = {
    .name = "preview",
    .summary = "Show examples as token ids, and which of them are learnt",
    .arguments = "CONFIG [key=value ...]",
    .operand = "CONFIG",
    .details =
        "Examples are read as `lcal train` reads them: by the model's tokenizer, in its chat "
        "template, with the same ones dropped, cut and held out. What is learnt is shown in "
        "colour on a terminal, else in brackets. The key out need not be given.",
    .options = options,
    .values_size = sizeof(values),
    .operands_max = 1,
    .overrides = true,
    .config_keys = true,
    .run = run,
};
