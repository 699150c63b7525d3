/*
 * An HDF5 image in the oldest format, whose metadata has no checksums, with each address and size
 * replaced in turn: an error with a message or an answer, never a crash, never a
 * look outside the image.
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

#include "base/mem.h"
#include "format/hdf5.h"

#define COUNT 16

static lcal_error err;
static const size_t shape[1] = {COUNT};

/* The library itself loses memory where it finds broken metadata. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* It asks for as much memory as a file says before it reads. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

typedef struct image {
    unsigned char *bytes; /* of malloc, so that a sanitizer sees an overrun */
    size_t size;
} image;

static void put_text(hid_t object, const char *name, size_t size, const void *value)
{
    hid_t type = H5Tcopy(H5T_C_S1), scalar = H5Screate(H5S_SCALAR);
    H5Tset_size(type, size);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t attribute = H5Acreate2(object, name, type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(scalar);
    H5Tclose(type);
}

static void put_floats(hid_t group, const char *name, bool chunked)
{
    static const hsize_t extents[1] = {COUNT}, chunk[1] = {COUNT / 2};
    float values[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        values[i] = (float)i;
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, extents, NULL);
    if (chunked) {
        H5Pset_chunk(properties, 1, chunk);
        H5Pset_shuffle(properties);
        H5Pset_deflate(properties, 1);
        H5Pset_fletcher32(properties);
    }
    hid_t dataset =
        H5Dcreate2(group, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(properties);
}

/* Groups by B-tree and local heap, datasets in one piece and in chunks, texts in the object header
 * and one in the global heap. */
static void fill(hid_t file)
{
    const char *variable = "somewhere else";
    hid_t group = H5Gcreate2(file, "/g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_floats(group, "plain", false);
    put_floats(group, "chunked", true);
    put_text(file, "variable", H5T_VARIABLE, &variable);
    put_text(group, "first", 8, "a text\0");
    put_text(group, "second", 8, "another");
    H5Gclose(group);
}

static image finish(hid_t file)
{
    image made = {0};
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    ssize_t size = H5Fget_file_image(file, NULL, 0);
    assert_true(size > 0);
    made.size = (size_t)size;
    made.bytes = malloc(made.size);
    assert_non_null(made.bytes);
    assert_true(H5Fget_file_image(file, made.bytes, made.size) == size);
    assert_true(H5Fclose(file) >= 0);
    return made;
}

static image make_old(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, 4096, 0);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    H5Pset_sym_k(creation, 1, 1); /* small nodes: few bytes that nothing uses */
    H5Pset_istore_k(creation, 1);
    hid_t file = H5Fcreate("crafted", H5F_ACC_TRUNC, creation, access);
    assert_true(file >= 0);
    H5Pclose(creation);
    H5Pclose(access);
    fill(file);
    return finish(file);
}

static lcal_status visit(void *context, const char *name, bool is_group, lcal_error *error)
{
    (void)name, (void)is_group, (void)error;
    ++*(size_t *)context;
    return LCAL_OK;
}

static bool told(lcal_status status)
{
    if (status != LCAL_OK)
        assert_non_null(strstr(err.message, "f.h5: "));
    return status == LCAL_OK;
}

static bool read_floats(lcal__h5 *file, const char *path)
{
    float values[COUNT] = {0};
    bool good = told(lcal__h5_get_f32(file, path, 1, shape, values, &err));
    for (size_t i = 0; i < COUNT; i++)
        good = good && values[i] == (float)i;
    return good;
}

/* A text that is read is `expected`, or damaged, or NULL where it is one that we do not read. */
static bool read_text(lcal__h5 *file, const char *path, const char *name, const char *expected)
{
    char *text = NULL;
    bool good = told(lcal__h5_get_text(file, path, name, &text, &err)) == (expected != NULL)
                && (!expected || strcmp(text, expected) == 0);
    lcal__free(text);
    return good;
}

/* Everything that a reader can ask. True: all answers came and were the true ones. */
static bool read_all(image of)
{
    lcal__h5 *file;
    size_t members = 0;
    memset(&err, 0, sizeof(err));
    if (!told(lcal__h5_open(of.bytes, of.size, "f.h5", &file, &err)))
        return false;
    bool good = told(lcal__h5_list(file, "/", visit, &members, &err)) && members == 1;
    good &= told(lcal__h5_list(file, "/g", visit, &members, &err)) && members == 3;
    good &= read_text(file, "/g", "first", "a text");
    good &= read_text(file, "/g", "second", "another");
    good &= read_text(file, "/", "variable", NULL);
    good &= read_floats(file, "/g/plain");
    good &= read_floats(file, "/g/chunked");
    good &= !lcal__h5_has(file, "/g/missing");
    lcal__h5_close(&file);
    return good;
}

static void put_u64(unsigned char *at, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get_u64(const unsigned char *at)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

/* The value in place of all that may be an address or a size, aligned or not: numbers up to the
 * image's size, and "undefined". Returns how many these are. */
static size_t replace_everywhere(image of, uint64_t value, size_t *unnoticed)
{
    size_t places = 0;
    for (size_t at = 8; at + 8 <= of.size; at++) {
        uint64_t old = get_u64(of.bytes + at);
        if (old == 0 || old == value || (old > of.size && old != UINT64_MAX))
            continue;
        put_u64(of.bytes + at, value);
        *unnoticed += read_all(of);
        put_u64(of.bytes + at, old);
        places++;
    }
    return places;
}

static void test_addresses(void **state)
{
    (void)state;
    image old = make_old();
    const uint64_t values[] = {0xFFFFFFFFFFFFFFF0, 0xFFFFFFFFFFFFFFFF,
                               0xFFFFFFFFFFFFFE00, 0x8000000000000000,
                               0x7FFFFFFFFFFFFFFF, 0x00000000FFFFFFFF,
                               old.size - 1,       old.size,
                               old.size - 16,      0};
    const size_t count = sizeof(values) / sizeof(values[0]);
    size_t places = 0, unnoticed = 0;
    assert_true(read_all(old));
    for (size_t i = 0; i < count; i++)
        places += replace_everywhere(old, values[i], &unnoticed);
    print_message("%zu damages, %zu change no answer\n", places, unnoticed);
    assert_true(places >= count * 100);
    assert_true(unnoticed <= places / 2); /* nothing in most of the nodes is ever looked at */
    assert_true(read_all(old));
    free(old.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
    };
    /* Else it complains at the exit about the memory that it lost. */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
