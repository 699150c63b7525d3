#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/number.h"
#include "config/reader.h"
#include "config/suggest.h"

#define KEY_MAX 64 /* "adapters.N.weight" with room for any N */
#define ELEMENT "DIR[:WEIGHT] or {path: DIR, weight: NUMBER}"

static bool parse_weight(const char *text, double *out)
{
    double weight;
    if (!lcal__number_parse(text, &weight) || weight < -LCAL__CONFIG_WEIGHT_MAX
        || weight > LCAL__CONFIG_WEIGHT_MAX)
        return false;
    *out = weight;
    return true;
}

static void read_weight(lcal__reader *reader, const char *key, const lcal__yaml *value, double *out)
{
    char expected[64];
    snprintf(expected, sizeof(expected), "a number in [-%g, %g]", LCAL__CONFIG_WEIGHT_MAX,
             LCAL__CONFIG_WEIGHT_MAX);
    if (value->kind == LCAL__YAML_SCALAR && value->null)
        *out = 1.0;
    else if (value->kind != LCAL__YAML_SCALAR || !parse_weight(value->text, out))
        lcal__read_refuse(reader, key, value, expected, "");
}

static void read_directory(lcal__reader *reader, const char *key, const lcal__yaml *value,
                           char **out)
{
    if (value->kind != LCAL__YAML_SCALAR || value->null) {
        lcal__read_refuse(reader, key, value, "a path", "");
        return;
    }
    char *path = lcal__read_path(reader, key, lcal__read_place(reader, value), value->text);
    if (!path)
        return;
    lcal__free(*out);
    *out = path;
}

/* DIR[:WEIGHT]; a colon that no number follows belongs to the directory's name. */
static void read_short_form(lcal__reader *reader, const char *key, const lcal__yaml *value,
                            lcal__adapter_setting *out)
{
    const char *colon = strrchr(value->text, ':');
    double number;
    if (!colon || !lcal__number_parse(colon + 1, &number)) {
        read_directory(reader, key, value, &out->path);
        return;
    }
    char *directory = lcal__strndup(value->text, (size_t)(colon - value->text));
    if (!directory)
        reader->problems.failed = true;
    else if (!parse_weight(colon + 1, &out->weight))
        lcal__read_refuse(reader, key, value, "a weight in [-1000, 1000] after the colon", "");
    else
        out->path = lcal__read_path(reader, key, lcal__read_place(reader, value), directory);
    lcal__free(directory);
}

/* `name` is what stands after "adapters.N.". False: it is none of an adapter's keys. */
static bool read_member(lcal__reader *reader, const char *key, const char *name,
                        const lcal__yaml *value, lcal__adapter_setting *out)
{
    if (strcmp(name, "path") == 0)
        read_directory(reader, key, value, &out->path);
    else if (strcmp(name, "weight") == 0)
        read_weight(reader, key, value, &out->weight);
    else
        return false;
    return true;
}

static void refuse_member(lcal__reader *reader, lcal__place place, size_t index, const char *name)
{
    static const char *const names[] = {"path", "weight"};
    char excerpt[LCAL__EXCERPT_MAX], hint[KEY_MAX] = "";
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < 2; ++i)
        if (lcal__is_near_miss(name, names[i], &best))
            snprintf(hint, sizeof(hint), "; did you mean adapters.%zu.%s?", index, names[i]);
    lcal__problems_add(&reader->problems, place, "unknown key adapters.%zu.%s%s", index,
                       lcal__excerpt(name, excerpt), hint);
}

static void read_long_form(lcal__reader *reader, size_t index, const lcal__yaml *map,
                           lcal__adapter_setting *out)
{
    bool path_given = false;
    for (const lcal__yaml *entry = map->first; entry; entry = entry->next) {
        char key[KEY_MAX];
        lcal__place place = {reader->override, entry->key_line, entry->key_column};
        path_given = path_given || strcmp(entry->key, "path") == 0;
        snprintf(key, sizeof(key), "adapters.%zu.%s", index, entry->key);
        if (!read_member(reader, key, entry->key, entry, out))
            refuse_member(reader, place, index, entry->key);
    }
    if (!path_given)
        lcal__problems_add(&reader->problems, lcal__read_place(reader, map),
                           "key adapters.%zu.path: expected a path, but it is not given", index);
}

