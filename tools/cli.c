#include "cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "lcal/config.h"

#define WORDS_MAX 64 /* options of a command, and commands */

/* One run of the parser. */
typedef struct parser {
    const cli_command *command;
    cli_call *call;
    size_t mistakes;
} parser;

static void complain(const cli_command *command, const char *format, va_list args)
{
    fprintf(stderr, "lcal %s: ", command->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

static void mistake(parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void mistake(parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(p->command, format, args);
    va_end(args);
    p->mistakes++;
}

static int hint(const cli_command *command)
{
    fprintf(stderr, "`lcal help %s` shows every option.\n", command->name);
    return EXIT_USAGE;
}

int cli_usage_error(const cli_command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(command, format, args);
    va_end(args);
    return hint(command);
}

const cli_command *cli_find(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

const char *cli_nearest_command(const char *name)
{
    const char *words[WORDS_MAX];
    size_t count = 0;
    for (; cli_commands[count] && count < WORDS_MAX; count++)
        words[count] = cli_commands[count]->name;
    return lcal_nearest_word(name, words, count);
}

bool cli_count(const char *text, size_t low, size_t high, size_t *out)
{
    size_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        size_t digit = (size_t)(*text - '0');
        if (value > (SIZE_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value < low || value > high)
        return false;
    *out = value;
    return true;
}

bool cli_number(const char *text, double from, double to, double *out)
{
    char *end = NULL;
    /* strtod knows more forms: white space before it, hexadecimal, "inf", "nan". */
    if (!*text || text[strspn(text, "0123456789+-.eE")])
        return false;
    const double value = strtod(text, &end);
    if (*end || !isfinite(value) || value < from || value > to)
        return false;
    *out = value;
    return true;
}

/* The option that argument "NAME" or "NAME=VALUE" names; *value is what follows "=", or NULL. */
static const cli_option *find_option(const cli_command *command, const char *name,
                                     const char **value)
{
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    *value = equals ? equals + 1 : NULL;
    for (const cli_option *o = command->options; o->name; o++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

static void unknown_option(parser *p, const char *argument)
{
    const char *words[WORDS_MAX] = {"help"};
    size_t count = 1;
    for (const cli_option *o = p->command->options; o->name && count < WORDS_MAX; o++)
        words[count++] = o->name;
    char name[WORDS_MAX];
    const char *bare = argument + strspn(argument, "-"); /* "-json" is near too */
    size_t length = strcspn(bare, "=");
    const char *nearest = NULL;
    if (length < sizeof(name)) {
        memcpy(name, bare, length);
        name[length] = '\0';
        nearest = lcal_nearest_word(name, words, count);
    }
    if (nearest)
        mistake(p, "unknown option %s; did you mean --%s?", argument, nearest);
    else
        mistake(p, "unknown option %s", argument);
}

static bool find_choice(const cli_option *o, const char *value, size_t *out)
{
    for (size_t i = 0; o->words[i]; i++)
        if (strcmp(o->words[i], value) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static void set_choice(parser *p, const cli_option *o, const char *value, size_t *out)
{
    if (find_choice(o, value, out))
        return;
    char allowed[256] = "";
    for (size_t i = 0, at = 0; o->words[i] && at < sizeof(allowed); i++)
        at += (size_t)snprintf(allowed + at, sizeof(allowed) - at, "%s%s", i ? ", " : "",
                               o->words[i]);
    mistake(p, "--%s: expected one of %s, found \"%s\"", o->name, allowed, value);
}

static void set_value(parser *p, const cli_option *o, const char *value)
{
    char *field = (char *)p->call->values + o->offset;
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)(void *)field = true;
        break;
    case CLI_TEXT:
        if (!*value && !o->empty)
            mistake(p, "--%s: expected %s, found nothing", o->name, o->value);
        *(const char **)(void *)field = value;
        break;
    case CLI_TEXTS: {
        cli_texts *texts = (cli_texts *)(void *)field;
        if (!*value && !o->empty)
            mistake(p, "--%s: expected %s, found nothing", o->name, o->value);
        texts->items[texts->count++] = value;
        break;
    }
    case CLI_COUNT:
        if (!cli_count(value, o->low, o->high, (size_t *)(void *)field))
            mistake(p, "--%s: expected a whole number from %zu to %zu, found \"%s\"", o->name,
                    o->low, o->high, value);
        break;
    case CLI_NUMBER:
        if (!cli_number(value, o->from, o->to, (double *)(void *)field))
            mistake(p, "--%s: expected a number from %g to %g, found \"%s\"", o->name, o->from,
                    o->to, value);
        break;
    case CLI_CHOICE:
        set_choice(p, o, value, (size_t *)(void *)field);
        break;
    }
}

/* What is not given is its default, where help shows one that is a value ("all" may be none). */
static void set_defaults(parser *p)
{
    for (const cli_option *o = p->command->options; o->name; o++) {
        void *field = (char *)p->call->values + o->offset;
        if (!o->fallback || p->call->given[o - p->command->options])
            continue;
        if (o->kind == CLI_COUNT)
            cli_count(o->fallback, o->low, o->high, field);
        else if (o->kind == CLI_NUMBER)
            cli_number(o->fallback, o->from, o->to, field);
        else if (o->kind == CLI_CHOICE)
            find_choice(o, o->fallback, field);
    }
}

/* argv[at] begins with a dash. Returns the index of the last argument used. */
static int parse_option(parser *p, int argc, char **argv, int at)
{
    const char *argument = argv[at], *value = NULL;
    const cli_option *o = NULL;
    if (strncmp(argument, "--", 2) == 0)
        o = find_option(p->command, argument + 2, &value);
    if (!o) {
        unknown_option(p, argument);
        return at;
    }
    size_t index = (size_t)(o - p->command->options);
    if (p->call->given[index] && o->kind != CLI_TEXTS && o->kind != CLI_FLAG)
        mistake(p, "--%s: given twice", o->name);
    p->call->given[index] = true;
    if (o->kind == CLI_FLAG) {
        if (value)
            mistake(p, "--%s: takes no value, found \"%s\"", o->name, value);
        set_value(p, o, "");
        return at;
    }
    if (!value && at + 1 < argc)
        value = argv[++at];
    if (value)
        set_value(p, o, value);
    else
        mistake(p, "--%s: expected %s after it, found nothing", o->name, o->value);
    return at;
}

/* "train.lr=3e-3": a key of letters, digits, "_" and ".", so that "./a=b" can name a file. */
static bool is_override(const char *argument)
{
    size_t length = strspn(argument, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_.[]-");
    return length > 0 && argument[length] == '=';
}

static void parse_operand(parser *p, const char *argument)
{
    if (p->command->overrides && is_override(argument))
        p->call->overrides[p->call->override_count++] = argument;
    else if (p->call->operand_count < p->command->operands_max)
        p->call->operands[p->call->operand_count++] = argument;
    else
        mistake(p, "unexpected argument \"%s\"", argument);
}

static void check_complete(parser *p)
{
    for (const cli_option *o = p->command->options; o->name; o++)
        if (o->required && !p->call->given[o - p->command->options])
            mistake(p, "--%s %s is missing", o->name, o->value);
    if (p->call->operand_count < p->command->operands_min)
        mistake(p, "%s is missing", p->command->operand);
}

/* Room for as many of anything as there are arguments. */
static bool allocate(parser *p, size_t arguments)
{
    size_t options = 0;
    bool complete = true;
    p->call->values = calloc(1, p->command->values_size + 1);
    p->call->operands = calloc(arguments + 1, sizeof(char *));
    p->call->overrides = calloc(arguments + 1, sizeof(char *));
    for (const cli_option *o = p->command->options; o->name && p->call->values; o++, options++)
        if (o->kind == CLI_TEXTS) {
            cli_texts *texts = (cli_texts *)(void *)((char *)p->call->values + o->offset);
            texts->items = calloc(arguments + 1, sizeof(char *));
            complete = complete && texts->items;
        }
    p->call->given = calloc(options + 1, sizeof(bool));
    return complete && p->call->values && p->call->operands && p->call->overrides && p->call->given;
}

int cli_parse(const cli_command *command, int argc, char **argv, cli_call *out)
{
    *out = (cli_call){.command = command};
    parser p = {.command = command, .call = out};
    if (!allocate(&p, (size_t)argc)) {
        fprintf(stderr, "lcal %s: out of memory\n", command->name);
        return EXIT_SYSTEM;
    }
    bool options = true;
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i];
        if (!options || argument[0] != '-' || !argument[1])
            parse_operand(&p, argument);
        else if (strcmp(argument, "--") == 0)
            options = false;
        else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
            out->help = true;
        else
            i = parse_option(&p, argc, argv, i);
        if (out->help)
            break;
    }
    if (!out->help)
        check_complete(&p);
    set_defaults(&p);
    return p.mistakes && !out->help ? hint(command) : 0;
}

bool cli_given(const cli_call *call, const char *name)
{
    for (const cli_option *o = call->command->options; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return call->given[o - call->command->options];
    return false;
}

void cli_free(cli_call *call)
{
    for (const cli_option *o = call->command->options; o->name && call->values; o++)
        if (o->kind == CLI_TEXTS)
            free(((cli_texts *)(void *)((char *)call->values + o->offset))->items);
    free(call->values);
    free(call->given);
    free(call->operands);
    free(call->overrides);
    *call = (cli_call){.command = call->command};
}
