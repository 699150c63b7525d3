#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/reader.h"
#include "config/value.h"

struct lcal_config {
    lcal__settings settings;
};

/* "key=value"; the value is a YAML document of its own. */
static void read_override(lcal__reader *reader, const char *text)
{
    const lcal__place place = {.override = reader->override};
    const char *equals = strchr(text, '=');
    lcal_error err = {0};
    lcal__yaml *value = NULL;
    char source[LCAL__EXCERPT_MAX + 32];
    if (!equals || equals == text) {
        lcal__problems_add(&reader->problems, place, "expected key=value");
        return;
    }
    lcal__problems_place(&reader->problems, place, source, sizeof(source));
    lcal_status status = lcal__yaml_parse(equals + 1, strlen(equals + 1), source, &value, &err);
    char *key = lcal__strndup(text, (size_t)(equals - text));
    if (!key || status == LCAL_NOMEM)
        reader->problems.failed = true;
    else if (status != LCAL_OK)
        lcal__problems_add_text(&reader->problems, place, err.message);
    else
        lcal__read_key(reader, key, place, value);
    lcal__free(key);
    lcal__yaml_close(&value);
}

static void reset(lcal__reader *reader)
{
    for (size_t i = 0; i < LCAL__OPTION_COUNT; ++i)
        if (!lcal__value_reset(&lcal__option_rows()[i], reader->settings))
            reader->problems.failed = true;
}

/* A file that is no YAML or no map ends the reading: what else is said of it would mislead. */
static lcal_status read_file(lcal__reader *reader, const char *text, size_t size, lcal_error *err)
{
    const char *source = reader->problems.source;
    lcal__yaml *root = NULL;
    lcal_status status = lcal__yaml_parse(text, size, source, &root, err);
    if (status == LCAL_FORMAT) {
        status = LCAL_CONFIG;
        if (err)
            err->status = status;
    }
    LCAL_TRY(status);
    if (root->kind == LCAL__YAML_MAP)
        lcal__read_root(reader, root);
    else if (!root->null)
        status = lcal__fail(err, LCAL_CONFIG, "%s:%zu:%zu: expected \"key: value\" lines, found %s",
                            source, root->line, root->column,
                            root->kind == LCAL__YAML_LIST ? "a list" : "plain text");
    lcal__yaml_close(&root);
    return status;
}

lcal_status lcal__config_parse_for(lcal_purpose purpose, const char *text, size_t size,
                                   const char *source, const char *directory,
                                   const char *const *overrides, size_t count, lcal_config **out,
                                   lcal_error *err)
{
    lcal_config *config = lcal__calloc(1, sizeof(*config));
    lcal__reader *reader = lcal__calloc(1, sizeof(*reader));
    lcal_status status = LCAL_OK;
    if (!config || !reader) {
        status = lcal__fail_nomem(err, source);
        goto done;
    }
    reader->settings = &config->settings;
    reader->purpose = purpose;
    reader->problems = (lcal__problems){.source = source, .overrides = overrides};
    reader->directory = directory;
    reset(reader);
    LCAL_TRY_GOTO(status, done, read_file(reader, text, size, err));
    reader->directory = "";
    for (size_t i = 0; i < count; ++i) {
        reader->override = i + 1;
        read_override(reader, overrides[i]);
    }
    /* After a failed allocation a path may be missing that the checks would look at. */
    if (!reader->problems.failed)
        lcal__check_settings(reader);
    status = lcal__problems_report(&reader->problems, err);
done:
    if (reader)
        lcal__problems_free(&reader->problems);
    lcal__free(reader);
    if (status == LCAL_OK)
        *out = config;
    else
        lcal_config_close(&config);
    return status;
}

lcal_status lcal__config_parse(const char *text, size_t size, const char *source,
                               const char *directory, const char *const *overrides, size_t count,
                               lcal_config **out, lcal_error *err)
{
    return lcal__config_parse_for(LCAL_FOR_RUN, text, size, source, directory, overrides, count,
                                  out, err);
}

lcal_status lcal_config_open_for(lcal_purpose purpose, const char *path,
                                 const char *const *overrides, size_t count, lcal_config **out,
                                 lcal_error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    if (!out || (count && !overrides))
        return lcal__fail(err, LCAL_INVALID, "lcal_config_open: out or overrides is NULL");
    if (!path)
        return lcal__config_parse_for(purpose, "", 0, "configuration", "", overrides, count, out,
                                      err);
    lcal_status status = lcal__file_read(path, LCAL__CONFIG_FILE_MAX, &text, &size, err);
    if (status == LCAL_FORMAT) { /* too long */
        if (err)
            err->status = LCAL_CONFIG;
        return LCAL_CONFIG;
    }
    LCAL_TRY(status);
    char *directory = lcal__path_dir(path);
    status = directory ? lcal__config_parse_for(purpose, (const char *)text, size, path, directory,
                                                overrides, count, out, err)
                       : lcal__fail_nomem(err, path);
    lcal__free(directory);
    lcal__free(text);
    return status;
}

lcal_status lcal_config_open(const char *path, const char *const *overrides, size_t count,
                             lcal_config **out, lcal_error *err)
{
    return lcal_config_open_for(LCAL_FOR_RUN, path, overrides, count, out, err);
}

void lcal_config_close(lcal_config **config)
{
    if (!config || !*config)
        return;
    lcal__settings_free(&(*config)->settings);
    lcal__free(*config);
    *config = NULL;
}

const lcal__settings *lcal__config_settings(const lcal_config *config)
{
    return &config->settings;
}

const char *lcal_config_run_directory(const lcal_config *config)
{
    return config->settings.out;
}

void lcal_text_free(char *text)
{
    lcal__free(text);
}
