#define _GNU_SOURCE /* mkdtemp, realpath */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[4096];

static const char *const folders[] = {"model", "a", "b", "work"};
static const char *const files[] = {"train.jsonl", "valid.jsonl", "init.h5"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int fixture_make(void **state)
{
    (void)state;
    char template[] = "/tmp/lcal-config-XXXXXX";
    if (!mkdtemp(template) || !realpath(template, root))
        return 1;
    for (size_t i = 0; i < COUNT(folders); ++i)
        if (mkdir(fixture_path(folders[i]), 0777) != 0)
            return 1;
    for (size_t i = 0; i < COUNT(files); ++i) {
        FILE *file = fopen(fixture_path(files[i]), "w");
        if (!file || fclose(file) != 0)
            return 1;
    }
    return chdir(fixture_path("work"));
}

int fixture_remove(void **state)
{
    (void)state;
    int failed = chdir("/");
    for (size_t i = 0; i < COUNT(files); ++i)
        failed |= unlink(fixture_path(files[i]));
    for (size_t i = 0; i < COUNT(folders); ++i)
        failed |= rmdir(fixture_path(folders[i]));
    return failed | rmdir(root);
}

const char *fixture_root(void)
{
    return root;
}

const char *fixture_path(const char *name)
{
    static char paths[8][sizeof(root) + 256];
    static size_t next;
    char *path = paths[next++ % COUNT(paths)];
    snprintf(path, sizeof(paths[0]), "%s/%.200s", root, name);
    return path;
}

lcal_status fixture_parse(const char *text, const char *const *overrides, lcal_config **out,
                          lcal_error *err)
{
    size_t count = 0;
    while (overrides && overrides[count])
        ++count;
    return lcal__config_parse(text, strlen(text), "c.yaml", root, overrides, count, out, err);
}

lcal_config *fixture_open(const char *text, const char *const *overrides)
{
    lcal_config *config = NULL;
    lcal_error err = {0};
    if (fixture_parse(text, overrides, &config, &err) != LCAL_OK)
        print_error("%s\n", err.message);
    assert_non_null(config);
    return config;
}
