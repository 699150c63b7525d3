/*
 * Files: a replacement that fails at any of its steps leaves the old file and no temporary one.
 * Linked with --wrap for write, fsync and rename, which fail on command.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* The call number (from 1) that fails with this errno; 0: none does. */
typedef struct trap {
    int at, code, calls;
} trap;

static trap write_trap, fsync_trap, rename_trap;
static size_t write_most = SIZE_MAX;
static char directory[256];

ssize_t __real_write(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);

static int trapped(trap *t)
{
    if (++t->calls != t->at)
        return 0;
    errno = t->code;
    return 1;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    return trapped(&write_trap) ? -1
                                : __real_write(fd, data, size < write_most ? size : write_most);
}

int __wrap_fsync(int fd)
{
    return trapped(&fsync_trap) ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    return trapped(&rename_trap) ? -1 : __real_rename(from, to);
}

static int set_up(void **state)
{
    (void)state;
    const char *root = getenv("TMPDIR");
    snprintf(directory, sizeof(directory), "%s/lcal-file-XXXXXX", root ? root : "/tmp");
    write_trap = fsync_trap = rename_trap = (trap){0};
    write_most = SIZE_MAX;
    return mkdtemp(directory) ? 0 : -1;
}

static size_t count_entries(void)
{
    size_t count = 0;
    DIR *open = opendir(directory);
    while (readdir(open))
        count++;
    closedir(open);
    return count - 2;
}

