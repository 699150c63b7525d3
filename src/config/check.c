#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "config/config.h"
#include "config/merge_rule.h"
#include "config/reader.h"
#include "config/value.h"

static lcal__place place_of(const lcal__reader *reader, const char *key)
{
    return reader->places[lcal__option_find(key)];
}

static void refuse_place(lcal__reader *reader, lcal__place place, const char *key,
                         const char *expected, const char *path)
{
    char excerpt[LCAL__EXCERPT_MAX];
    const char *found = lcal__path_is_dir(path)    ? "a directory at"
                        : lcal__path_is_file(path) ? "a file at"
                                                   : "nothing usable at";
    lcal__problems_add(&reader->problems, place, "key %s: expected %s, found %s %s", key, expected,
                       found, lcal__excerpt(path, excerpt));
}

/* What the purpose has no use for may be left out, or be gone. */
static bool is_used(lcal_purpose purpose, lcal__option_place place)
{
    switch (place) {
    case LCAL__PLACE_FOLDER:
        return true;
    case LCAL__PLACE_FILE:
    case LCAL__PLACE_FILE_OR_FOLDER:
    case LCAL__PLACE_FILE_OR_DEFAULT:
        return purpose != LCAL_FOR_MODEL;
    case LCAL__PLACE_TEST_FILE:
        return purpose == LCAL_FOR_EVAL;
    case LCAL__PLACE_OUTPUT:
        break;
    }
    return purpose == LCAL_FOR_RUN;
}

/* Which rows of an evaluation train is not known here. */
bool lcal__path_is_required(lcal_purpose purpose, const lcal__option *option)
{
    if (option->kind != LCAL__OPTION_PATH || !is_used(purpose, option->path.place))
        return false;
    if (option->path.place == LCAL__PLACE_TEST_FILE)
        return true;
    if (purpose == LCAL_FOR_EVAL && option->path.place == LCAL__PLACE_FILE)
        return false;
    return option->path.required;
}

static void check_path(lcal__reader *reader, size_t index)
{
    const lcal__option *option = &lcal__option_rows()[index];
    const char *key = option->shown.key;
    const char *path = *(char *const *)lcal__option_value(option, reader->settings);
    const lcal__place place = reader->places[index];
    const bool used = is_used(reader->purpose, option->path.place);
    if (*path == '\0') {
        if (lcal__path_is_required(reader->purpose, option) && !reader->given[index])
            lcal__problems_add(&reader->problems, place,
                               "key %s: expected a path, but it is not given", key);
        return;
    }
    if (!used && (reader->purpose == LCAL_FOR_MODEL || option->path.place == LCAL__PLACE_TEST_FILE))
        return;
    switch (option->path.place) {
    case LCAL__PLACE_FOLDER:
        if (!lcal__path_is_dir(path))
            refuse_place(reader, place, key, option->shown.range, path);
        break;
    case LCAL__PLACE_FILE:
    case LCAL__PLACE_TEST_FILE:
        if (!lcal__path_is_file(path))
            refuse_place(reader, place, key, option->shown.range, path);
        break;
    case LCAL__PLACE_FILE_OR_FOLDER:
        if (!lcal__path_is_file(path) && !lcal__path_is_dir(path))
            refuse_place(reader, place, key, option->shown.range, path);
        break;
    case LCAL__PLACE_FILE_OR_DEFAULT:
        if (strcmp(path, option->shown.fallback) != 0 && !lcal__path_is_file(path))
            refuse_place(reader, place, key, option->shown.range, path);
        break;
    case LCAL__PLACE_OUTPUT:
        if (lcal__path_is_file(path))
            refuse_place(reader, place, key, "a directory, to be made or empty", path);
        break;
    }
}

static void check_adapters(lcal__reader *reader)
{
    const lcal__settings *settings = reader->settings;
    for (size_t i = 0; i < settings->adapter_count; ++i) {
        char key[64];
        snprintf(key, sizeof(key), "adapters.%zu.path", i);
        if (!lcal__path_is_dir(settings->adapters[i].path))
            refuse_place(reader, reader->adapter_places[i], key, "an existing directory",
                         settings->adapters[i].path);
    }
}

