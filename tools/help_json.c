/* Help as one JSON object. */
#include <stdio.h>

#include "help.h"
#include "help_parts.h"
#include "json_out.h"
#include "lcal/version.h"

static void member(const char *before, const char *name, const char *text)
{
    fputs(before, stdout);
    json_text(name);
    fputs(": ", stdout);
    if (text)
        json_text(text);
    else
        fputs("null", stdout);
}

static void print_option(const cli_option *o)
{
    static const char *const types[] = {
        [CLI_FLAG] = "flag",   [CLI_TEXT] = "text",     [CLI_TEXTS] = "texts",
        [CLI_COUNT] = "count", [CLI_NUMBER] = "number", [CLI_CHOICE] = "choice",
    };
    member("{", "name", o->name);
    member(", ", "type", types[o->kind]);
    member(", ", "value", o->kind == CLI_FLAG ? NULL : o->value);
    printf(", \"required\": %s", o->required ? "true" : "false");
    member(", ", "default", o->fallback);
    if (o->kind == CLI_COUNT)
        printf(", \"low\": %zu, \"high\": %zu", o->low, o->high);
    if (o->kind == CLI_NUMBER)
        printf(", \"low\": %.17g, \"high\": %.17g", o->from, o->to);
    if (o->kind == CLI_CHOICE) {
        fputs(", \"choices\": [", stdout);
        for (size_t i = 0; o->words[i]; i++) {
            fputs(i ? ", " : "", stdout);
            json_text(o->words[i]);
        }
        putchar(']');
    }
    member(", ", "help", o->help);
    putchar('}');
}

static void print_command(const cli_command *c)
{
    member("{", "name", c->name);
    member(", ", "summary", c->summary);
    member(", ", "arguments", c->arguments);
    member(", ", "details", c->details);
    printf(", \"config_keys\": %s, \"options\": [", c->overrides ? "true" : "false");
    for (const cli_option *o = c->options; o->name; o++) {
        fputs(o == c->options ? "" : ", ", stdout);
        print_option(o);
    }
    fputs("]}", stdout);
}

static void print_keys(const char *topic)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    const char *comma = "";
    putchar('[');
    for (size_t i = 0; i < count; i++) {
        const lcal_option *o = &options[i];
        if (topic && !help_is_topic(topic, o))
            continue;
        fputs(comma, stdout);
        comma = ", ";
        member("{", "key", o->key);
        member(", ", "type", o->type);
        printf(", \"required\": %s", lcal_option_required(o->key) ? "true" : "false");
        member(", ", "default", *o->fallback ? o->fallback : NULL);
        member(", ", "range", *o->range ? o->range : NULL);
        member(", ", "help", o->help);
        putchar('}');
    }
    putchar(']');
}

void help_json_all(void)
{
    member("{", "version", lcal_version());
    fputs(", \"commands\": [", stdout);
    for (size_t i = 0; cli_commands[i]; i++) {
        fputs(i ? ", " : "", stdout);
        print_command(cli_commands[i]);
    }
    fputs("], \"keys\": ", stdout);
    print_keys(NULL);
    puts("}");
}

void help_json_command(const cli_command *command)
{
    print_command(command);
    putchar('\n');
}

void help_json_keys(const char *topic)
{
    fputs("{\"keys\": ", stdout);
    print_keys(topic);
    puts("}");
}
