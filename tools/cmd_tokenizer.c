#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cache.h"
#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/tokenizer.h"

typedef struct values {
    const char *out, *bos, *eos, *pad;
    cli_texts special, fields;
    size_t vocab, min_frequency, pattern, template, threads;
    bool nfc, add_bos, overwrite, json, quiet;
} values;

static const char *const patterns[] = {"llama3", "qwen2", "gpt2", NULL};
static const char *const templates[] = {"none", "llama3", "chatml", "zephyr", NULL};

/* Seconds between two lines of progress. */
#define PROGRESS_SECONDS 2

static void print_progress(void *user, const lcal_tokenizer_progress *now)
{
    time_t *shown = user, time_now = time(NULL);
    if (time_now - *shown < PROGRESS_SECONDS)
        return;
    *shown = time_now;
    if (now->tokens)
        fprintf(stderr, "%zu of %zu tokens\n", now->tokens, now->goal);
    else
        fprintf(stderr, "read %.1f MB of text\n", (double)now->bytes * 1e-6);
}

static void print_trained(const lcal_tokenizer_trained *result, bool json)
{
    if (json)
        printf("{\"tokens\":%zu,\"special\":%zu,\"merges\":%zu,\"words\":%zu,\"bytes\":%llu}\n",
               result->vocab, result->special, result->merges, result->words,
               (unsigned long long)result->bytes);
    else
        printf(
            "%zu tokens (%zu special, 256 bytes, %zu merges) from %zu different words in %.1f MB "
            "of text\n",
            result->vocab, result->special, result->merges, result->words,
            (double)result->bytes * 1e-6);
}

static int run_train(const cli_call *call)
{
    const values *v = call->values;
    if (call->operand_count < 2)
        return cli_usage_error(call->command, "train: expected files of text");
    if (!v->out || !v->vocab)
        return cli_usage_error(call->command, "train: --out and --vocab are required");
    time_t shown = time(NULL);
    const lcal_tokenizer_training training = {.vocab = v->vocab,
                                              .min_frequency = v->min_frequency,
                                              .pattern = patterns[v->pattern],
                                              .nfc = v->nfc,
                                              .bos = v->bos,
                                              .eos = v->eos,
                                              .pad = v->pad,
                                              .special = v->special.items,
                                              .special_count = v->special.count,
                                              .add_bos = v->add_bos,
                                              .chat_template =
                                                  v->template ? templates[v->template] : NULL,
                                              .fields = v->fields.items,
                                              .field_count = v->fields.count,
                                              .threads = v->threads,
                                              .overwrite = v->overwrite,
                                              .progress = v->quiet ? NULL : print_progress,
                                              .user = &shown};
    lcal_tokenizer_trained result;
    lcal_error err = {0};
    if (lcal_tokenizer_train(call->operands + 1, call->operand_count - 1, v->out, &training,
                             &result, &err)
        != LCAL_OK)
        return exit_failure("tokenizer train", &err);
    if (result.vocab < v->vocab)
        fprintf(stderr,
                "notice: %zu tokens instead of %zu: no other pair occurs %zu times; give more text "
                "or a lower --min-frequency\n",
                result.vocab, v->vocab, v->min_frequency);
    print_trained(&result, v->json);
    return 0;
}

static void print_token(const lcal_tokenizer *t, const char *name, int32_t id, bool json)
{
    const char *text = lcal_tokenizer_token(t, id, NULL);
    if (json) {
        printf("\"%s\":", name);
        if (text) {
            printf("{\"id\":%ld,\"text\":", (long)id);
            json_bytes(text, strlen(text));
            printf("},");
        } else {
            printf("null,");
        }
    } else if (text) {
        printf("%s: %ld ", name, (long)id);
        json_bytes(text, strlen(text));
        putchar('\n');
    } else {
        printf("%s: none\n", name);
    }
}

static void print_info(const lcal_tokenizer *t, bool json)
{
    const int32_t ids = (int32_t)lcal_tokenizer_size(t);
    size_t tokens = 0, found = 0;
    for (int32_t id = 0; id < ids; id++)
        tokens += lcal_tokenizer_token(t, id, NULL) != NULL;
    printf(json ? "{\"ids\":%ld,\"tokens\":%zu," : "ids: %ld\ntokens: %zu\n", (long)ids, tokens);
    print_token(t, "bos", lcal_tokenizer_bos(t), json);
    print_token(t, "eos", lcal_tokenizer_eos(t), json);
    fputs(json ? "\"special\":[" : "special:\n", stdout);
    for (int32_t id = 0; id < ids; id++) {
        bool special = false;
        const char *text = lcal_tokenizer_token(t, id, &special);
        if (!text || !special)
            continue;
        if (json)
            printf("%s{\"id\":%ld,\"text\":", found++ ? "," : "", (long)id);
        else
            printf("  %ld ", (long)id);
        json_bytes(text, strlen(text));
        fputs(json ? "}" : "\n", stdout);
    }
    if (json)
        puts("]}");
}

