#define _GNU_SOURCE /* realpath, O_CLOEXEC, O_DIRECTORY */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define TEMPORARY ".tmp." /* between a target's name and the numbers that make it free */

/* Names to try for a temporary file: more than threads will ever write one target at a time. */
#define TEMPORARY_ATTEMPTS 1000

static lcal_status fail_io(lcal_error *err, const char *verb, const char *path)
{
    return lcal__fail(err, LCAL_IO, "%s: cannot %s: %s", path, verb, strerror(errno));
}

/* Opens a regular file for reading and tells its size. */
static lcal_status open_regular(const char *path, int *fd, size_t *size, lcal_error *err)
{
    struct stat info;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return fail_io(err, "open", path);
    if (fstat(*fd, &info) != 0) {
        lcal_status status = fail_io(err, "examine", path);
        close(*fd);
        return status;
    }
    if (!S_ISREG(info.st_mode)) {
        close(*fd);
        return lcal__fail(err, LCAL_IO, "%s: not a regular file", path);
    }
    *size = (size_t)info.st_size;
    return LCAL_OK;
}

lcal_status lcal__map_open(const char *path, lcal__map *out, lcal_error *err)
{
    static const unsigned char nothing[1];
    int fd;
    size_t size;
    LCAL_TRY(open_regular(path, &fd, &size, err));
    *out = (lcal__map){nothing, 0};
    lcal_status status = LCAL_OK;
    if (size > 0) {
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = fail_io(err, "map", path);
        else
            *out = (lcal__map){data, size};
    }
    close(fd);
    return status;
}

void lcal__map_close(lcal__map *map)
{
    if (map->size)
        munmap((void *)map->data, map->size);
    *map = (lcal__map){0};
}

void lcal__map_drop(const void *data, size_t size)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)data + size) / page * page;
    if (end > first)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

lcal_status lcal__file_read(const char *path, size_t limit, unsigned char **data, size_t *size,
                            lcal_error *err)
{
    int fd;
    size_t length, filled = 0;
    LCAL_TRY(open_regular(path, &fd, &length, err));
    if (length > limit) {
        close(fd);
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: %zu bytes, more than the %zu that such a file may have", path,
                          length, limit);
    }
    unsigned char *bytes = lcal__calloc(length + 1, 1);
    lcal_status status = bytes ? LCAL_OK : lcal__fail_nomem(err, path);
    while (status == LCAL_OK && filled < length) {
        ssize_t got = read(fd, bytes + filled, length - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = fail_io(err, "read", path);
        else if (got == 0)
            break; /* it shrank since fstat: what is there is what counts */
        else
            filled += (size_t)got;
    }
    close(fd);
    if (status != LCAL_OK) {
        lcal__free(bytes);
        return status;
    }
    bytes[filled] = 0;
    *data = bytes;
    *size = filled;
    return LCAL_OK;
}

/* A new file beside the target. Not mkstemp: its mode is 0600, and a result is an ordinary file,
 * whose mode is the umask's business, which cannot be asked without changing it for all threads. */
static int create_temporary(char *temporary, size_t size, const char *path)
{
    int fd = -1;
    errno = EEXIST;
    for (unsigned attempt = 0; fd < 0 && errno == EEXIST && attempt < TEMPORARY_ATTEMPTS;
         attempt++) {
        snprintf(temporary, size, "%s" TEMPORARY "%ld.%u", path, (long)getpid(), attempt);
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    return fd;
}

lcal_status lcal__replace_begin(const char *path, lcal__replace *out, lcal_error *err)
{
    *out = (lcal__replace){.fd = -1};
    size_t size = strlen(path) + sizeof(TEMPORARY "-9223372036854775808.4294967295");
    out->path = lcal__strdup(path);
    out->temporary = lcal__calloc(size, 1);
    if (out->path && out->temporary)
        out->fd = create_temporary(out->temporary, size, path);
    if (out->fd >= 0)
        return LCAL_OK;
    lcal_status status = out->path && out->temporary
                             ? fail_io(err, "create a temporary file beside it", path)
                             : lcal__fail_nomem(err, path);
    /* What has that name is not ours to remove. */
    lcal__free(out->temporary);
    out->temporary = NULL;
    lcal__replace_abort(out);
    return status;
}

static lcal_status write_all(int fd, const char *path, const void *data, size_t size,
                             lcal_error *err)
{
    const unsigned char *bytes = data;
    while (size > 0) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_io(err, "write", path);
        bytes += put;
        size -= (size_t)put;
    }
    return LCAL_OK;
}

lcal_status lcal__replace_write(lcal__replace *file, const void *data, size_t size, lcal_error *err)
{
    return write_all(file->fd, file->path, data, size, err);
}

static lcal_status sync_directory(const char *directory, lcal_error *err)
{
    lcal_status status = LCAL_OK;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems cannot sync a directory (EINVAL): the rename is then as durable as it gets.
     */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        status = fail_io(err, "sync the directory", directory);
    if (fd >= 0)
        close(fd);
    return status;
}

lcal_status lcal__replace_commit(lcal__replace *file, lcal_error *err)
{
    /* Before the rename: afterwards memory must not be what is missing. */
    char *directory = lcal__path_dir(file->path);
    lcal_status status = directory ? LCAL_OK : lcal__fail_nomem(err, file->path);
    if (status == LCAL_OK && fsync(file->fd) != 0)
        status = fail_io(err, "sync", file->path);
    if (close(file->fd) != 0 && status == LCAL_OK)
        status = fail_io(err, "close", file->path);
    file->fd = -1;
    if (status == LCAL_OK && rename(file->temporary, file->path) != 0)
        status = fail_io(err, "rename its new version over", file->path);
    if (status == LCAL_OK) {
        lcal__free(file->temporary);
        file->temporary = NULL;
        status = sync_directory(directory, err);
    }
    lcal__free(directory);
    lcal__replace_abort(file);
    return status;
}

