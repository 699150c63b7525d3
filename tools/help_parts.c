#include "help_parts.h"

#include <stdio.h>
#include <string.h>

const char help_tagline[] = "learnable calibration, one forward pass for two tasks at once";

const char help_output_note[] =
    "Results go to standard output, progress and messages to standard error.";

const char help_config_intro[] =
    "A configuration is a YAML file; dotted keys are nested maps (train.lr is key lr of map "
    "train), "
    "or key=value on the command line, which wins over the file. Paths in a file are relative to "
    "it, on the command line to the working directory.";

const help_row help_statuses[] = {
    {"0", "success"},
    {"2", "command line or configuration"},
    {"3", "input file: malformed, of a wrong shape, or not supported"},
    {"4", "numeric failure: a loss or weight is not finite"},
    {"5", "input/output or memory"},
    {"130", "interrupted, after saving"},
    {NULL, NULL},
};

const help_row help_environment[] = {
    {"NO_COLOR", "Set and not empty: no colours on a terminal."},
    {"TERM", "dumb: neither colours nor lines that are rewritten."},
    {"LCAL_CACHE",
     "Directory for what can be made again, such as tokenizers that open at once; set "
     "and empty: none. Default: lcal in XDG_CACHE_HOME, or ~/.cache/lcal. It may be "
     "deleted at any time."},
    {NULL, NULL},
};

/* --- options --------------------------------------------------------------------------------- */

void help_describe_option(const cli_option *o, char *text, size_t size)
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

/* --- keys ------------------------------------------------------------------------------------ */

void help_describe_key(const lcal_option *o, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s%s%s", o->type, *o->fallback ? "; default " : "", o->fallback,
             *o->range ? "; " : "", o->range,
             lcal_option_required(o->key) ? "; must be given" : "");
}

const char *help_example_value(const lcal_option *o)
{
    if (*o->fallback)
        return o->fallback;
    if (strcmp(o->type, "path") != 0)
        return "TEXT";
    return strstr(o->range, "file") ? "FILE" : "DIR";
}

size_t help_section(const char *key)
{
    const char *dot = strchr(key, '.');
    return dot ? (size_t)(dot - key) : 0;
}

const char *help_section_title(const char *key)
{
    static const help_row titles[] = {
        {"", "Model, adapters, method, run directory"},
        {"merge", "How adapters are combined"},
        {"calibration", "Methods lc and lcpp, and what all calibrations share"},
        {"lora", "Method lora"},
        {"columns", "Method columns"},
        {"data", "Examples"},
        {"train", "Training"},
        {NULL, NULL},
    };
    const size_t length = help_section(key);
    for (const help_row *row = titles; row->name; row++)
        if (strlen(row->name) == length && strncmp(row->name, key, length) == 0)
            return row->text;
    return NULL;
}

static bool is_key(const char *text)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, options[i].key) == 0)
            return true;
    return false;
}

bool help_is_topic(const char *topic, const lcal_option *o)
{
    const size_t length = strlen(topic), section = help_section(o->key);
    if (length == 0)
        return false;
    if (is_key(topic))
        return strcmp(topic, o->key) == 0;
    if (section == 0)
        return false;
    const bool dotted = topic[length - 1] == '.';
    return strcmp(topic, o->key + section + 1) == 0
           || (section == length - dotted && strncmp(topic, o->key, section) == 0);
}