/* One element. *out is freed by the caller also where it is refused. */
static void read_element(lcal__reader *reader, size_t index, const lcal__yaml *value,
                         lcal__adapter_setting *out)
{
    char key[KEY_MAX];
    snprintf(key, sizeof(key), "adapters.%zu", index);
    *out = (lcal__adapter_setting){.weight = 1.0};
    if (value->kind == LCAL__YAML_MAP)
        read_long_form(reader, index, value, out);
    else if (value->kind == LCAL__YAML_SCALAR && !value->null)
        read_short_form(reader, key, value, out);
    else
        lcal__read_refuse(reader, key, value, ELEMENT, "");
}

static size_t problems_so_far(const lcal__reader *reader)
{
    return reader->problems.count + reader->problems.more + reader->problems.failed;
}

static void free_adapters(lcal__adapter_setting *adapters, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        lcal__free(adapters[i].path);
    lcal__free(adapters);
}

void lcal__read_adapters(lcal__reader *reader, const lcal__yaml *value)
{
    const size_t before = problems_so_far(reader);
    const lcal__yaml *item = value->kind == LCAL__YAML_LIST ? value->first : value;
    size_t count = 0;
    if (value->kind == LCAL__YAML_MAP) {
        lcal__read_refuse(reader, "adapters", value, "a list of " ELEMENT, "");
        return;
    }
    lcal__adapter_setting *adapters = lcal__calloc(LCAL__CONFIG_ADAPTERS_MAX, sizeof(*adapters));
    if (!adapters) {
        reader->problems.failed = true;
        return;
    }
    for (; item && count < LCAL__CONFIG_ADAPTERS_MAX; item = item->next, ++count) {
        reader->adapter_places[count] = lcal__read_place(reader, item);
        read_element(reader, count, item, &adapters[count]);
        if (value->kind != LCAL__YAML_LIST) { /* one adapter alone, not the entries beside it */
            item = NULL;
            ++count;
            break;
        }
    }
    if (item)
        lcal__problems_add(&reader->problems, lcal__read_place(reader, item),
                           "key adapters: expected at most %d adapters, found more",
                           LCAL__CONFIG_ADAPTERS_MAX);
    if (problems_so_far(reader) != before) {
        free_adapters(adapters, count);
        return;
    }
    free_adapters(reader->settings->adapters, reader->settings->adapter_count);
    reader->settings->adapters = adapters;
    reader->settings->adapter_count = count;
}

bool lcal__read_adapter_key(lcal__reader *reader, const char *key, const lcal__yaml *value)
{
    static const char prefix[] = "adapters.";
    lcal__settings *settings = reader->settings;
    if (reader->override == 0 || strncmp(key, prefix, sizeof(prefix) - 1) != 0)
        return false;
    const char *digits = key + sizeof(prefix) - 1;
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 9 || (digits[length] != '\0' && digits[length] != '.'))
        return false;
    size_t index = strtoul(digits, NULL, 10);
    const char *name = digits[length] ? digits + length + 1 : NULL;
    const size_t before = problems_so_far(reader);
    if (index >= settings->adapter_count) {
        lcal__problems_add(&reader->problems, lcal__read_place(reader, value),
                           "key adapters.%zu: there are %zu adapters, counted from 0", index,
                           settings->adapter_count);
        return true;
    }
    lcal__adapter_setting *adapter = &settings->adapters[index];
    if (!name) {
        lcal__adapter_setting element;
        read_element(reader, index, value, &element);
        if (problems_so_far(reader) == before) {
            lcal__free(adapter->path);
            *adapter = element;
        } else {
            lcal__free(element.path);
        }
    } else if (!read_member(reader, key, name, value, adapter)) {
        refuse_member(reader, lcal__read_place(reader, value), index, name);
    }
    reader->adapter_places[index] = lcal__read_place(reader, value);
    return true;
}