void lcal__replace_abort(lcal__replace *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
    if (file->temporary) {
        unlink(file->temporary);
        lcal__free(file->temporary);
    }
    lcal__free(file->path);
    *file = (lcal__replace){.fd = -1};
}

static lcal_status sweep(DIR *entries, const char *directory, const char *name, lcal_error *err)
{
    const size_t length = strlen(name);
    const struct dirent *entry;
    while ((entry = readdir(entries))) {
        if (strncmp(entry->d_name, name, length) != 0
            || strncmp(entry->d_name + length, TEMPORARY, sizeof(TEMPORARY) - 1) != 0)
            continue;
        char *path = lcal__path_join(directory, entry->d_name);
        lcal_status status = path ? lcal__file_remove(path, err) : lcal__fail_nomem(err, directory);
        lcal__free(path);
        if (status != LCAL_OK)
            return status;
    }
    return LCAL_OK;
}

lcal_status lcal__replace_sweep(const char *path, lcal_error *err)
{
    const char *slash = strrchr(path, '/');
    char *directory = lcal__path_dir(path);
    if (!directory)
        return lcal__fail_nomem(err, path);
    DIR *entries = opendir(directory);
    lcal_status status = LCAL_OK;
    if (entries) {
        status = sweep(entries, directory, slash ? slash + 1 : path, err);
        closedir(entries);
    }
    lcal__free(directory);
    return status;
}

lcal_status lcal__file_replace(const char *path, const void *data, size_t size, lcal_error *err)
{
    lcal__replace file;
    LCAL_TRY(lcal__replace_begin(path, &file, err));
    lcal_status status = lcal__replace_write(&file, data, size, err);
    if (status != LCAL_OK) {
        lcal__replace_abort(&file);
        return status;
    }
    return lcal__replace_commit(&file, err);
}

lcal_status lcal__file_append(const char *path, const void *data, size_t size, lcal_error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail_io(err, "open", path);
    lcal_status status = write_all(fd, path, data, size, err);
    if (close(fd) != 0 && status == LCAL_OK)
        status = fail_io(err, "close", path);
    return status;
}

lcal_status lcal__dir_make(const char *path, lcal_error *err)
{
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && lcal__path_is_dir(path)))
        return LCAL_OK;
    if (errno != ENOENT)
        return fail_io(err, "make the directory", path);
    char *parent = lcal__path_dir(path);
    if (!parent)
        return lcal__fail_nomem(err, path);
    lcal_status status = strcmp(parent, path) == 0 || strcmp(parent, ".") == 0
                             ? fail_io(err, "make the directory", path)
                             : lcal__dir_make(parent, err);
    lcal__free(parent);
    if (status == LCAL_OK && mkdir(path, 0777) != 0 && errno != EEXIST)
        status = fail_io(err, "make the directory", path);
    return status;
}

bool lcal__path_is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool lcal__path_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

bool lcal__path_facts(const char *path, uint64_t *size, int64_t *changed)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    *size = (uint64_t)info.st_size;
    *changed = (int64_t)info.st_mtime;
    return true;
}

bool lcal__path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool lcal__dir_is_empty(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return false;
    bool empty = true;
    const struct dirent *entry;
    while (empty && (entry = readdir(directory)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(directory);
    return empty;
}

lcal_status lcal__dir_visit(const char *path, lcal__dir_fn *fn, void *context, lcal_error *err)
{
    DIR *directory = opendir(path);
    if (!directory)
        return fail_io(err, "list", path);
    lcal_status status = LCAL_OK;
    const struct dirent *entry;
    while (status == LCAL_OK && (entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = fn(context, entry->d_name, err);
    closedir(directory);
    return status;
}

lcal_status lcal__file_remove(const char *path, lcal_error *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return LCAL_OK;
    return fail_io(err, "remove", path);
}

char *lcal__path_join(const char *directory, const char *name)
{
    size_t head = strlen(directory), tail = strlen(name);
    if (head == 0 || name[0] == '/')
        return lcal__strdup(name);
    char *path = lcal__calloc(head + tail + 2, 1);
    if (path)
        snprintf(path, head + tail + 2, "%s%s%s", directory, directory[head - 1] == '/' ? "" : "/",
                 name);
    return path;
}

char *lcal__path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return lcal__strdup(".");
    return lcal__strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

char *lcal__path_absolute(const char *path)
{
    char resolved[PATH_MAX];
    if (realpath(path, resolved))
        return lcal__strdup(resolved);
    if (path[0] == '/' || !getcwd(resolved, sizeof(resolved)))
        return lcal__strdup(path);
    return lcal__path_join(resolved, path);
}

/* The number after `key` in a small text file of the kernel, times unit; 0 where there is none. */
static uint64_t kernel_number(const char *path, const char *key, uint64_t unit)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    char line[256];
    uint64_t value = 0;
    size_t length = strlen(key);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, key, length) == 0) {
            value = strtoull(line + length, NULL, 10) * unit;
            break;
        }
    fclose(file);
    return value;
}

uint64_t lcal__peak_rss(void)
{
    return kernel_number("/proc/self/status", "VmHWM:", 1024);
}

uint64_t lcal__memory_available(void)
{
    uint64_t available = kernel_number("/proc/meminfo", "MemAvailable:", 1024);
    uint64_t limit = kernel_number("/sys/fs/cgroup/memory.max", "", 1);
    uint64_t used = kernel_number("/sys/fs/cgroup/memory.current", "", 1);
    if (limit && limit > used && (available == 0 || limit - used < available))
        available = limit - used;
    return available;
}
