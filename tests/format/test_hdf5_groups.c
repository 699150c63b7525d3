/*
 * Walks through the groups of hostile HDF5 images, most of them found by fuzzing: links that cannot
 * be read, groups that share their members, visitors that move the path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#define H5_USE_110_API
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/hdf5.h"

#define MEMBERS 12     /* of /g; more than 8, and HDF5 keeps links in a heap, found by a tree */
#define HEAP_BYTES 256 /* of that heap, with all its links */
#define LEVELS 12
#define NAMES 16

static lcal_error err;

/* The library itself loses memory where it finds broken metadata. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

typedef void make_fn(hid_t file);

/* An image made by the library itself; free it with free. */
static unsigned char *image_of(make_fn *make, size_t *size)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 65536, 0);
    hid_t file = H5Fcreate("crafted", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    assert_true(file >= 0);
    make(file);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    ssize_t length = H5Fget_file_image(file, NULL, 0);
    assert_true(length > 0);
    unsigned char *bytes = malloc((size_t)length);
    assert_non_null(bytes);
    assert_true(H5Fget_file_image(file, bytes, (size_t)length) == length);
    assert_true(H5Fclose(file) >= 0);
    *size = (size_t)length;
    return bytes;
}

static void make_group(hid_t parent, const char *name)
{
    hid_t group = H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(group >= 0);
    H5Gclose(group);
}

static lcal_status count(void *context, const char *name, bool is_group, lcal_error *error)
{
    (void)name, (void)is_group, (void)error;
    ++*(size_t *)context;
    return LCAL_OK;
}

/* --- damage -------------------------------------------------------------------------------- */

/* A group that tracks the order of creation is of the newer kind, in a file of any version. */
static void make_members(hid_t file)
{
    hid_t properties = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_link_creation_order(properties, H5P_CRT_ORDER_TRACKED);
    H5Gclose(H5Gcreate2(file, "g", H5P_DEFAULT, properties, H5P_DEFAULT));
    H5Pclose(properties);
    for (int i = 0; i < MEMBERS; i++) {
        char path[16];
        snprintf(path, sizeof(path), "g/%d", i);
        make_group(file, path);
    }
}

static lcal_status list_members(const unsigned char *bytes, size_t size, size_t *members)
{
    lcal__h5 *file = NULL;
    *members = 0;
    lcal_status status = lcal__h5_open(bytes, size, "f.h5", &file, &err);
    if (status == LCAL_OK)
        status = lcal__h5_list(file, "/g", count, members, &err);
    lcal__h5_close(&file);
    return status;
}

/* A link that cannot be read: the library would free what it never set. */
static void test_damaged_links(void **state)
{
    (void)state;
    size_t size, members, heap = 0, failed = 0;
    unsigned char *bytes = image_of(make_members, &size);
    while (heap + HEAP_BYTES < size && memcmp(bytes + heap, "FHDB", 4) != 0)
        heap++;
    assert_true(heap + HEAP_BYTES < size);
    for (size_t i = heap; i < heap + HEAP_BYTES; i++) {
        bytes[i] ^= 0xFF;
        if (list_members(bytes, size, &members) != LCAL_OK)
            failed++;
        else
            assert_int_equal(members, MEMBERS);
        bytes[i] ^= 0xFF;
    }
    print_message("%zu of %d damages noticed\n", failed, HEAP_BYTES);
    assert_true(failed > 0);
    assert_int_equal(list_members(bytes, size, &members), LCAL_OK);
    assert_int_equal(members, MEMBERS);
    free(bytes);
}

/* --- sharing ------------------------------------------------------------------------------- */

/* Groups in one another, each with many names: 16^12 paths through a small file. */
static void make_shared(hid_t file)
{
    hid_t at = H5Gcreate2(file, "/g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    for (int level = 0; level < LEVELS; level++) {
        hid_t next = H5Gcreate2(at, "0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        for (int i = 1; i < NAMES; i++) {
            char name[8];
            snprintf(name, sizeof(name), "%d", i);
            H5Lcreate_hard(at, "0", at, name, H5P_DEFAULT, H5P_DEFAULT);
        }
        H5Gclose(at);
        at = next;
    }
    H5Gclose(at);
}

typedef struct descent {
    lcal__h5 *file;
    char path[256];
} descent;

static lcal_status descend(void *context, const char *name, bool is_group, lcal_error *error)
{
    descent *d = context;
    size_t length = strlen(d->path);
    assert_true(is_group);
    snprintf(d->path + length, sizeof(d->path) - length, "/%s", name);
    lcal_status status = lcal__h5_list(d->file, d->path, descend, d, error);
    d->path[length] = '\0';
    return status;
}

static void test_shared(void **state)
{
    (void)state;
    size_t size;
    unsigned char *bytes = image_of(make_shared, &size);
    descent d = {.path = "/g"};
    assert_int_equal(lcal__h5_open(bytes, size, "f.h5", &d.file, &err), LCAL_OK);
    assert_int_equal(lcal__h5_list(d.file, "/g", descend, &d, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "share their members"));
    lcal__h5_close(&d.file);
    free(bytes);
}

/* --- visitors ------------------------------------------------------------------------------ */

static void make_two(hid_t file)
{
    make_group(file, "x");
    H5Lcreate_soft("/x", file, "/y", H5P_DEFAULT, H5P_DEFAULT);
}

static lcal_status scribble(void *context, const char *name, bool is_group, lcal_error *error)
{
    (void)name, (void)is_group, (void)error;
    strcpy(context, "?");
    return LCAL_OK;
}

/* A walk through nested groups keeps its path in one buffer, which grows and moves. */
static void test_moved_path(void **state)
{
    (void)state;
    size_t size;
    unsigned char *bytes = image_of(make_two, &size);
    char path[] = "/";
    lcal__h5 *file;
    assert_int_equal(lcal__h5_open(bytes, size, "f.h5", &file, &err), LCAL_OK);
    assert_int_equal(lcal__h5_list(file, path, scribble, path, &err), LCAL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "f.h5: /: member y"));
    lcal__h5_close(&file);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_links),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_moved_path),
    };
    /* Else it complains at the exit about the memory that it lost. */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
