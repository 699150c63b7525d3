#define _GNU_SOURCE /* renameat2, O_DIRECTORY */
#include "base/dir_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define TEMPORARY ".tmp." /* as of files, see file.c */
#define ATTEMPTS 1000

static lcal_status fail_io(lcal_error *err, const char *verb, const char *path)
{
    return lcal__fail(err, LCAL_IO, "%s: cannot %s: %s", path, verb, strerror(errno));
}

/* "out" for "out/": the temporary directory lies beside it, not in it. */
static char *without_slashes(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return lcal__strndup(path, length);
}

static lcal_status make_parents(const char *path, lcal_error *err)
{
    char *parent = lcal__path_dir(path);
    if (!parent)
        return lcal__fail_nomem(err, path);
    lcal_status status = lcal__dir_make(parent, err);
    lcal__free(parent);
    return status;
}

static lcal_status make_temporary(lcal__dir_replace *out, lcal_error *err)
{
    const size_t size = strlen(out->path) + sizeof(TEMPORARY "-9223372036854775808.4294967295");
    char *name = lcal__calloc(size, 1);
    if (!name)
        return lcal__fail_nomem(err, out->path);
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        snprintf(name, size, "%s" TEMPORARY "%ld.%u", out->path, (long)getpid(), attempt);
        if (mkdir(name, 0777) == 0) {
            out->temporary = name;
            return LCAL_OK;
        }
        if (errno != EEXIST)
            break;
    }
    lcal__free(name);
    return fail_io(err, "make a temporary directory beside it", out->path);
}

lcal_status lcal__dir_replace_begin(const char *path, lcal__dir_replace *out, lcal_error *err)
{
    *out = (lcal__dir_replace){.path = without_slashes(path)};
    lcal_status status = out->path ? make_parents(out->path, err) : lcal__fail_nomem(err, path);
    if (status == LCAL_OK)
        status = make_temporary(out, err);
    if (status != LCAL_OK)
        lcal__dir_replace_abort(out);
    return status;
}

/* --- removing -------------------------------------------------------------------------------- */

static lcal_status remove_entry(void *context, const char *name, lcal_error *err)
{
    const char *directory = context;
    char *path = lcal__path_join(directory, name);
    lcal_status status = path ? lcal__file_remove(path, err) : lcal__fail_nomem(err, directory);
    lcal__free(path);
    return status;
}

static lcal_status remove_flat(char *path, lcal_error *err)
{
    LCAL_TRY(lcal__dir_visit(path, remove_entry, path, err));
    return rmdir(path) == 0 ? LCAL_OK : fail_io(err, "remove", path);
}

static lcal_status refuse_directory(void *context, const char *name, lcal_error *err)
{
    const char *directory = context;
    struct stat info;
    char *path = lcal__path_join(directory, name);
    if (!path)
        return lcal__fail_nomem(err, directory);
    const bool deep = lstat(path, &info) != 0 || S_ISDIR(info.st_mode);
    lcal__free(path);
    if (!deep)
        return LCAL_OK;
    return lcal__fail(err, LCAL_IO,
                      "%s: holds the directory %s: only a directory of plain files is replaced; "
                      "move it away or give another name",
                      directory, name);
}

/* --- renaming -------------------------------------------------------------------------------- */

static lcal_status sync_path(const char *path, lcal_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    lcal_status status = LCAL_OK;
    /* Some file systems cannot sync a directory (EINVAL). */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        status = fail_io(err, "sync the directory", path);
    if (fd >= 0)
        close(fd);
    return status;
}

/* The new one under the name, the old one under the temporary name. */
static lcal_status exchange(const lcal__dir_replace *d, lcal_error *err)
{
#ifdef RENAME_EXCHANGE
    if (renameat2(AT_FDCWD, d->temporary, AT_FDCWD, d->path, RENAME_EXCHANGE) == 0)
        return LCAL_OK;
    if (errno != EINVAL && errno != ENOSYS)
        return fail_io(err, "rename its new version over", d->path);
#endif
    /* A file system that cannot exchange names: for a moment the old one has another. */
    const size_t size = strlen(d->temporary) + sizeof(".old");
    char *aside = lcal__calloc(size, 1);
    if (!aside)
        return lcal__fail_nomem(err, d->path);
    snprintf(aside, size, "%s.old", d->temporary);
    lcal_status status = LCAL_OK;
    if (rename(d->path, aside) != 0) {
        status = fail_io(err, "rename", d->path);
    } else if (rename(d->temporary, d->path) != 0) {
        status = fail_io(err, "rename its new version over", d->path);
        rename(aside, d->path);
    } else if (rename(aside, d->temporary) != 0) {
        status = fail_io(err, "rename", aside);
    }
    lcal__free(aside);
    return status;
}

static lcal_status give_name(lcal__dir_replace *d, const char *parent, lcal_error *err)
{
    LCAL_TRY(sync_path(d->temporary, err));
    /* An empty directory gives way by itself. */
    if (rename(d->temporary, d->path) == 0) {
        lcal__free(d->temporary);
        d->temporary = NULL;
    } else if (lcal__path_is_dir(d->path)) {
        LCAL_TRY(lcal__dir_visit(d->path, refuse_directory, d->path, err));
        LCAL_TRY(exchange(d, err));
    } else {
        return fail_io(err, "rename its new version over", d->path);
    }
    return sync_path(parent, err);
}

lcal_status lcal__dir_replace_commit(lcal__dir_replace *directory, lcal_error *err)
{
    /* Before the rename: afterwards memory must not be what is missing. */
    char *parent = lcal__path_dir(directory->path);
    lcal_status status =
        parent ? give_name(directory, parent, err) : lcal__fail_nomem(err, directory->path);
    lcal__free(parent);
    /* What has the temporary name now is the old directory, or the new one that failed. */
    lcal__dir_replace_abort(directory);
    return status;
}

void lcal__dir_replace_abort(lcal__dir_replace *directory)
{
    if (directory->temporary)
        remove_flat(directory->temporary, NULL);
    lcal__free(directory->temporary);
    lcal__free(directory->path);
    *directory = (lcal__dir_replace){0};
}
