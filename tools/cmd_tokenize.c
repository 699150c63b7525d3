#define _POSIX_C_SOURCE 200809L /* getline */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "commands.h"
#include "exit.h"
#include "json_in.h"
#include "json_out.h"
#include "lcal/config.h"
#include "lcal/tokenizer.h"

typedef struct values {
    const char *model, *tokenizer;
    bool parse_special, add_special, decode, json;
} values;

/* What one line of input is turned into a line of output with. */
typedef struct job {
    const values *v;
    const lcal_tokenizer *tokenizer;
    const char *source; /* the input's name */
    size_t line;        /* from 1 */
    int32_t *ids;       /* --decode: the line's ids, [count] */
    size_t count, capacity;
} job;

static lcal_status fail_line(const job *j, lcal_error *err, const char *what)
{
    err->status = LCAL_FORMAT;
    snprintf(err->message, sizeof(err->message), "%.4000s: line %zu: %.4000s", j->source, j->line,
             what);
    return LCAL_FORMAT;
}

static void print_ids(const int32_t *ids, size_t count, bool json)
{
    if (json)
        putchar('[');
    for (size_t i = 0; i < count; i++)
        printf("%s%ld", i ? json ? "," : " " : "", (long)ids[i]);
    fputs(json ? "]\n" : "\n", stdout);
}

static lcal_status encode_line(job *j, char *text, size_t length, lcal_error *err)
{
    int32_t *ids;
    size_t count;
    if (j->v->json && !json_in_string(text, length, &length))
        return fail_line(j, err, "expected a JSON string");
    const unsigned flags = (j->v->parse_special ? LCAL_PARSE_SPECIAL : 0u)
                           | (j->v->add_special ? LCAL_ADD_SPECIAL : 0u);
    lcal_status status =
        lcal_tokenizer_encode(j->tokenizer, text, length, flags, &ids, &count, err);
    if (status != LCAL_OK)
        return status;
    print_ids(ids, count, j->v->json);
    lcal_ids_free(ids);
    return LCAL_OK;
}

static lcal_status add_id(job *j, int32_t id, lcal_error *err)
{
    if (j->count == j->capacity) {
        size_t capacity = j->capacity ? 2 * j->capacity : 1024;
        int32_t *ids = realloc(j->ids, capacity * sizeof(*ids));
        if (!ids) {
            fail_line(j, err, "out of memory");
            return err->status = LCAL_NOMEM;
        }
        j->ids = ids;
        j->capacity = capacity;
    }
    j->ids[j->count++] = id;
    return LCAL_OK;
}

/* Both forms that print_ids writes: "1 2 3" and "[1,2,3]". */
static lcal_status read_ids(job *j, const char *text, size_t length, lcal_error *err)
{
    j->count = 0;
    for (size_t at = 0; at < length;) {
        long id = 0;
        if (text[at] && strchr("[], \t\r", text[at])) {
            at++;
            continue;
        }
        if (text[at] < '0' || text[at] > '9')
            return fail_line(j, err, "expected token ids, numbers with spaces between");
        for (; at < length && text[at] >= '0' && text[at] <= '9'; at++)
            id = id > INT32_MAX / 10 - 1 ? INT32_MAX : id * 10 + (text[at] - '0');
        lcal_status status = add_id(j, (int32_t)id, err);
        if (status != LCAL_OK)
            return status;
    }
    return LCAL_OK;
}

static lcal_status decode_line(job *j, char *text, size_t length, lcal_error *err)
{
    char *decoded;
    size_t decoded_length;
    lcal_status status = read_ids(j, text, length, err);
    if (status != LCAL_OK)
        return status;
    status =
        lcal_tokenizer_decode(j->tokenizer, j->ids, j->count, 0, &decoded, &decoded_length, err);
    if (status == LCAL_INVALID) {
        lcal_error inner = *err;
        return fail_line(j, err, inner.message);
    }
    if (status != LCAL_OK)
        return status;
    if (j->v->json)
        json_bytes(decoded, decoded_length);
    else
        fwrite(decoded, 1, decoded_length, stdout);
    putchar('\n');
    lcal_text_free(decoded);
    return LCAL_OK;
}

