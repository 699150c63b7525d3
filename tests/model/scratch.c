#define _GNU_SOURCE
#include "model/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static char directory[256];

char scratch_notices[16384];

static void collect(void *user, lcal_log_level level, const char *message)
{
    (void)user, (void)level;
    size_t used = strlen(scratch_notices);
    snprintf(scratch_notices + used, sizeof(scratch_notices) - used, "%s\n", message);
}

const lcal_log scratch_log = {collect, NULL};

int scratch_open(void **state)
{
    (void)state;
    const char *root = getenv("TMPDIR");
    scratch_notices[0] = '\0';
    snprintf(directory, sizeof(directory), "%s/lcal-model-XXXXXX", root ? root : "/tmp");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

int scratch_close(void **state)
{
    (void)state;
    return nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_below(const char *root, const char *format, va_list args)
{
    static char paths[4][4096];
    static size_t next;
    char *path = paths[next++ % 4];
    int head = snprintf(path, sizeof(paths[0]), "%s/", root);
    vsnprintf(path + head, sizeof(paths[0]) - (size_t)head, format, args);
    return path;
}

const char *scratch_path(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *path = path_below(directory, format, args);
    va_end(args);
    return path;
}

const char *shipped_path(const char *format, ...)
{
    char root[3000];
    const char *source = getenv("LCAL_TEST_SOURCE");
    snprintf(root, sizeof(root), "%s/golden/models", source ? source : "tests");
    va_list args;
    va_start(args, format);
    const char *path = path_below(root, format, args);
    va_end(args);
    return path;
}

static const char *prepare(const char *name)
{
    const char *path = scratch_path("%s", name);
    char *parent = lcal__path_dir(path);
    lcal_error err = {0};
    if (lcal__dir_make(parent, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    lcal__free(parent);
    return path;
}

void scratch_text(const char *name, const char *text)
{
    lcal_error err = {0};
    if (lcal__file_replace(prepare(name), text, strlen(text), &err) != LCAL_OK)
        fail_msg("%s", err.message);
}

void scratch_tensors(const char *name, const lcal__tensor *tensors, size_t count)
{
    lcal_error err = {0};
    if (lcal__safetensors_write(prepare(name), tensors, count, NULL, 0, &err) != LCAL_OK)
        fail_msg("%s", err.message);
}

void scratch_copy(const char *from, const char *name)
{
    lcal_error err = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (lcal__file_read(from, SIZE_MAX - 1, &bytes, &size, &err) != LCAL_OK
        || lcal__file_replace(prepare(name), bytes, size, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    lcal__free(bytes);
}

void assert_refused(const char *what, lcal_status found, const lcal_error *err,
                    lcal_status expected, const char *says)
{
    if (found != expected || !strstr(err->message, says))
        fail_msg("%s: %s: \"%s\"; expected %s: \"%s\"", what, lcal_status_text(found),
                 found == LCAL_OK ? "" : err->message, lcal_status_text(expected), says);
}
