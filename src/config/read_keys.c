#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "config/reader.h"
#include "config/suggest.h"

/* Longer than any key of the table, so that a key cut to it is unknown still. */
#define KEY_MAX (2 * LCAL__EXCERPT_MAX)

/* The first key of the table whose section is `key`; NULL where there is no such section. */
static const lcal__option *find_section(const char *key)
{
    const lcal__option *rows = lcal__option_rows();
    size_t length = strlen(key);
    for (size_t i = 0; i < LCAL__OPTION_COUNT; ++i)
        if (strncmp(rows[i].shown.key, key, length) == 0 && rows[i].shown.key[length] == '.')
            return &rows[i];
    return NULL;
}

/* The nearest key or section; else the keys that lack only their section ("lr", "seed"). */
static void refuse_unknown(lcal__reader *reader, const char *key, lcal__place place)
{
    const lcal__option *rows = lcal__option_rows();
    char excerpt[LCAL__EXCERPT_MAX], found[160] = "";
    size_t length = 0; /* of keys without their section */
    size_t best = SIZE_MAX;
    /* What is only counted needs no suggestion: a hostile file has 1e5 unknown keys. */
    const bool told = reader->problems.count < LCAL__PROBLEMS_MAX;
    for (size_t i = 0; told && i < LCAL__OPTION_COUNT; ++i) {
        char section[64];
        const char *option = rows[i].shown.key, *dot = strchr(option, '.');
        const char *near = lcal__is_near_miss(key, option, &best) ? option : NULL;
        if (dot) {
            snprintf(section, sizeof(section), "%.*s", (int)(dot - option), option);
            if (lcal__is_near_miss(key, section, &best))
                near = section;
        }
        if (near) {
            snprintf(found, sizeof(found), "%s", near);
            length = 0;
        }
        if (dot && (!*found || length) && strcmp(dot + 1, key) == 0 && length < sizeof(found))
            length += (size_t)snprintf(found + length, sizeof(found) - length, "%s%s",
                                       length ? " or " : "", option);
    }
    lcal__problems_add(&reader->problems, place, "unknown key %s%s%s%s",
                       lcal__excerpt(key, excerpt), *found ? "; did you mean " : "", found,
                       *found ? "?" : "");
}

static void read_map(lcal__reader *reader, const char *section, const lcal__yaml *map)
{
    for (const lcal__yaml *entry = map->first; entry; entry = entry->next) {
        char key[KEY_MAX];
        lcal__place place = {reader->override, entry->key_line, entry->key_column};
        snprintf(key, sizeof(key), "%s%s%s", section, *section ? "." : "", entry->key);
        lcal__read_key(reader, key, place, entry);
    }
}

void lcal__read_key(lcal__reader *reader, const char *key, lcal__place place,
                    const lcal__yaml *value)
{
    size_t index = lcal__option_find(key);
    const lcal__option *section = find_section(key);
    if (index < LCAL__OPTION_COUNT && reader->given[index]
        && reader->places[index].override == reader->override)
        lcal__problems_add(&reader->problems, place, "key %s: given again, first in line %zu", key,
                           reader->places[index].line);
    else if (index < LCAL__OPTION_COUNT)
        lcal__read_value(reader, index, value);
    else if (section && value->kind == LCAL__YAML_MAP)
        read_map(reader, key, value);
    else if (section && !value->null)
        lcal__read_refuse(reader, key, value, "a map of keys", "");
    else if (!section && !lcal__read_adapter_key(reader, key, value))
        refuse_unknown(reader, key, place);
}

void lcal__read_root(lcal__reader *reader, const lcal__yaml *root)
{
    read_map(reader, "", root);
}
