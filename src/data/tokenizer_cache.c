#include "data/tokenizer_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/json.h"

#define LCAL_PREFIX "tokenizer-"
#define LCAL_SUFFIX ".cache"
#define LCAL_HEX (2 * LCAL__SHA256_BYTES)

/* What a killed writer left is its own no more after this many seconds. */
#define LCAL_ABANDONED 3600

static char *cache_path(const char *directory, const unsigned char key[LCAL__SHA256_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char hex[LCAL_HEX + 1] = {0};
    lcal__strbuf name = {0};
    for (size_t i = 0; i < LCAL__SHA256_BYTES; i++) {
        hex[2 * i] = digits[key[i] >> 4];
        hex[2 * i + 1] = digits[key[i] & 15];
    }
    lcal__strbuf_printf(&name, LCAL_PREFIX "%s" LCAL_SUFFIX, hex);
    char *path = name.failed ? NULL : lcal__path_join(directory, name.text);
    lcal__strbuf_free(&name);
    return path;
}

/* False: no usable cache; the tokenizer is empty again. */
static bool load(lcal__tokenizer *t, const char *path, const unsigned char key[LCAL__SHA256_BYTES])
{
    lcal__map map = {0};
    if (lcal__map_open(path, &map, NULL) != LCAL_OK)
        return false;
    lcal_status status = lcal__tokenizer_cache_unpack(t, map.data, map.size, key, path, NULL);
    lcal__map_close(&map);
    if (status != LCAL_OK)
        lcal__tokenizer_clear(t);
    return status == LCAL_OK;
}

/* A file of ours in the cache directory. */
typedef struct entry {
    char *path;
    uint64_t size;
    int64_t changed;
    bool whole; /* no writer's temporary */
} entry;

typedef struct entries {
    const char *directory;
    entry *list; /* [count] */
    size_t count, capacity;
} entries;

static lcal_status note(void *context, const char *name, lcal_error *err)
{
    entries *e = context;
    const size_t prefix = strlen(LCAL_PREFIX), suffix = strlen(LCAL_SUFFIX);
    const char *end = name + prefix + LCAL_HEX;
    if (strncmp(name, LCAL_PREFIX, prefix) != 0
        || strspn(name + prefix, "0123456789abcdef") != LCAL_HEX
        || strncmp(end, LCAL_SUFFIX, suffix) != 0)
        return LCAL_OK;
    if (!lcal__grow((void **)&e->list, &e->capacity, e->count + 1, sizeof(*e->list)))
        return lcal__fail_nomem(err, "tokenizer cache");
    entry found = {.path = lcal__path_join(e->directory, name), .whole = !end[suffix]};
    if (found.path && lcal__path_facts(found.path, &found.size, &found.changed))
        e->list[e->count++] = found;
    else
        lcal__free(found.path);
    return LCAL_OK;
}

static int newest_first(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->changed != y->changed ? (x->changed > y->changed ? -1 : 1) : strcmp(x->path, y->path);
}

/* Removes what is beyond the limits, the oldest first, but never `written`. */
static void evict(const char *directory, const char *written)
{
    entries e = {.directory = directory};
    size_t kept = 1;
    uint64_t bytes = 0;
    int64_t changed = 0;
    (void)lcal__dir_visit(directory, note, &e, NULL);
    (void)lcal__path_facts(written, &bytes, &changed);
    if (e.count)
        qsort(e.list, e.count, sizeof(*e.list), newest_first);
    for (size_t i = 0; i < e.count; i++) {
        const entry *file = &e.list[i];
        if (strcmp(file->path, written) == 0)
            continue;
        bool fits = kept < LCAL__CACHE_FILES && file->size <= LCAL__CACHE_BYTES
                    && bytes + file->size <= LCAL__CACHE_BYTES;
        if (file->whole ? !fits : file->changed < changed - LCAL_ABANDONED) {
            (void)lcal__file_remove(file->path, NULL);
        } else if (file->whole) {
            kept++;
            bytes += file->size;
        }
    }
    for (size_t i = 0; i < e.count; i++)
        lcal__free(e.list[i].path);
    lcal__free(e.list);
}

static void store(const lcal__strbuf *packed, const char *directory, const char *path)
{
    if (packed->length <= LCAL__CACHE_BYTES && lcal__dir_make(directory, NULL) == LCAL_OK
        && lcal__file_replace(path, packed->text, packed->length, NULL) == LCAL_OK)
        evict(directory, path);
}

lcal_status lcal__tokenizer_read_cached(lcal__tokenizer *t, const void *bytes, size_t size,
                                        const char *source, const char *directory, lcal_error *err)
{
    unsigned char key[LCAL__SHA256_BYTES];
    lcal__strbuf packed = {0};
    json_t *root = NULL;
    LCAL_TRY(lcal__sha256_bytes(bytes, size, key, err));
    char *path = cache_path(directory, key);
    if (!path)
        return lcal__fail_nomem(err, "path");
    lcal_status status = LCAL_OK;
    if (load(t, path, key))
        goto done;
    LCAL_TRY_GOTO(status, done, lcal__json_parse(bytes, size, source, &root, err));
    LCAL_TRY_GOTO(status, done, lcal__tokenizer_json_tables(t, root, source, err));
    /* Only the tables are in `t` now; kept once all of the file proves to be good. */
    const bool kept = lcal__tokenizer_cache_pack(t, root, key, &packed, NULL) == LCAL_OK;
    LCAL_TRY_GOTO(status, done, lcal__tokenizer_json_rest(t, root, source, err));
    if (kept)
        store(&packed, directory, path);
done:
    json_decref(root);
    lcal__strbuf_free(&packed);
    lcal__free(path);
    return status;
}
