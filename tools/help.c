#include "help.h"

#include <stdio.h>
#include <string.h>

#include "help_parts.h"
#include "lcal/version.h"
#include "terminal.h"

#define WIDTH 80
#define OPTION_INDENT 22
#define KEY_INDENT 6
#define TEXT_MAX 2048

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

/* Names and headings stand out on a terminal. Returns the characters that the eye sees. */
static int strong(const char *before, const char *text)
{
    const bool colour = terminal_has_colour(stdout);
    printf("%s%s%s%s", colour ? "\033[1m" : "", before, text, colour ? "\033[0m" : "");
    return (int)(strlen(before) + strlen(text));
}

static void heading(const char *text)
{
    strong("", text);
    putchar('\n');
}

/* --- commands -------------------------------------------------------------------------------- */

static void print_option(const char *name, const char *value, const char *text)
{
    int column = 2;
    fputs("  ", stdout);
    column += strong("--", name);
    column += printf("%s%s", value ? " " : "", value ? value : "");
    if (column >= OPTION_INDENT) {
        putchar('\n');
        column = 0;
    }
    wrap(text, OPTION_INDENT, (size_t)column);
}

static void print_options(const cli_command *command)
{
    putchar('\n');
    heading("Options:");
    for (const cli_option *o = command->options; o->name; o++) {
        char text[TEXT_MAX];
        help_describe_option(o, text, sizeof(text));
        print_option(o->name, o->kind == CLI_FLAG ? NULL : o->value, text);
    }
    print_option("help", NULL, "Print this text.");
}

static void print_key(const lcal_option *o)
{
    char form[TEXT_MAX], bracketed[TEXT_MAX + 2];
    help_describe_key(o, form, sizeof(form));
    snprintf(bracketed, sizeof(bracketed), "(%s)", form);
    fputs("  ", stdout);
    wrap(bracketed, KEY_INDENT, (size_t)(2 + strong("", o->key)));
    wrap(o->help, KEY_INDENT, 0);
}

static void print_keys(void)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    for (size_t i = 0; i < count; i++)
        print_key(&options[i]);
}

void help_overview(void)
{
    size_t widest = 0;
    for (size_t i = 0; cli_commands[i]; i++)
        widest = strlen(cli_commands[i]->name) > widest ? strlen(cli_commands[i]->name) : widest;
    printf("lcal %s: %s\n\nUsage: lcal COMMAND [options] [arguments]\n\n", lcal_version(),
           help_tagline);
    heading("Commands:");
    for (size_t i = 0; cli_commands[i]; i++) {
        fputs("  ", stdout);
        int column = strong("", cli_commands[i]->name);
        printf("%*s%s\n", (int)widest + 2 - column, "", cli_commands[i]->summary);
    }
    puts("\n`lcal help COMMAND` or `lcal COMMAND --help` shows a command's options,\n"
         "`lcal help config` every key of a configuration, `lcal help KEY` one of them.\n");
    puts(help_output_note);
    fputs("Exit status:", stdout);
    char statuses[TEXT_MAX] = "";
    for (size_t i = 0, at = 0; help_statuses[i].name; i++)
        at += (size_t)snprintf(statuses + at, sizeof(statuses) - at, "%s%s %s", i ? "; " : "",
                               help_statuses[i].name, help_statuses[i].text);
    strcat(statuses, ".");
    wrap(statuses, 0, strlen("Exit status:"));
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
        putchar('\n');
        heading("Configuration keys, in the file or as key=value (section.key=value):");
        print_keys();
    }
}

/* --- keys ------------------------------------------------------------------------------------ */

void help_config(void)
{
    wrap(help_config_intro, 0, 0);
    putchar('\n');
    print_keys();
}

/* How a key is written in both places. */
static void print_use(const lcal_option *o)
{
    const size_t section = help_section(o->key);
    const char *value = help_example_value(o);
    if (section)
        printf("\n      in a file:           %.*s: {%s: %s}\n", (int)section, o->key,
               o->key + section + 1, value);
    else
        printf("\n      in a file:           %s: %s\n", o->key, value);
    printf("      on the command line: %s=%s\n", o->key, value);
}

size_t help_keys(const char *topic)
{
    size_t count, shown = 0;
    const lcal_option *options = lcal_options(&count), *last = NULL;
    for (size_t i = 0; i < count; i++)
        if (help_is_topic(topic, &options[i])) {
            print_key(&options[i]);
            last = &options[i];
            shown++;
        }
    if (shown == 1)
        print_use(last);
    return shown;
}
