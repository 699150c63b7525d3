#define _POSIX_C_SOURCE 200809L /* clock_gettime, isatty */
#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exit.h"
#include "json_out.h"
#include "text.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool answers_init(answers *a, const lcal_prompt *prompts, size_t count, bool json)
{
    *a = (answers){.prompts = prompts, .count = count, .json = json, .begun = now()};
    a->items = calloc(count + 1, sizeof(*a->items));
    return a->items != NULL;
}

void answers_free(answers *a)
{
    for (size_t i = 0; a->items && i < a->count; i++)
        free(a->items[i].text);
    free(a->items);
    a->items = NULL;
}

/* Text of a model may hold what steers a terminal. */
static void print_text(const char *text, size_t length)
{
    if (isatty(STDOUT_FILENO))
        text_print_tame(text, length);
    else
        fwrite(text, 1, length, stdout);
}

static void print_prompt(const lcal_prompt *prompt)
{
    if (prompt->count == 1 && strcmp(prompt->messages[0].role, "user") == 0) {
        fputs("\"prompt\":", stdout);
        json_text(prompt->messages[0].text);
        return;
    }
    fputs("\"messages\":[", stdout);
    for (size_t i = 0; i < prompt->count; i++) {
        fputs(i ? ",{\"role\":" : "{\"role\":", stdout);
        json_text(prompt->messages[i].role);
        fputs(",\"content\":", stdout);
        json_text(prompt->messages[i].text);
        putchar('}');
    }
    putchar(']');
}

static const char *finish_word(lcal_finish finish)
{
    switch (finish) {
    case LCAL_FINISH_END:
        return "end";
    case LCAL_FINISH_STOP:
        return "stop";
    case LCAL_FINISH_LENGTH:
        return "length";
    case LCAL_FINISH_NOT:
        break;
    }
    return "interrupted";
}

static void print_json(const answers *a, size_t index)
{
    const answers_item *item = &a->items[index];
    putchar('{');
    print_prompt(&a->prompts[index]);
    fputs(",\"text\":", stdout);
    json_bytes(item->text ? item->text : "", item->length);
    printf(",\"tokens\":%zu,\"finish\":\"%s\"}\n", item->tokens, finish_word(item->finish));
}

static bool keep(answers_item *item, const char *text, size_t length)
{
    if (item->capacity - item->length < length) {
        const size_t capacity = 2 * item->capacity + length + 256;
        char *grown = realloc(item->text, capacity);
        if (!grown)
            return false;
        item->text = grown;
        item->capacity = capacity;
    }
    if (length)
        memcpy(item->text + item->length, text, length);
    item->length += length;
    return true;
}

static void end_line(const answers *a)
{
    putchar('\n');
    if (a->turn + 1 < a->count) /* an answer may have many lines: an empty one parts two */
        putchar('\n');
}

/* Prints what is kept and has its turn. */
static void catch_up(answers *a)
{
    for (; a->turn < a->count; a->turn++) {
        answers_item *item = &a->items[a->turn];
        const bool over = item->finish != LCAL_FINISH_NOT;
        if (a->json && over)
            print_json(a, a->turn);
        if (!a->json && item->length)
            print_text(item->text, item->length);
        if (!a->json && over)
            end_line(a);
        if (!a->json || over)
            item->length = 0;
        if (!over)
            break;
        free(item->text);
        item->text = NULL;
        item->capacity = 0;
    }
    fflush(stdout);
}

bool answers_piece(void *user, const lcal_piece *piece)
{
    answers *a = user;
    answers_item *item = &a->items[piece->prompt];
    a->last = now();
    if (a->first == 0.0)
        a->first = a->last;
    if (!item->begun)
        a->prompt_tokens += piece->prompt_tokens;
    item->begun = true;
    a->tokens += piece->tokens - item->tokens;
    item->tokens = piece->tokens;
    item->finish = piece->finish;
    if (!keep(item, piece->text, piece->length))
        a->status = exit_error(&a->err, LCAL_NOMEM, "out of memory: an answer");
    else if (piece->prompt == a->turn && (piece->length || piece->finish != LCAL_FINISH_NOT))
        catch_up(a);
    if (a->status == LCAL_OK)
        a->status = exit_check_stdout(&a->err);
    return a->status == LCAL_OK && !(a->interrupted && a->interrupted());
}

void answers_break(answers *a)
{
    if (a->turn == a->count)
        return;
    if (a->json) {
        print_json(a, a->turn);
        a->turn = a->count;
    } else {
        putchar('\n');
    }
    fflush(stdout);
}

void answers_summary(const answers *a)
{
    const double seconds = a->last - a->first;
    fprintf(stderr, "%zu prompt%s of %zu tokens, %zu tokens generated in %.2f s", a->count,
            a->count == 1 ? "" : "s", a->prompt_tokens, a->tokens, a->last - a->begun);
    if (a->tokens > 1 && seconds > 0.0)
        fprintf(stderr, ", %.1f tokens/s after the first", (double)(a->tokens - 1) / seconds);
    fputc('\n', stderr);
}
