/* The state of reading one configuration, and the steps of it. */
#ifndef LCAL_CONFIG_READER_H
#define LCAL_CONFIG_READER_H

#include "config/options.h"
#include "config/problems.h"
#include "config/settings.h"
#include "format/yaml.h"

typedef struct lcal__reader {
    lcal__settings *settings;
    lcal_purpose purpose;
    lcal__problems problems;
    const char *directory; /* what relative paths are relative to; "": the working directory */
    size_t override;       /* being read, from 1; 0: the file */
    lcal__place places[LCAL__OPTION_COUNT]; /* of the value that counts */
    bool given[LCAL__OPTION_COUNT];         /* validly or not */
    lcal__place adapter_places[LCAL__CONFIG_ADAPTERS_MAX];
} lcal__reader;

/* Every function below adds to reader->problems what is wrong and leaves the old value then. */

/* The keys of a whole file, a map. */
void lcal__read_root(lcal__reader *reader, const lcal__yaml *root);

/* One dotted key, of an option or a section, with its value; `place` is the key's. */
void lcal__read_key(lcal__reader *reader, const char *key, lcal__place place,
                    const lcal__yaml *value);

/* The value of row `index` of the table. */
void lcal__read_value(lcal__reader *reader, size_t index, const lcal__yaml *value);

/* A whole list of adapters, replacing what was there. */
void lcal__read_adapters(lcal__reader *reader, const lcal__yaml *value);

/* "adapters.N", "adapters.N.path" or "adapters.N.weight" of the list that is there. False: `key` is
 * none of these. */
bool lcal__read_adapter_key(lcal__reader *reader, const char *key, const lcal__yaml *value);

/* A path of at least one byte, resolved and owned by the caller. NULL: refused, or out of memory.
 */
char *lcal__read_path(lcal__reader *reader, const char *key, lcal__place place, const char *text);

/* "key KEY: expected EXPECTED, found ..." with the hint after it. */
void lcal__read_refuse(lcal__reader *reader, const char *key, const lcal__yaml *value,
                       const char *expected, const char *hint);

lcal__place lcal__read_place(const lcal__reader *reader, const lcal__yaml *value);

/* True for a path that the purpose cannot do without. */
bool lcal__path_is_required(lcal_purpose purpose, const lcal__option *option);

/* What needs the whole configuration: keys that must be given, files that must exist, keys that
 * must fit one another. */
void lcal__check_settings(lcal__reader *reader);

#endif
