/* Finding a tokenizer's file, and what stands beside tokenizer.json. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/tokenizer_parts.h"
#include "format/json.h"

static bool has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

/* "tokenizer.bin", or "tok512.bin" as llama2.c calls its own. */
typedef struct bin_search {
    const char *directory;
    char *name;
} bin_search;

static lcal_status look_at(void *context, const char *name, lcal_error *err)
{
    bin_search *search = context;
    if (strncmp(name, "tok", 3) != 0 || !has_suffix(name, ".bin"))
        return LCAL_OK;
    if (search->name)
        return lcal__fail(err, LCAL_INVALID, "%s: two tokenizers, %s and %s: give the file itself",
                          search->directory, search->name, name);
    search->name = lcal__strdup(name);
    return search->name ? LCAL_OK : lcal__fail_nomem(err, "path");
}

/* *out stays NULL where there is none. */
static lcal_status find_in(const char *directory, char **out, lcal_error *err)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.gguf"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char *path = lcal__path_join(directory, names[i]);
        if (!path)
            return lcal__fail_nomem(err, "path");
        if (lcal__path_is_file(path)) {
            *out = path;
            return LCAL_OK;
        }
        lcal__free(path);
    }
    bin_search search = {.directory = directory};
    lcal_status status = lcal__dir_visit(directory, look_at, &search, err);
    if (status == LCAL_OK && search.name) {
        *out = lcal__path_join(directory, search.name);
        status = *out ? LCAL_OK : lcal__fail_nomem(err, "path");
    }
    lcal__free(search.name);
    return status;
}

/* A token given by its text, or by an object with "content". -1 where it is absent or null. */
static lcal_status read_named(const lcal__tokenizer *t, const json_t *config, const char *source,
                              const char *key, int32_t *out, lcal_error *err)
{
    const json_t *value = json_object_get(config, key);
    const char *text = NULL;
    if (json_is_object(value))
        LCAL_TRY(lcal__json_string(value, source, "content", &text, err));
    else
        LCAL_TRY(lcal__json_string(config, source, key, &text, err));
    if (!text)
        return LCAL_OK;
    *out = lcal__tokenizer_id(t, text);
    if (*out < 0)
        return lcal__fail(err, LCAL_FORMAT, "%s: key %s: \"%s\" is no token", source, key, text);
    return LCAL_OK;
}

/* BOS and EOS: tokenizer.json itself does not say which they are. */
static lcal_status read_config(lcal__tokenizer *t, const char *path, lcal_error *err)
{
    char *directory = lcal__path_dir(path);
    char *beside = directory ? lcal__path_join(directory, "tokenizer_config.json") : NULL;
    json_t *config = NULL;
    lcal_status status = beside ? LCAL_OK : lcal__fail_nomem(err, "path");
    if (status == LCAL_OK && lcal__path_is_file(beside)) {
        status = lcal__json_read_object_reals(beside, &config, err);
        if (status == LCAL_OK)
            status = read_named(t, config, beside, "bos_token", &t->bos, err);
        if (status == LCAL_OK)
            status = read_named(t, config, beside, "eos_token", &t->eos, err);
    }
    json_decref(config);
    lcal__free(beside);
    lcal__free(directory);
    return status;
}

static lcal_status open_file(const char *path, const char *cache, lcal__tokenizer **out,
                             lcal_error *err)
{
    lcal__map map = {0};
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal__tokenizer_parse_cached(map.data, map.size, path, cache, out, err);
    lcal__map_close(&map);
    if (status == LCAL_OK && has_suffix(path, "tokenizer.json"))
        status = read_config(*out, path, err);
    if (status != LCAL_OK)
        lcal__tokenizer_close(out);
    return status;
}

lcal_status lcal__tokenizer_open_cached(const char *path, const char *cache, const lcal_log *log,
                                        lcal__tokenizer **out, lcal_error *err)
{
    char *file = NULL;
    *out = NULL;
    if (lcal__path_is_dir(path)) {
        LCAL_TRY(find_in(path, &file, err));
        if (!file)
            return lcal__fail(err, LCAL_IO,
                              "%s: no tokenizer: expected tokenizer.json, tokenizer.gguf or a "
                              "tok*.bin of llama2.c",
                              path);
    }
    lcal_status status = open_file(file ? file : path, cache, out, err);
    if (status == LCAL_OK)
        lcal__log(log, LCAL_LOG_INFO, "%s: %zu tokens, %zu merges", file ? file : path,
                  (*out)->vocab.used, (*out)->merges.count);
    lcal__free(file);
    return status;
}

lcal_status lcal__tokenizer_open(const char *path, const lcal_log *log, lcal__tokenizer **out,
                                 lcal_error *err)
{
    return lcal__tokenizer_open_cached(path, NULL, log, out, err);
}

lcal_status lcal__tokenizer_find(const char *path, bool *found, lcal_error *err)
{
    char *file = NULL;
    if (!lcal__path_is_dir(path)) {
        lcal__map map = {0};
        LCAL_TRY(lcal__map_open(path, &map, err));
        lcal_status status = LCAL_OK;
        *found = true;
        if (map.size >= 4 && memcmp(map.data, "GGUF", 4) == 0)
            status = lcal__tokenizer_in_gguf(map.data, map.size, path, found, err);
        lcal__map_close(&map);
        return status;
    }
    LCAL_TRY(find_in(path, &file, err));
    *found = file != NULL;
    lcal__free(file);
    return LCAL_OK;
}