static lcal_status run_lines(job *j, FILE *input, lcal_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    lcal_status status = LCAL_OK;
    errno = 0;
    for (ssize_t got; status == LCAL_OK && (got = getline(&line, &capacity, input)) >= 0;) {
        size_t length = (size_t)got;
        j->line++;
        length -= length && line[length - 1] == '\n';
        line[length] = '\0';
        status =
            j->v->decode ? decode_line(j, line, length, err) : encode_line(j, line, length, err);
        if (status == LCAL_OK)
            status = exit_check_stdout(err);
    }
    if (status == LCAL_OK && ferror(input)) {
        err->status = status = LCAL_IO;
        snprintf(err->message, sizeof(err->message), "%s: cannot read: %s", j->source,
                 strerror(errno));
    }
    free(line);
    free(j->ids);
    return status;
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    const char *file = call->operand_count ? call->operands[0] : NULL;
    lcal_error err = {0};
    lcal_tokenizer *tokenizer = NULL;
    if (!v->model == !v->tokenizer)
        return cli_usage_error(call->command, "give either --model or --tokenizer");
    if (lcal_tokenizer_open_cached(v->model ? v->model : v->tokenizer, cache_directory(), NULL,
                                   &tokenizer, &err)
        != LCAL_OK)
        return exit_failure("tokenize", &err);
    FILE *input = file ? fopen(file, "rb") : stdin;
    int status = 0;
    if (!input) {
        fprintf(stderr, "lcal tokenize: %s: cannot open: %s\n", file, strerror(errno));
        status = EXIT_SYSTEM;
    } else {
        job j = {.v = v, .tokenizer = tokenizer, .source = file ? file : "standard input"};
        if (run_lines(&j, input, &err) != LCAL_OK)
            status = exit_failure("tokenize", &err);
        if (file)
            fclose(input);
    }
    lcal_tokenizer_close(&tokenizer);
    return status;
}

static const cli_option options[] = {
    {"model", CLI_TEXT, offsetof(values, model), "DIR",
     .help = "Model directory that holds tokenizer.json, tokenizer.gguf or a tok*.bin of "
             "llama2.c."},
    {"tokenizer", CLI_TEXT, offsetof(values, tokenizer), "FILE",
     .help = "The tokenizer's file itself: tokenizer.json, GGUF or llama2.c's .bin."},
    {"parse-special", CLI_FLAG, offsetof(values, parse_special),
     .help = "Text that spells a special token becomes that token."},
    {"add-special", CLI_FLAG, offsetof(values, add_special),
     .help = "Add what the tokenizer puts around a text, such as BOS."},
    {"decode", CLI_FLAG, offsetof(values, decode),
     .help = "The other way: lines of ids become text, special tokens included."},
    {"json", CLI_FLAG, offsetof(values, json),
     .help = "Texts are JSON strings, one a line, lists of ids are JSON."},
    {0},
};

const cli_command cmd_tokenize = {
    .name = "tokenize",
    .summary = "Turn lines of text into token ids, or ids into text",
    .arguments = "[FILE]",
    .operand = "FILE",
    .details =
        "Reads FILE, or standard input. Each line is a text (its newline left out), answered "
        "by its ids with spaces between. Bytes that are no UTF-8 count as U+FFFD.\n"
        "A large tokenizer.json is kept in quickly readable form in $LCAL_CACHE, else "
        "$XDG_CACHE_HOME/lcal, else ~/.cache/lcal; an empty LCAL_CACHE turns that off. The "
        "directory may be deleted at any time.",
    .options = options,
    .values_size = sizeof(values),
    .operands_max = 1,
    .run = run,
};
