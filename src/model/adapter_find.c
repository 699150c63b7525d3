#include "base/file.h"
#include "base/mem.h"
#include "model/adapter_config.h"
#include "model/listing.h"

/* The search through the sub-directories of a directory. */
typedef struct search {
    const char *directory;
    char *found;
    lcal__listing names;
} search;

/* *holds: whether directory is that of an adapter. */
static lcal_status look(const char *directory, bool *holds, lcal_error *err)
{
    char *path = lcal__path_join(directory, "adapter_config.json");
    if (!path)
        return lcal__fail_nomem(err, directory);
    *holds = lcal__path_is_file(path);
    lcal__free(path);
    return LCAL_OK;
}

static lcal_status look_below(void *context, const char *name, lcal_error *err)
{
    search *on = context;
    bool holds = false;
    char *path = lcal__path_join(on->directory, name);
    if (!path)
        return lcal__fail_nomem(err, on->directory);
    lcal_status status = look(path, &holds, err);
    if (holds)
        lcal__listing_add(&on->names, "%s", name);
    if (holds && !on->found)
        on->found = path;
    else
        lcal__free(path);
    return status;
}

lcal_status lcal__adapter_find(const char *directory, char **out, lcal_error *err)
{
    bool here = false;
    LCAL_TRY(look(directory, &here, err));
    if (here) {
        *out = lcal__strdup(directory);
        return *out ? LCAL_OK : lcal__fail_nomem(err, directory);
    }
    search on = {.directory = directory};
    lcal_status status = lcal__dir_visit(directory, look_below, &on, err);
    if (status == LCAL_OK && on.names.count == 0)
        status = lcal__fail(err, LCAL_IO, "%s: no adapter: expected adapter_config.json in it",
                            directory);
    else if (status == LCAL_OK && on.names.count > 1)
        status = lcal__fail(err, LCAL_INVALID, "%s: several adapters: %s; name one of them",
                            directory, lcal__listing_text(&on.names));
    if (status == LCAL_OK)
        *out = on.found;
    else
        lcal__free(on.found);
    lcal__listing_free(&on.names);
    return status;
}
