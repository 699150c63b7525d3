/*
 * Files: the only place that calls the operating system's file functions (tests wrap these calls
 * at link time to fail them on purpose). Every write is a replacement: a kill at any moment leaves
 * the old file or the new one, never a part.
 */
#ifndef LCAL_BASE_FILE_H
#define LCAL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A read-only view of a whole file. Zeroed is valid and empty. */
typedef struct lcal__map {
    const unsigned char *data; /* page aligned; not NULL after a successful open, even when empty */
    size_t size;
} lcal__map;

/* Maps a regular file. A file that shrinks while mapped ends in SIGBUS, as with every mapping. */
lcal_status lcal__map_open(const char *path, lcal__map *out, lcal_error *err);
void lcal__map_close(lcal__map *map);

/* Says that [data, data + size) of a mapping is not needed for now: its whole pages leave resident
 * memory and are read again where touched. Only for memory
 * of an lcal__map: other memory would lose its content. */
void lcal__map_drop(const void *data, size_t size);

/* Reads a whole file of at most `limit` bytes; *data has a zero byte after its end and is freed
 * with lcal__free. */
lcal_status lcal__file_read(const char *path, size_t limit, unsigned char **data, size_t *size,
                            lcal_error *err);

/*
 * A replacement being written: temporary file in the target's directory, then fsync, rename and
 * fsync of the directory. Every begun one ends with commit or abort; both accept one that failed.
 */
typedef struct lcal__replace {
    char *path;
    char *temporary;
    int fd;
} lcal__replace;

lcal_status lcal__replace_begin(const char *path, lcal__replace *out, lcal_error *err);
lcal_status lcal__replace_write(lcal__replace *file, const void *data, size_t size,
                                lcal_error *err);
lcal_status lcal__replace_commit(lcal__replace *file, lcal_error *err);
void lcal__replace_abort(lcal__replace *file);

/* Removes the temporary files of `path` that killed writers left beside it. Nobody may be writing
 * it meanwhile. A directory that cannot be read holds none. */
lcal_status lcal__replace_sweep(const char *path, lcal_error *err);

/* The three calls in one. */
lcal_status lcal__file_replace(const char *path, const void *data, size_t size, lcal_error *err);

/* Appends and flushes to the disk's cache (no fsync): for logs, where a lost last line is no loss.
 */
lcal_status lcal__file_append(const char *path, const void *data, size_t size, lcal_error *err);

/* Makes a directory and its missing parents; an existing one is no error. */
lcal_status lcal__dir_make(const char *path, lcal_error *err);

bool lcal__path_is_file(const char *path);
bool lcal__path_exists(const char *path); /* whatever it is, a link that leads nowhere too */
bool lcal__path_is_dir(const char *path);

/* Size, and time of the last change in seconds since 1970; false where path is no regular file. */
bool lcal__path_facts(const char *path, uint64_t *size, int64_t *changed);

/* True where a directory has no entries but "." and ".."; false also where it cannot be read. */
bool lcal__dir_is_empty(const char *path);

/* Calls fn with the name of every entry of a directory but "." and "..", in no fixed order; fn's
 * failure ends the walk. */
typedef lcal_status lcal__dir_fn(void *context, const char *name, lcal_error *err);
lcal_status lcal__dir_visit(const char *path, lcal__dir_fn *fn, void *context, lcal_error *err);

/* Removes a file; one that is not there is no error. */
lcal_status lcal__file_remove(const char *path, lcal_error *err);

/* directory + "/" + name, or name alone where it is absolute or directory is "" . NULL: out of
 * memory. */
char *lcal__path_join(const char *directory, const char *name);

/* The directory part of path without its last slash, "." where it has none. NULL: out of memory. */
char *lcal__path_dir(const char *path);

/* Absolute path of a file or directory, links resolved where it exists. NULL: out of memory. */
char *lcal__path_absolute(const char *path);

/* Peak resident memory of this process so far, bytes; 0 where unknown. */
uint64_t lcal__peak_rss(void);

/* Memory this process could still take without swapping, bytes, cgroup limits included; 0 where
 * unknown. */
uint64_t lcal__memory_available(void);

#endif
