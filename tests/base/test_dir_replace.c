/*
 * Directories: one that is replaced is the old or the new one as a whole, whatever fails, and no
 * temporary one is left. Linked with --wrap for rename, renameat2, fsync and mkdir, which fail on
 * command.
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
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dir_replace.h"
#include "base/file.h"
#include "base/mem.h"

/* The call number (from 1) that fails with this errno; 0: none does. */
typedef struct trap {
    int at, code, calls;
} trap;

static trap rename_trap, exchange_trap, fsync_trap, mkdir_trap;
static char directory[256], target[300];

int __real_rename(const char *from, const char *to);
int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __real_fsync(int fd);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_rename(const char *from, const char *to);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __wrap_fsync(int fd);
int __wrap_mkdir(const char *path, mode_t mode);

static int trapped(trap *t)
{
    if (++t->calls != t->at)
        return 0;
    errno = t->code;
    return 1;
}

int __wrap_rename(const char *from, const char *to)
{
    return trapped(&rename_trap) ? -1 : __real_rename(from, to);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return trapped(&exchange_trap) ? -1 : __real_renameat2(from_dir, from, to_dir, to, flags);
}

int __wrap_fsync(int fd)
{
    return trapped(&fsync_trap) ? -1 : __real_fsync(fd);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return trapped(&mkdir_trap) ? -1 : __real_mkdir(path, mode);
}