static int tear_down(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

static const char *in_directory(const char *name)
{
    static char path[300];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void assert_content(const char *path, const char *expected)
{
    unsigned char *data;
    size_t size;
    assert_int_equal(lcal__file_read(path, 1000, &data, &size, NULL), LCAL_OK);
    assert_int_equal(size, strlen(expected));
    assert_string_equal((char *)data, expected);
    lcal__free(data);
}

static void test_replace(void **state)
{
    (void)state;
    const char *path = in_directory("target");
    mode_t mask = umask(027);
    assert_int_equal(lcal__file_replace(path, "old", 3, NULL), LCAL_OK);
    umask(mask);
    assert_content(path, "old");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(lcal__file_replace(path, "newer", 5, NULL), LCAL_OK);
    assert_content(path, "newer");
    assert_int_equal(lcal__file_replace(path, "", 0, NULL), LCAL_OK);
    assert_content(path, "");
    assert_int_equal(count_entries(), 1);
    assert_int_equal(rename_trap.calls, 3);
    assert_int_equal(fsync_trap.calls, 6); /* each time the file and its directory */
}

static void test_replace_fails(void **state)
{
    (void)state;
    static const struct {
        trap *trap;
        int at, code;
        const char *then; /* content after the failure */
    } cases[] = {
        {&write_trap, 1, ENOSPC, "old"}, {&write_trap, 3, ENOSPC, "old"},
        {&fsync_trap, 1, EIO, "old"},    {&rename_trap, 1, EACCES, "old"},
        {&fsync_trap, 2, EIO, "newer"}, /* the directory's: already renamed, yet not durable */
    };
    const char *path = in_directory("target");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(lcal__file_replace(path, "old", 3, NULL), LCAL_OK);
        write_trap = fsync_trap = rename_trap = (trap){0};
        write_most = 2;
        *cases[i].trap = (trap){cases[i].at, cases[i].code, 0};
        lcal_error err = {0};
        assert_int_equal(lcal__file_replace(path, "newer", 5, &err), LCAL_IO);
        assert_non_null(strstr(err.message, directory));
        assert_non_null(strstr(err.message, strerror(cases[i].code)));
        write_trap = fsync_trap = rename_trap = (trap){0};
        assert_content(path, cases[i].then);
        assert_int_equal(count_entries(), 1);
    }
}

static void test_interrupted_write(void **state)
{
    (void)state;
    const char *path = in_directory("target");
    write_most = 3;
    write_trap = (trap){2, EINTR, 0};
    assert_int_equal(lcal__file_replace(path, "ten bytes!", 10, NULL), LCAL_OK);
    assert_content(path, "ten bytes!");
}

static void test_abort(void **state)
{
    (void)state;
    const char *path = in_directory("target");
    lcal__replace first, second;
    assert_int_equal(lcal__file_replace(path, "old", 3, NULL), LCAL_OK);
    /* Two at a time do not share a temporary file. */
    assert_int_equal(lcal__replace_begin(path, &first, NULL), LCAL_OK);
    assert_int_equal(lcal__replace_begin(path, &second, NULL), LCAL_OK);
    assert_int_equal(lcal__replace_write(&first, "one", 3, NULL), LCAL_OK);
    assert_int_equal(lcal__replace_write(&second, "two", 3, NULL), LCAL_OK);
    lcal__replace_abort(&first);
    lcal__replace_abort(&first);
    assert_content(path, "old");
    assert_int_equal(lcal__replace_commit(&second, NULL), LCAL_OK);
    assert_content(path, "two");
    assert_int_equal(count_entries(), 1);
    assert_int_equal(lcal__replace_begin(in_directory("none/target"), &first, NULL), LCAL_IO);
    lcal__replace_abort(&first);
}

static void test_read(void **state)
{
    (void)state;
    const char *path = in_directory("file");
    unsigned char *data;
    size_t size;
    lcal__map map = {0};
    lcal_error err = {0};
    assert_int_equal(lcal__file_read(path, 10, &data, &size, &err), LCAL_IO);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(lcal__map_open(path, &map, NULL), LCAL_IO);
    assert_int_equal(lcal__map_open(directory, &map, &err), LCAL_IO);
    assert_non_null(strstr(err.message, "not a regular file"));
    assert_int_equal(lcal__file_append(path, "12345", 5, NULL), LCAL_OK);
    assert_int_equal(lcal__file_append(path, "6", 1, NULL), LCAL_OK);
    assert_content(path, "123456");
    assert_int_equal(lcal__file_read(path, 5, &data, &size, &err), LCAL_FORMAT);
    assert_int_equal(lcal__map_open(path, &map, NULL), LCAL_OK);
    assert_int_equal(map.size, 6);
    assert_memory_equal(map.data, "123456", 6);
    lcal__map_close(&map);
    lcal__map_close(&map);
    assert_int_equal(lcal__file_replace(path, "", 0, NULL), LCAL_OK);
    assert_int_equal(lcal__map_open(path, &map, NULL), LCAL_OK);
    assert_true(map.data && map.size == 0);
    lcal__map_close(&map);
    assert_int_equal(lcal__file_remove(path, NULL), LCAL_OK);
    assert_int_equal(lcal__file_remove(path, NULL), LCAL_OK);
    assert_false(lcal__path_is_file(path));
}

static void test_directories(void **state)
{
    (void)state;
    assert_true(lcal__dir_is_empty(directory));
    assert_int_equal(lcal__dir_make(in_directory("a/b/c/"), NULL), LCAL_OK);
    assert_int_equal(lcal__dir_make(in_directory("a/b/c"), NULL), LCAL_OK);
    assert_true(lcal__path_is_dir(in_directory("a/b/c")));
    assert_false(lcal__path_is_file(in_directory("a/b/c")));
    assert_false(lcal__dir_is_empty(in_directory("a")));
    assert_false(lcal__dir_is_empty(in_directory("none")));
    assert_int_equal(lcal__file_append(in_directory("file"), "1", 1, NULL), LCAL_OK);
    assert_int_equal(lcal__dir_make(in_directory("file"), NULL), LCAL_IO);
    assert_int_equal(lcal__dir_make(in_directory("file/below"), NULL), LCAL_IO);
}

static void check_text(char *got, const char *expected)
{
    assert_non_null(got);
    assert_string_equal(got, expected);
    lcal__free(got);
}

static void test_paths(void **state)
{
    (void)state;
    check_text(lcal__path_join("a", "b"), "a/b");
    check_text(lcal__path_join("a/", "b"), "a/b");
    check_text(lcal__path_join("", "b"), "b");
    check_text(lcal__path_join("a", "/b"), "/b");
    check_text(lcal__path_dir("a/b/c"), "a/b");
    check_text(lcal__path_dir("/a"), "/");
    check_text(lcal__path_dir("a"), ".");
    char *absolute = lcal__path_absolute("not there");
    assert_non_null(absolute);
    assert_true(absolute[0] == '/' && strstr(absolute, "/not there"));
    lcal__free(absolute);
    assert_true(lcal__peak_rss() > 100000);
    assert_true(lcal__memory_available() > 100000);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replace), TEST(test_replace_fails), TEST(test_interrupted_write),
        TEST(test_abort),   TEST(test_read),          TEST(test_directories),
        TEST(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
