#include "model/weight_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/json.h"
#include "model/listing.h"

#define LCAL_SINGLE "model.safetensors"
#define LCAL_INDEX "model.safetensors.index.json"

static int by_name(const void *left, const void *right)
{
    const lcal__shard *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static lcal__shard *find_shard(const lcal__weight_files *files, const char *name)
{
    const lcal__shard key = {.name = name};
    return bsearch(&key, files->shards, files->count, sizeof(*files->shards), by_name);
}

/* A shard lies beside its index: a name that leads elsewhere is refused, not followed. */
static bool stays_inside(const char *name)
{
    return name[0] != '\0' && !strpbrk(name, "/\\") && !strstr(name, "..");
}

static lcal_status open_shard(const char *directory, lcal__shard *shard, lcal_error *err)
{
    shard->path = lcal__path_join(directory, shard->name);
    if (!shard->path)
        return lcal__fail_nomem(err, shard->name);
    LCAL_TRY(lcal__map_open(shard->path, &shard->map, err));
    LCAL_TRY(
        lcal__safetensors_parse(shard->map.data, shard->map.size, shard->path, &shard->file, err));
    shard->used = lcal__calloc(shard->file.count, sizeof(*shard->used));
    return shard->used ? LCAL_OK : lcal__fail_nomem(err, shard->path);
}

/* Fills files->shards with the distinct names of the index, sorted. */
static lcal_status list_shards(lcal__weight_files *files, lcal_error *err)
{
    json_t *where = json_object_get(files->index, "weight_map");
    if (!json_is_object(where) || json_object_size(where) == 0)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: key weight_map: expected an object with an entry per tensor, found "
                          "%s",
                          files->source,
                          json_is_object(where) ? "an empty one" : lcal__json_type(where));
    files->where = where;
    files->shards = lcal__calloc(json_object_size(where), sizeof(*files->shards));
    if (!files->shards)
        return lcal__fail_nomem(err, files->source);
    size_t count = 0;
    for (void *i = json_object_iter(where); i; i = json_object_iter_next(where, i)) {
        const char *name = json_string_value(json_object_iter_value(i));
        if (!name)
            return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: expected a file name, found %s",
                              files->source, json_object_iter_key(i),
                              lcal__json_type(json_object_iter_value(i)));
        if (!stays_inside(name))
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: tensor %s: expected the name of a file beside the index, found "
                              "\"%s\"",
                              files->source, json_object_iter_key(i), name);
        files->shards[count++].name = name;
    }
    qsort(files->shards, count, sizeof(*files->shards), by_name);
    for (size_t i = 0; i < count; i++)
        if (files->count == 0
            || strcmp(files->shards[files->count - 1].name, files->shards[i].name) != 0)
            files->shards[files->count++].name = files->shards[i].name;
    return LCAL_OK;
}

/* Every tensor of the index is in its shard; what a shard holds besides is reported. */
static lcal_status check_index(const lcal__weight_files *files, const lcal_log *log,
                               lcal_error *err)
{
    lcal__listing missing = {0}, unmapped = {0};
    json_t *where = json_object_get(files->index, "weight_map");
    for (void *i = json_object_iter(where); i; i = json_object_iter_next(where, i)) {
        const char *shard = json_string_value(json_object_iter_value(i));
        if (!lcal__safetensors_find(&find_shard(files, shard)->file, json_object_iter_key(i)))
            lcal__listing_add(&missing, "%s in %s", json_object_iter_key(i), shard);
    }
    for (size_t s = 0; s < files->count; s++) {
        const lcal__shard *shard = &files->shards[s];
        for (size_t t = 0; t < shard->file.count; t++) {
            const char *name = shard->file.tensors[t].name;
            const char *mapped = json_string_value(json_object_get(where, name));
            if (!mapped || strcmp(mapped, shard->name) != 0) {
                lcal__listing_add(&unmapped, "%s in %s", name, shard->name);
                shard->used[t] = true;
            }
        }
    }
    lcal_status status = LCAL_OK;
    if (missing.count)
        status = lcal__fail(err, LCAL_FORMAT, "%s: tensors that are not where it says: %s",
                            files->source, lcal__listing_text(&missing));
    else if (unmapped.count)
        lcal__log(log, LCAL_LOG_NOTICE, "%s: ignored tensors that it does not list: %s",
                  files->source, lcal__listing_text(&unmapped));
    lcal__listing_free(&missing);
    lcal__listing_free(&unmapped);
    return status;
}

/* Which of the two layouts is there: sets source, and shards of the single file. */
static lcal_status find_layout(const char *directory, lcal__weight_files *files, lcal_error *err)
{
    files->source = lcal__path_join(directory, LCAL_SINGLE);
    if (!files->source)
        return lcal__fail_nomem(err, directory);
    if (lcal__path_is_file(files->source)) {
        files->shards = lcal__calloc(1, sizeof(*files->shards));
        if (!files->shards)
            return lcal__fail_nomem(err, files->source);
        files->count = 1;
        files->shards[0].name = LCAL_SINGLE;
        return LCAL_OK;
    }
    lcal__free(files->source);
    files->source = lcal__path_join(directory, LCAL_INDEX);
    if (!files->source)
        return lcal__fail_nomem(err, directory);
    if (!lcal__path_is_file(files->source))
        return lcal__fail(err, LCAL_IO, "%s: no weights: expected " LCAL_SINGLE " or " LCAL_INDEX,
                          directory);
    LCAL_TRY(lcal__json_read_object(files->source, &files->index, err));
    return list_shards(files, err);
}

