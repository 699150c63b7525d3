#define _POSIX_C_SOURCE 200809L /* getline, isatty */
#include "chat_loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "exit.h"
#include "interrupt.h"

#define NAME "generate"

typedef struct loop {
    lcal_chat *chat;
    bool json, terminal;
    size_t line;
} loop;

/* Says one line and prints the answer. */
static int say(loop *l, const char *text)
{
    const lcal_message message = {"user", text};
    const lcal_prompt prompt = {&message, 1};
    lcal_error err = {0};
    answers a;
    if (!answers_init(&a, &prompt, 1, l->json)) {
        exit_error(&err, LCAL_NOMEM, "out of memory: an answer");
        return exit_failure(NAME, &err);
    }
    a.interrupted = interrupt_wanted;
    lcal_status status = lcal_chat_say(l->chat, text, answers_piece, &a, &err);
    if (status == LCAL_OK)
        answers_break(&a);
    if (status == LCAL_OK && a.status != LCAL_OK) {
        err = a.err;
        status = a.status;
    }
    answers_free(&a);
    if (status == LCAL_OK)
        return 0;
    const int failure = exit_failure(NAME, &err);
    return l->terminal && status == LCAL_INVALID ? 0 : failure;
}

/* A line that is for us, not for the model. *over: it ends the chat. */
static bool is_command(loop *l, const char *line, bool *over)
{
    if (line[0] != '/')
        return false;
    *over = strcmp(line, "/exit") == 0;
    if (strcmp(line, "/reset") == 0)
        lcal_chat_reset(l->chat);
    else if (!*over)
        fprintf(stderr, "%.40s is no command; /reset begins anew, /exit ends\n", line);
    return true;
}

static int check_line(const loop *l, const char *line, size_t length)
{
    if (!memchr(line, '\0', length))
        return 0;
    fprintf(stderr, "lcal " NAME ": standard input: line %zu: expected text, found a zero byte\n",
            l->line);
    return EXIT_INPUT;
}

static int read_lines(loop *l)
{
    char *line = NULL;
    size_t capacity = 0;
    int status = 0;
    bool over = false;
    while (status == 0 && !over) {
        if (l->terminal)
            fputs("> ", stderr);
        errno = 0;
        interrupt_breaks_waiting(true);
        const ssize_t got = getline(&line, &capacity, stdin);
        interrupt_breaks_waiting(false);
        if (got < 0)
            break;
        size_t length = (size_t)got;
        l->line++;
        while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            length--;
        line[length] = '\0';
        status = check_line(l, line, length);
        if (status == 0 && length && !is_command(l, line, &over))
            status = say(l, line);
        if (interrupt_wanted() && l->terminal)
            interrupt_clear(); /* it ended the answer */
        else if (interrupt_wanted())
            break;
    }
    if (l->terminal && !over && status == 0)
        fputc('\n', stderr);
    if (status == 0 && interrupt_wanted())
        status = EXIT_INTERRUPTED;
    else if (status == 0 && ferror(stdin)) {
        fprintf(stderr, "lcal " NAME ": standard input: cannot read: %s\n", strerror(errno));
        status = EXIT_SYSTEM;
    }
    free(line);
    return status;
}

int chat_loop(lcal_model *model, const lcal_generate_options *options, bool json)
{
    loop l = {.json = json, .terminal = isatty(STDIN_FILENO)};
    lcal_error err = {0};
    if (lcal_chat_open(model, options, &l.chat, &err) != LCAL_OK)
        return exit_failure(NAME, &err);
    if (l.terminal)
        fputs("/reset begins anew, /exit ends; Ctrl-C ends an answer.\n", stderr);
    interrupt_catch();
    const int status = read_lines(&l);
    lcal_chat_close(&l.chat);
    return status;
}