static int run_info(const cli_call *call)
{
    const values *v = call->values;
    lcal_tokenizer *tokenizer = NULL;
    lcal_error err = {0};
    if (call->operand_count != 2)
        return cli_usage_error(call->command, "info: expected one tokenizer's file or directory");
    if (lcal_tokenizer_open_cached(call->operands[1], cache_directory(), NULL, &tokenizer, &err)
        != LCAL_OK)
        return exit_failure("tokenizer info", &err);
    print_info(tokenizer, v->json);
    lcal_tokenizer_close(&tokenizer);
    return 0;
}

static int run(const cli_call *call)
{
    if (strcmp(call->operands[0], "train") == 0)
        return run_train(call);
    if (strcmp(call->operands[0], "info") == 0)
        return run_info(call);
    return cli_usage_error(call->command, "expected train or info, found \"%s\"",
                           call->operands[0]);
}

static const cli_option options[] = {
    {"out", CLI_TEXT, offsetof(values, out), "PATH",
     .help = "train: where tokenizer.json goes, a directory or a file name that ends in .json; "
             "tokenizer_config.json is written beside it."},
    {"vocab", CLI_COUNT, offsetof(values, vocab), "N", .low = 257, .high = 4194304,
     .help = "train: token ids in all, special tokens and the 256 bytes included."},
    {"field", CLI_TEXTS, offsetof(values, fields), "NAME",
     .help = "train: FILEs are JSON lines, and the text is what stands under NAME (prompt, "
             "completion, ...). May be given several times."},
    {"pattern", CLI_CHOICE, offsetof(values, pattern), "NAME", .words = patterns,
     .fallback = "llama3", .help = "train: how text is cut into words, which merges never cross."},
    {"min-frequency", CLI_COUNT, offsetof(values, min_frequency), "N", .low = 1,
     .high = SIZE_MAX / 2, .fallback = "2",
     .help = "train: a pair that occurs less often is not merged."},
    {"nfc", CLI_FLAG, offsetof(values, nfc),
     .help = "train: compose characters first (Unicode NFC), as Qwen does."},
    {"special", CLI_TEXTS, offsetof(values, special), "TEXT",
     .help = "train: one more special token. May be given several times."},
    {"bos", CLI_TEXT, offsetof(values, bos), "TEXT",
     .help = "train: the token of a text's begin. Default: <|begin_of_text|>."},
    {"eos", CLI_TEXT, offsetof(values, eos), "TEXT",
     .help = "train: the token of a text's end. Default: <|end_of_text|>."},
    {"pad", CLI_TEXT, offsetof(values, pad), "TEXT",
     .help = "train: the token that fills up. Default: <|pad|>."},
    {"add-bos", CLI_FLAG, offsetof(values, add_bos),
     .help = "train: the tokenizer puts BOS in front of every text."},
    {"template", CLI_CHOICE, offsetof(values, template), "NAME", .words = templates,
     .fallback = "none",
     .help = "train: chat template for tokenizer_config.json, with its special tokens."},
    {"threads", CLI_COUNT, offsetof(values, threads), "N", .low = 0, .high = 1024, .fallback = "0",
     .help = "train: threads; 0: all processors. The result does not depend on it."},
    {"overwrite", CLI_FLAG, offsetof(values, overwrite),
     .help = "train: replace files that are there."},
    {"quiet", CLI_FLAG, offsetof(values, quiet), .help = "train: no progress."},
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print one JSON object."},
    {0},
};

const cli_command cmd_tokenizer = {
    .name = "tokenizer",
    .summary = "Train a tokenizer on text, or tell what one holds",
    .arguments = "train FILE... | info FILE",
    .operand = "\"train\" or \"info\"",
    .details =
        "train: learns a byte-level BPE from text files, plain or gzip, and writes tokenizer.json "
        "and tokenizer_config.json in Hugging Face's formats. The special tokens come first, then "
        "the 256 bytes, then what was learnt, the most frequent pair first and of equally frequent "
        "ones the one with the smaller bytes.\n"
        "info: ids, BOS, EOS and the special tokens of a tokenizer.json, GGUF file, llama2.c "
        "tokenizer or model directory.",
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .run = run,
};
