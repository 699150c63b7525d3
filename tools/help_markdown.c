/* docs/config.md: every key by sections, and a file with all defaults. */
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "help_parts.h"

/* In running text, where "*" and "_" would change the type. Words between backquotes are left. */
static void put(const char *text)
{
    for (; *text; text++) {
        if (strchr("*_[]<>\\", *text))
            putchar('\\');
        putchar(*text);
    }
}

static bool begins_section(const lcal_option *options, size_t i)
{
    const size_t length = help_section(options[i].key);
    return i == 0 || length != help_section(options[i - 1].key)
           || strncmp(options[i].key, options[i - 1].key, length) != 0;
}

/* A section whose keys stand apart in the table has been seen before i. */
static bool seen_before(const lcal_option *options, size_t i)
{
    const size_t length = help_section(options[i].key);
    for (size_t j = 0; j < i; j++)
        if (help_section(options[j].key) == length
            && strncmp(options[j].key, options[i].key, length) == 0)
            return true;
    return false;
}

static void print_heading(const lcal_option *o)
{
    const char *title = help_section_title(o->key);
    const int length = (int)help_section(o->key);
    if (length && title)
        printf("\n## %.*s: %s\n", length, o->key, title);
    else if (title)
        printf("\n## %s\n", title);
    else
        printf("\n## %.*s\n", length, o->key);
}

/* Literal values as code; what describes values as text. */
static void put_range(const lcal_option *o)
{
    const bool described = strcmp(o->type, "path") == 0 || strcmp(o->type, "list") == 0;
    if (described)
        put(o->range);
    else
        printf("`%s`", o->range);
}

static void print_key(const lcal_option *o)
{
    printf("\n### %s\n\n", o->key);
    printf("%c%s", o->type[0] - 'a' + 'A', o->type + 1);
    if (lcal_option_required(o->key))
        fputs("; must be given", stdout);
    else if (*o->fallback)
        printf("; default `%s`", o->fallback);
    if (*o->range) {
        fputs("; ", stdout);
        put_range(o);
    }
    fputs("\n\n", stdout);
    put(o->help);
    putchar('\n');
}

/* The keys of the section of options[first], wherever they stand. */
static void print_section(const lcal_option *options, size_t count, size_t first)
{
    const size_t length = help_section(options[first].key);
    print_heading(&options[first]);
    for (size_t i = first; i < count; i++)
        if (help_section(options[i].key) == length
            && strncmp(options[i].key, options[first].key, length) == 0)
            print_key(&options[i]);
}

/* Every key with its default, as a file; what has none is left out or must be filled in. */
static void print_file(const lcal_option *options, size_t count)
{
    puts("\n## A file with every default\n\n```yaml");
    for (size_t i = 0; i < count; i++) {
        if (!begins_section(options, i) || seen_before(options, i))
            continue;
        const size_t length = help_section(options[i].key);
        if (length)
            printf("%.*s:\n", (int)length, options[i].key);
        for (size_t j = i; j < count; j++) {
            const lcal_option *o = &options[j];
            if (help_section(o->key) != length || strncmp(o->key, options[i].key, length) != 0)
                continue;
            const char *name = length ? o->key + length + 1 : o->key, *before = length ? "  " : "";
            if (*o->fallback || lcal_option_required(o->key))
                printf("%s%s: %s\n", before, name, help_example_value(o));
            else
                printf("%s# %s: %s\n", before, name, help_example_value(o));
        }
    }
    puts("```");
}

void help_markdown_config(void)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    puts("<!-- Made from the table of options: lcal help --markdown config > docs/config.md -->\n\n"
         "# Configuration\n");
    put(help_config_intro);
    puts(
        "\n\nUnknown keys, wrong types, values out of range and missing files are all reported "
        "together, with line and\ncolumn. `lcal train CONFIG --dry-run` checks a configuration and "
        "tells what it would cost; the run directory\nkeeps the resolved one, every key, as "
        "`config.resolved.yaml`. `lcal help KEY` prints a key's entry.\n\n"
        "The smallest one:\n\n"
        "```yaml\nmodel: DIR\ndata: {train: FILE}\nout: DIR\n```\n\n"
        "In ranges, `(` and `)` exclude their bound, `[` and `]` allow it.");
    for (size_t i = 0; i < count; i++)
        if (begins_section(options, i) && !seen_before(options, i))
            print_section(options, count, i);
    print_file(options, count);
}