static void check_method(lcal__reader *reader)
{
    const lcal__settings *settings = reader->settings;
    const bool adapters_given = reader->given[lcal__option_find("adapters")];
    if (settings->method == LCAL__METHOD_COLUMNS && settings->adapter_count == 0
        && !(adapters_given && reader->problems.count))
        lcal__problems_add(&reader->problems, place_of(reader, "method"),
                           "key method: columns merges adapters and needs at least one in "
                           "adapters, found none");
    if (settings->method == LCAL__METHOD_COLUMNS
        && settings->columns.objective == LCAL__OBJECTIVE_DISTILL)
        lcal__problems_add(&reader->problems, place_of(reader, "columns.objective"),
                           "key columns.objective: distill has a teacher for each task, which only "
                           "`lcal eval --method dam` opens");
    if (settings->method == LCAL__METHOD_BASE && settings->adapter_count > 0)
        lcal__problems_add(&reader->problems, place_of(reader, "adapters"),
                           "key adapters: method base trains a model without adapters, found %zu; "
                           "remove them or choose another method",
                           settings->adapter_count);
}

/* An option that the rule does not have is most likely meant for another: a dump holds them all, at
 * their defaults. */
static void check_merge(lcal__reader *reader)
{
    const lcal__settings *settings = reader->settings;
    const lcal__merge_rule rule = settings->merge.method;
    const lcal__settings standard = {.merge = lcal__merge_defaults(rule)};
    const char *name = lcal__merge_rule_name(rule);
    const bool misread = reader->given[lcal__option_find("adapters")] && reader->problems.count;
    for (size_t i = lcal__option_find("merge.density"); i <= lcal__option_find("merge.rank"); ++i) {
        const lcal__option *option = &lcal__option_rows()[i];
        if (!lcal__merge_rule_has(rule, option) && !lcal__value_equal(option, settings, &standard))
            lcal__problems_add(&reader->problems, reader->places[i],
                               "key %s: merge.method %s has no such option; remove it or choose "
                               "another method",
                               option->shown.key, name);
    }
    if (rule == LCAL__MERGE_SLERP && settings->adapter_count != 2 && !misread)
        lcal__problems_add(&reader->problems, place_of(reader, "merge.method"),
                           "key merge.method: slerp lies between two adapters, found %zu",
                           settings->adapter_count);
    if (settings->method == LCAL__METHOD_COLUMNS && rule != LCAL__MERGE_CONCAT
        && rule != LCAL__MERGE_LINEAR)
        lcal__problems_add(&reader->problems, place_of(reader, "merge.method"),
                           "key merge.method: method columns scales the adapters' own factors and "
                           "needs concat or linear, found %s",
                           name);
}

/* An example that fits data.max_length must fit a batch, or it could never be trained on. */
static void check_batch(lcal__reader *reader)
{
    const lcal__settings *settings = reader->settings;
    const bool tokens_given = reader->given[lcal__option_find("train.batch_tokens")];
    if (settings->train.batch_size || settings->train.batch_tokens >= settings->data.max_length)
        return;
    lcal__problems_add(&reader->problems,
                       place_of(reader, tokens_given ? "train.batch_tokens" : "data.max_length"),
                       "key train.batch_tokens: expected at least data.max_length = %llu, found "
                       "%llu; raise it, lower data.max_length or give train.batch_size",
                       (unsigned long long)settings->data.max_length,
                       (unsigned long long)settings->train.batch_tokens);
}

static void check_data(lcal__reader *reader)
{
    const lcal__settings *settings = reader->settings;
    if (settings->data.valid_fraction > 0 && settings->data.valid[0])
        lcal__problems_add(
            &reader->problems, place_of(reader, "data.valid_fraction"),
            "key data.valid_fraction: validation examples are held out of data.train "
            "or come from data.valid: give one of the two");
    if (settings->data.system[0] && settings->data.template_ == LCAL__TEMPLATE_RAW)
        lcal__problems_add(&reader->problems, place_of(reader, "data.system"),
                           "key data.system: data.template raw has no system message; leave it out "
                           "or choose llama3, chatml or zephyr");
}

void lcal__check_settings(lcal__reader *reader)
{
    for (size_t i = 0; i < LCAL__OPTION_COUNT; ++i)
        if (lcal__option_rows()[i].kind == LCAL__OPTION_PATH)
            check_path(reader, i);
    check_adapters(reader);
    /* A row of an evaluation brings its own method and rule. */
    if (reader->purpose != LCAL_FOR_EVAL) {
        check_method(reader);
        check_merge(reader);
    }
    check_batch(reader);
    check_data(reader);
}
