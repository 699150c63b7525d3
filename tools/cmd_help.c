#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exit.h"
#include "help.h"
#include "help_parts.h"

typedef struct values {
    bool json, man, markdown;
} values;

#define WORDS_MAX 512

/* The commands, "config" and the keys: what is nearest to a topic that is none. */
static const char *nearest_topic(const char *topic)
{
    const char *words[WORDS_MAX] = {"config"};
    size_t count = 1, keys;
    const lcal_option *options = lcal_options(&keys);
    for (size_t i = 0; cli_commands[i] && count < WORDS_MAX; i++)
        words[count++] = cli_commands[i]->name;
    for (size_t i = 0; i < keys && count < WORDS_MAX; i++)
        words[count++] = options[i].key;
    return lcal_nearest_word(topic, words, count);
}

static int unknown_topic(const char *topic)
{
    const char *nearest = nearest_topic(topic);
    fprintf(stderr, "lcal help: no command or key \"%s\"%s%s%s\n", topic,
            nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    if (!nearest)
        fputs("`lcal help` lists the commands, `lcal help config` the keys.\n", stderr);
    return EXIT_USAGE;
}

static bool is_topic_of_keys(const char *topic)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    for (size_t i = 0; i < count; i++)
        if (help_is_topic(topic, &options[i]))
            return true;
    return false;
}

static void help_all(const values *v)
{
    if (v->json)
        help_json_all();
    else if (v->man)
        help_man_overview();
    else
        help_overview();
}

static void help_all_keys(const values *v)
{
    if (v->json)
        help_json_keys(NULL);
    else if (v->man)
        help_man_config();
    else if (v->markdown)
        help_markdown_config();
    else
        help_config();
}

static void help_one_command(const values *v, const cli_command *command)
{
    if (v->json)
        help_json_command(command);
    else if (v->man)
        help_man_command(command);
    else
        help_command(command);
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    const char *topic = call->operand_count ? call->operands[0] : NULL;
    const bool config = topic && strcmp(topic, "config") == 0;
    const cli_command *command = topic ? cli_find(topic) : NULL;
    if (v->json + v->man + v->markdown > 1)
        return cli_usage_error(call->command, "--json, --man and --markdown: give one of them");
    if (v->markdown && !config)
        return cli_usage_error(call->command, "--markdown: expected `config`, found %s%s%s",
                               topic ? "\"" : "", topic ? topic : "nothing", topic ? "\"" : "");
    if (!topic) {
        help_all(v);
    } else if (config) {
        help_all_keys(v);
    } else if (command) {
        help_one_command(v, command);
    } else if (!is_topic_of_keys(topic)) {
        return unknown_topic(topic);
    } else if (v->man) {
        return cli_usage_error(call->command,
                               "--man: a key has no page of its own; `lcal help --man config` "
                               "has them all");
    } else if (v->json) {
        help_json_keys(topic);
    } else {
        help_keys(topic);
    }
    return 0;
}

static const cli_option options[] = {
    {"json", CLI_FLAG, offsetof(values, json),
     .help = "Print the tables of commands, options and keys as one JSON object."},
    {"man", CLI_FLAG, offsetof(values, man),
     .help = "Print the manual page: of lcal, of a command, or with `config` of the keys."},
    {"markdown", CLI_FLAG, offsetof(values, markdown),
     .help = "Print the keys as Markdown; only with `config`."},
    {0},
};

const cli_command cmd_help = {
    .name = "help",
    .summary = "Explain a command, a configuration key, or with `config` all keys",
    .arguments = "[COMMAND | config | KEY]",
    .details = "A key is named in full (train.lr), by its last part (lr), or by its section with a "
               "dot (train.) for all of it.",
    .options = options,
    .values_size = sizeof(values),
    .operands_max = 1,
    .run = run,
};
