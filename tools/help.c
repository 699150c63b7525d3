#include "help.h"

#include <stdio.h>
#include <string.h>

#include "lcal/config.h"
#include "lcal/version.h"

#define WIDTH 80
#define OPTION_INDENT 22
#define KEY_INDENT 6

/* Words of `text` in lines of at most WIDTH, each begun with `indent` spaces; the first line has
 * `column` characters already. */
static void wrap(const char *text, size_t indent, size_t column)
{
    while (*text) {
        size_t length = strcspn(text, " \n");
        if (column > indent && column + 1 + length > WIDTH) {
            putchar('\n');
            column = 0;
        }
        for (; column < indent; column++)
            putchar(' ');
        if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)length, text);
        column += length;
        text += length;
        if (*text == '\n') {
            putchar('\n');
            column = 0;
        }
        text += *text != '\0';
    }
    putchar('\n');
}

static void describe_range(const cli_option *o, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "%s", o->help);
    if (o->kind == CLI_CHOICE && at < size) {
        at += (size_t)snprintf(text + at, size - at, " One of:");
        for (size_t i = 0; o->words[i] && at < size; i++)
            at += (size_t)snprintf(text + at, size - at, "%s %s", i ? "," : "", o->words[i]);
        if (at < size)
            at += (size_t)snprintf(text + at, size - at, ".");
    }
    if (o->kind == CLI_COUNT && at < size)
        at += (size_t)snprintf(text + at, size - at, " Range: %zu..%zu.", o->low, o->high);
    if (o->kind == CLI_NUMBER && at < size)
        at += (size_t)snprintf(text + at, size - at, " Range: %g..%g.", o->from, o->to);
    if (o->required && at < size)
        at += (size_t)snprintf(text + at, size - at, " Required.");
    if (o->fallback && at < size)
        snprintf(text + at, size - at, " Default: %s.", o->fallback);
}

static void print_option(const char *name, const char *value, const char *text)
{
    int column = printf("  --%s%s%s", name, value ? " " : "", value ? value : "");
    if (column >= OPTION_INDENT) {
        putchar('\n');
        column = 0;
    }
    wrap(text, OPTION_INDENT, (size_t)column);
}

static void print_options(const cli_command *command)
{
    puts("\nOptions:");
    for (const cli_option *o = command->options; o->name; o++) {
        char text[1024];
        describe_range(o, text, sizeof(text));
        print_option(o->name, o->kind == CLI_FLAG ? NULL : o->value, text);
    }
    print_option("help", NULL, "Print this text.");
}

static void print_keys(void)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    for (size_t i = 0; i < count; i++) {
        const lcal_option *o = &options[i];
        char form[512];
        snprintf(form, sizeof(form), "(%s%s%s%s%s)", o->type, *o->fallback ? "; default " : "",
                 o->fallback, *o->range ? "; " : "", o->range);
        wrap(form, KEY_INDENT, (size_t)printf("  %s", o->key));
        wrap(o->help, KEY_INDENT, 0);
    }
}

void help_overview(void)
{
    printf("lcal %s: learnable calibration, one forward pass for two tasks at once\n\n"
           "Usage: lcal COMMAND [options] [arguments]\n\nCommands:\n",
           lcal_version());
    for (size_t i = 0; cli_commands[i]; i++)
        printf("  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    puts("\n`lcal help COMMAND` or `lcal COMMAND --help` shows a command's options,\n"
         "`lcal help config` every key of a configuration.\n\n"
         "Results go to standard output, progress and messages to standard error.\n"
         "Exit status: 0 success; 2 command line or configuration; 3 input file;\n"
         "4 numeric failure; 5 input/output or memory; 130 interrupted after saving.");
}

void help_command(const cli_command *command)
{
    printf("Usage: lcal %s [options]%s%s\n\n", command->name, *command->arguments ? " " : "",
           command->arguments);
    printf("%s.\n", command->summary);
    if (command->details) {
        putchar('\n');
        wrap(command->details, 0, 0);
    }
    print_options(command);
    if (command->config_keys) {
        puts("\nConfiguration keys, in the file or as key=value (section.key=value):");
        print_keys();
    }
}

void help_config(void)
{
    puts("A configuration is a YAML file; dotted keys are nested maps (train.lr is key lr of map\n"
         "train), or key=value on the command line, which wins over the file. Paths in a file are\n"
         "relative to it, on the command line to the working directory.\n");
    print_keys();
}