lcal_status lcal__weight_files_open(const char *directory, const lcal_log *log,
                                    lcal__weight_files *out, lcal_error *err)
{
    *out = (lcal__weight_files){0};
    lcal_status status = find_layout(directory, out, err);
    for (size_t i = 0; status == LCAL_OK && i < out->count; i++)
        status = open_shard(directory, &out->shards[i], err);
    if (status == LCAL_OK && out->index)
        status = check_index(out, log, err);
    if (status != LCAL_OK)
        lcal__weight_files_close(out);
    return status;
}

lcal_status lcal__weight_files_hold(const char *path, lcal__weight_files *out, lcal_error *err)
{
    lcal__weight_files files = {.source = lcal__strdup(path),
                                .shards = lcal__calloc(1, sizeof(*files.shards))};
    lcal_status status = LCAL_OK;
    files.count = files.shards ? 1 : 0;
    if (files.source && files.shards)
        status = lcal__map_open(path, &files.shards[0].map, err);
    else
        status = lcal__fail_nomem(err, path);
    if (status == LCAL_OK)
        *out = files;
    else
        lcal__weight_files_close(&files);
    return status;
}

void lcal__weight_files_close(lcal__weight_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        lcal__safetensors_free(&files->shards[i].file);
        lcal__map_close(&files->shards[i].map);
        lcal__free(files->shards[i].path);
        lcal__free(files->shards[i].used);
    }
    lcal__free(files->shards);
    lcal__free(files->source);
    json_decref(files->index);
    *files = (lcal__weight_files){0};
}

const lcal__tensor *lcal__weight_files_find(const lcal__weight_files *files, const char *name)
{
    const lcal__shard *shard = files->shards;
    if (files->where) {
        const json_t *where = json_object_get(files->where, name);
        if (!where)
            return NULL;
        shard = find_shard(files, json_string_value(where));
    }
    const lcal__tensor *tensor = lcal__safetensors_find(&shard->file, name);
    if (tensor)
        shard->used[tensor - shard->file.tensors] = true;
    return tensor;
}

static bool is_rotary_buffer(const char *name)
{
    static const char suffix[] = "rotary_emb.inv_freq";
    size_t length = strlen(name), tail = sizeof(suffix) - 1;
    return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

void lcal__weight_files_report_unused(const lcal__weight_files *files, const lcal_log *log)
{
    lcal__listing unused = {0};
    for (size_t s = 0; s < files->count; s++)
        for (size_t t = 0; t < files->shards[s].file.count; t++) {
            const char *name = files->shards[s].file.tensors[t].name;
            if (!files->shards[s].used[t] && !is_rotary_buffer(name))
                lcal__listing_add(&unused, "%s", name);
        }
    if (unused.count)
        lcal__log(log, LCAL_LOG_NOTICE, "%s: ignored tensors that the model does not have: %s",
                  files->source, lcal__listing_text(&unused));
    lcal__listing_free(&unused);
}

#define HASH_STEP ((size_t)16 << 20)

/* Of one shard, which need not be in memory as a whole for it. */
static lcal_status hash_shard(const lcal__shard *shard, char hex[LCAL__SHA256_HEX], lcal_error *err)
{
    lcal__hash *hash = NULL;
    LCAL_TRY(lcal__hash_open(&hash, err));
    for (size_t at = 0; at < shard->map.size; at += HASH_STEP) {
        const size_t left = shard->map.size - at, step = left < HASH_STEP ? left : HASH_STEP;
        lcal__hash_add(hash, shard->map.data + at, step);
        lcal__map_drop(shard->map.data + at, step);
    }
    lcal__hash_close(&hash, hex);
    return LCAL_OK;
}

void lcal__weight_files_release(const lcal__weight_files *files, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < files->count; i++) {
        const lcal__map *map = &files->shards[i].map;
        if (bytes >= map->data && bytes < map->data + map->size)
            lcal__map_drop(data, size);
    }
}

lcal_status lcal__weight_files_hash(const lcal__weight_files *files, char hex[LCAL__SHA256_HEX],
                                    lcal_error *err)
{
    if (!files->index)
        return hash_shard(&files->shards[0], hex, err);
    lcal__strbuf list = {0};
    lcal_status status = LCAL_OK;
    for (size_t i = 0; i < files->count && status == LCAL_OK; i++) {
        char part[LCAL__SHA256_HEX];
        const lcal__shard *shard = &files->shards[i];
        status = hash_shard(shard, part, err);
        if (status == LCAL_OK)
            lcal__strbuf_printf(&list, "%s  %s\n", part, shard->name);
    }
    if (status == LCAL_OK && list.failed)
        status = lcal__fail_nomem(err, files->source);
    if (status == LCAL_OK)
        status = lcal__sha256(list.text, list.length, hex, err);
    lcal__strbuf_free(&list);
    return status;
}

size_t lcal__weight_files_bytes(const lcal__weight_files *files)
{
    size_t bytes = 0;
    for (size_t i = 0; i < files->count; i++)
        bytes += files->shards[i].map.size;
    return bytes;
}
