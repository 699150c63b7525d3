/* Help as manual pages: troff with the macros of man(7). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "help_parts.h"
#include "lcal/version.h"

#define TEXT_MAX 2048

/* Text as troff takes it: no escape, no control line, dashes that can be copied. */
static void put(const char *text)
{
    bool begins = true;
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (begins && (*text == '.' || *text == '\''))
            printf("\\&%c", *text);
        else if (*text == '"')
            fputs("\\(dq", stdout);
        else if (*text == '^' || *text == '~' || *text == '`')
            fputs(*text == '^' ? "\\(ha" : *text == '~' ? "\\(ti" : "\\(ga", stdout);
        else
            putchar(*text);
        begins = *text == '\n';
    }
}

static void put_upper(const char *text)
{
    for (; *text; text++)
        if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(toupper((unsigned char)*text));
}

/* A paragraph: begins and ends a line; an empty line in it begins another. */
static void paragraph(const char *text)
{
    for (const char *end = strstr(text, "\n\n"); end; end = strstr(text, "\n\n")) {
        char part[TEXT_MAX];
        snprintf(part, sizeof(part), "%.*s", (int)(end - text), text);
        put(part);
        fputs("\n.PP\n", stdout);
        text = end + 2;
    }
    put(text);
    putchar('\n');
}

/* What a term means, indented below it. */
static void item(const char *before, const char *name, const char *value, const char *text)
{
    fputs(".TP\n\\fB", stdout);
    put(before);
    put(name);
    fputs("\\fR", stdout);
    if (value) {
        fputs(" \\fI", stdout);
        put(value);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    paragraph(text);
}

static void rows(const help_row *row)
{
    for (; row->name; row++)
        item("", row->name, NULL, row->text);
}

/* Neither hyphens nor stretched lines: names stay as they are typed. */
static void title(const char *name, int section)
{
    fputs(".TH ", stdout);
    put_upper(name);
    printf(" %d \"\" \"lcal %s\" \"lcal manual\"\n.nh\n.ad l\n", section, lcal_version());
    fputs(".SH NAME\n", stdout);
    put(name);
    fputs(" \\- ", stdout);
}

static void synopsis(const char *command, const char *arguments)
{
    fputs(".SH SYNOPSIS\n\\fBlcal ", stdout);
    put(command);
    fputs("\\fR [\\fIoptions\\fR] ", stdout);
    put(arguments);
    putchar('\n');
}

void help_man_overview(void)
{
    title("lcal", 1);
    put(help_tagline);
    fputs("\n.SH SYNOPSIS\n\\fBlcal\\fR \\fICOMMAND\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]\n"
          ".SH DESCRIPTION\n",
          stdout);
    paragraph(
        "A base transformer and the LoRA adapters of single tasks stay frozen; a few kilobytes "
        "of calibration parameters are trained so that one forward pass does two tasks at "
        "once. Each command has a page of its own.");
    fputs(".SH COMMANDS\n", stdout);
    for (size_t i = 0; cli_commands[i]; i++) {
        char page[128], text[512];
        snprintf(page, sizeof(page), "lcal-%s", cli_commands[i]->name);
        snprintf(text, sizeof(text), "%s.", cli_commands[i]->summary);
        fputs(".TP\n\\fB", stdout);
        put(page);
        fputs("\\fR(1)\n", stdout);
        paragraph(text);
    }
    fputs(".SH OUTPUT\n", stdout);
    paragraph(help_output_note);
    fputs(".SH EXIT STATUS\n", stdout);
    rows(help_statuses);
    fputs(".SH ENVIRONMENT\n", stdout);
    rows(help_environment);
    puts(".SH SEE ALSO\n\\fBlcal\\-config\\fR(5)");
}

void help_man_command(const cli_command *command)
{
    char name[128], summary[512];
    snprintf(name, sizeof(name), "lcal-%s", command->name);
    title(name, 1);
    snprintf(summary, sizeof(summary), "%s", command->summary);
    summary[0] = (char)tolower((unsigned char)summary[0]);
    put(summary);
    putchar('\n');
    synopsis(command->name, command->arguments);
    fputs(".SH DESCRIPTION\n", stdout);
    put(command->summary);
    fputs(".\n", stdout);
    if (command->details) {
        fputs(".PP\n", stdout);
        paragraph(command->details);
    }
    fputs(".SH OPTIONS\n", stdout);
    for (const cli_option *o = command->options; o->name; o++) {
        char text[TEXT_MAX];
        help_describe_option(o, text, sizeof(text));
        item("--", o->name, o->kind == CLI_FLAG ? NULL : o->value, text);
    }
    item("--", "help", NULL, "Print a text like this page.");
    fputs(".SH EXIT STATUS\n", stdout);
    rows(help_statuses);
    fputs(".SH SEE ALSO\n\\fBlcal\\fR(1)", stdout);
    puts(command->overrides ? ", \\fBlcal\\-config\\fR(5)" : "");
}

void help_man_config(void)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    title("lcal-config", 5);
    puts("configurations of lcal\n.SH DESCRIPTION");
    paragraph(help_config_intro);
    for (size_t i = 0; i < count; i++) {
        const char *key = options[i].key, *known = help_section_title(key);
        char form[TEXT_MAX];
        if (i == 0 || help_section(key) != help_section(options[i - 1].key)
            || strncmp(key, options[i - 1].key, help_section(key)) != 0) {
            fputs(".SH ", stdout);
            printf("\"%.*s%s", (int)help_section(key), key, help_section(key) ? ": " : "");
            put(known ? known : "");
            fputs("\"\n", stdout);
        }
        help_describe_key(&options[i], form, sizeof(form));
        item("", key, NULL, form);
        fputs(".br\n", stdout);
        paragraph(options[i].help);
    }
    puts(".SH SEE ALSO\n\\fBlcal\\fR(1), \\fBlcal\\-train\\fR(1)");
}