static int set_up(void **state)
{
    (void)state;
    rename_trap = exchange_trap = fsync_trap = mkdir_trap = (trap){0};
    snprintf(directory, sizeof(directory), "%s/lcal-dir-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    snprintf(target, sizeof(target), "%s/out", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[400];
    snprintf(command, sizeof(command), "rm -r '%s'", directory);
    return system(command);
}

static lcal_status write_into(const char *path, const char *name, const char *text)
{
    char file[400];
    snprintf(file, sizeof(file), "%s/%s", path, name);
    return lcal__file_replace(file, text, strlen(text), NULL);
}

/* Makes or replaces the target: one file NAME with `text` in it. */
static lcal_status replace(const char *path, const char *name, const char *text, lcal_error *err)
{
    lcal__dir_replace d;
    LCAL_TRY(lcal__dir_replace_begin(path, &d, err));
    if (write_into(d.temporary, name, text) != LCAL_OK) {
        lcal__dir_replace_abort(&d);
        return LCAL_IO;
    }
    return lcal__dir_replace_commit(&d, err);
}

static size_t entries(const char *path)
{
    DIR *listing = opendir(path);
    size_t count = 0;
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count - 2;
}

/* The target holds one file NAME with `text`, and there is nothing beside it. */
static void assert_holds(const char *name, const char *text)
{
    char file[400];
    unsigned char *data;
    size_t size;
    snprintf(file, sizeof(file), "%s/%s", target, name);
    assert_int_equal(lcal__file_read(file, 100, &data, &size, NULL), LCAL_OK);
    assert_string_equal((char *)data, text);
    lcal__free(data);
    assert_int_equal(entries(target), 1);
    assert_int_equal(entries(directory), 1);
}

static void test_made_and_replaced(void **state)
{
    (void)state;
    char deep[400];
    assert_int_equal(replace(target, "a", "one", NULL), LCAL_OK);
    assert_holds("a", "one");
    snprintf(deep, sizeof(deep), "%s///", target);
    assert_int_equal(replace(deep, "b", "two", NULL), LCAL_OK);
    assert_holds("b", "two");
    snprintf(deep, sizeof(deep), "%s/b/c", directory);
    assert_int_equal(replace(deep, "a", "three", NULL), LCAL_OK);
    snprintf(deep, sizeof(deep), "%s/b/c/a", directory);
    assert_true(lcal__path_is_file(deep));
}

static void test_empty_gives_way(void **state)
{
    (void)state;
    assert_int_equal(mkdir(target, 0777), 0);
    assert_int_equal(replace(target, "a", "one", NULL), LCAL_OK);
    assert_holds("a", "one");
}

static void test_abort(void **state)
{
    (void)state;
    lcal__dir_replace d;
    assert_int_equal(replace(target, "a", "one", NULL), LCAL_OK);
    assert_int_equal(lcal__dir_replace_begin(target, &d, NULL), LCAL_OK);
    assert_int_equal(write_into(d.temporary, "b", "two"), LCAL_OK);
    lcal__dir_replace_abort(&d);
    lcal__dir_replace_abort(&d);
    assert_holds("a", "one");
}

static void test_only_flat_ones_are_replaced(void **state)
{
    (void)state;
    char inner[400];
    lcal_error err = {0};
    assert_int_equal(replace(target, "a", "one", NULL), LCAL_OK);
    snprintf(inner, sizeof(inner), "%s/inner", target);
    assert_int_equal(mkdir(inner, 0777), 0);
    assert_int_equal(replace(target, "b", "two", &err), LCAL_IO);
    assert_non_null(strstr(err.message, "holds the directory inner"));
    assert_int_equal(entries(target), 2);
    assert_int_equal(entries(directory), 1);
    /* A file is none. */
    snprintf(inner, sizeof(inner), "%s/a", target);
    assert_int_equal(replace(inner, "b", "two", &err), LCAL_IO);
    assert_true(lcal__path_is_file(inner));
}

/* Every call that can fail, in turn. */
static void test_failures_leave_the_old_one(void **state)
{
    (void)state;
    trap *const traps[] = {&fsync_trap, &mkdir_trap, &exchange_trap};
    assert_int_equal(replace(target, "a", "one", NULL), LCAL_OK);
    for (size_t i = 0; i < sizeof(traps) / sizeof(*traps); i++)
        for (int at = 1; at < 3; at++) {
            lcal_error err = {0};
            *traps[i] = (trap){at, ENOSPC, 0};
            const lcal_status status = replace(target, "a", "two", &err);
            if (traps[i]->calls < at) {
                assert_int_equal(status, LCAL_OK);
                *traps[i] = (trap){0};
                assert_int_equal(replace(target, "a", "one", NULL), LCAL_OK);
                continue;
            }
            assert_int_equal(status, LCAL_IO);
            *traps[i] = (trap){0};
            assert_holds("a", "one");
        }
}

/* A file system that cannot exchange two names. */
static void test_without_exchange(void **state)
{
    (void)state;
    lcal_error err = {0};
    assert_int_equal(replace(target, "a", "one", NULL), LCAL_OK);
    exchange_trap = (trap){1, EINVAL, 0};
    assert_int_equal(replace(target, "b", "two", NULL), LCAL_OK);
    assert_holds("b", "two");
    /* rename: the new one's file, over the target (not empty), aside, over the name. */
    for (int at = 3; at <= 4; at++) {
        exchange_trap = (trap){1, EINVAL, 0};
        rename_trap = (trap){at, EACCES, 0};
        assert_int_equal(replace(target, "b", "three", &err), LCAL_IO);
        rename_trap = (trap){0};
        assert_holds("b", "two");
    }
}

static void test_killed_before_the_end(void **state)
{
    (void)state;
    assert_int_equal(replace(target, "a", "one", NULL), LCAL_OK);
    const pid_t child = fork();
    if (child == 0) {
        lcal__dir_replace d;
        if (lcal__dir_replace_begin(target, &d, NULL) != LCAL_OK)
            _exit(1);
        write_into(d.temporary, "b", "half");
        _exit(0);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_int_equal(entries(target), 1);
    /* What it left beside it does not keep the next one from being made. */
    assert_int_equal(replace(target, "b", "two", NULL), LCAL_OK);
    assert_int_equal(entries(target), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_and_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_gives_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_abort, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_flat_ones_are_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures_leave_the_old_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_exchange, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed_before_the_end, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("dir_replace", tests, NULL, NULL);
}
