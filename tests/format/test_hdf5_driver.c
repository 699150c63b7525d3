/* The driver under images that are read: nothing outside the image, nothing but the image, no
 * writing; and the two structures that it keeps from the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "format/hdf5.h"
#include "format/hdf5_driver.h"
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#define SIZE 100

static lcal_error err;

/* The library itself loses memory where it finds broken metadata. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

typedef struct fixture {
    unsigned char *bytes; /* of malloc, so that a sanitizer sees an overrun */
    lcal__h5_driver *driver;
    hid_t access;
    H5FD_t *file;
} fixture;

static fixture set_up(void)
{
    fixture f = {.bytes = malloc(SIZE)};
    assert_non_null(f.bytes);
    for (size_t i = 0; i < SIZE; i++)
        f.bytes[i] = (unsigned char)i;
    f.driver = lcal__h5_driver_new(f.bytes, SIZE);
    assert_non_null(f.driver);
    f.access = lcal__h5_driver_access(f.driver);
    assert_true(f.access >= 0);
    f.file = H5FDopen("image", H5F_ACC_RDONLY, f.access, HADDR_UNDEF);
    assert_non_null(f.file);
    return f;
}

static void tear_down(fixture *f)
{
    assert_true(H5FDclose(f->file) >= 0);
    H5Pclose(f->access);
    lcal__h5_driver_free(&f->driver);
    assert_null(f->driver);
    free(f->bytes);
}

static herr_t read_at(const fixture *f, haddr_t address, size_t size, unsigned char *out)
{
    return H5FDread(f->file, H5FD_MEM_OHDR, H5P_DEFAULT, address, size, out);
}

static void test_reads(void **state)
{
    (void)state;
    static const struct {
        haddr_t address;
        size_t size;
        bool good;
    } cases[] = {
        {0, SIZE, true},
        {7, 5, true},
        {SIZE - 1, 1, true},
        {SIZE, 0, true},
        {SIZE - 1, 2, false},
        {SIZE, 1, false},
        {0, SIZE + 1, false},
        {1, SIZE, false},
        {INT64_MAX, 1, false},
        {UINT64_MAX - 15, 16, false}, /* together 0 */
        {UINT64_MAX - 15, 20, false}, /* together 4 */
        {UINT64_MAX - 1, 1, false},
        {16, SIZE_MAX - 8, false}, /* together 7 */
        {1, SIZE_MAX, false},
    };
    fixture f = set_up();
    /* What the file says about its own end does not move the image's. */
    assert_true(H5FDset_eoa(f.file, H5FD_MEM_DEFAULT, INT64_MAX) >= 0);
    assert_true(H5FDget_eoa(f.file, H5FD_MEM_DEFAULT) == INT64_MAX);
    assert_true(H5FDget_eof(f.file, H5FD_MEM_DEFAULT) == SIZE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char out[SIZE];
        memset(out, 0xEE, sizeof(out));
        bool good = read_at(&f, cases[i].address, cases[i].size, out) >= 0;
        if (good != cases[i].good)
            fail_msg("case %zu", i);
        size_t got = good ? cases[i].size : 0;
        for (size_t j = 0; j < SIZE; j++)
            assert_int_equal(out[j], j < got ? cases[i].address + j : 0xEE);
    }
    tear_down(&f);
}

static void test_only_reads(void **state)
{
    (void)state;
    fixture f = set_up(), other = set_up();
    const unsigned char bytes[4] = {9, 9, 9, 9};
    unsigned long features = ~0UL;
    assert_true(H5FDset_eoa(f.file, H5FD_MEM_DEFAULT, SIZE) >= 0);
    assert_true(H5FDwrite(f.file, H5FD_MEM_DRAW, H5P_DEFAULT, 0, 4, bytes) < 0);
    assert_int_equal(f.bytes[0], 0);
    assert_true(H5FDquery(f.file, &features) >= 0);
    assert_int_equal(features & (H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE), 0);
    /* One file for a driver, and never another one. */
    assert_null(H5FDopen("other", H5F_ACC_RDONLY, f.access, HADDR_UNDEF));
    assert_int_equal(H5FDcmp(f.file, f.file), 0);
    assert_int_not_equal(H5FDcmp(f.file, other.file), 0);
    tear_down(&other);
    assert_null(H5FDopen("image", H5F_ACC_RDWR, f.access, HADDR_UNDEF));
    tear_down(&f);
}

static void test_order_of_ends(void **state)
{
    (void)state;
    /* The owner goes first, as where the library could not close a file. */
    fixture f = set_up();
    unsigned char out[1];
    H5FDset_eoa(f.file, H5FD_MEM_DEFAULT, SIZE);
    lcal__h5_driver_free(&f.driver);
    free(f.bytes);
    assert_true(read_at(&f, 0, 1, out) < 0);
    assert_true(H5FDclose(f.file) >= 0);
    H5Pclose(f.access);
    /* Never opened, and none at all. */
    f.driver = lcal__h5_driver_new("", 0);
    lcal__h5_driver_free(&f.driver);
    lcal__h5_driver_free(&f.driver);
}

/* --- what the driver keeps from the library --------------------------------------------------- */

typedef struct image {
    unsigned char *bytes;
    size_t size;
} image;

/* The whole image is there only once the file is closed: these callbacks keep it. */
static void *grow(void *bytes, size_t size, H5FD_file_image_op_t operation, void *context)
{
    image *made = context;
    (void)bytes, (void)operation;
    made->bytes = realloc(made->bytes, size);
    made->size = size;
    return made->bytes;
}

static herr_t keep(void *bytes, H5FD_file_image_op_t operation, void *context)
{
    (void)bytes, (void)operation, (void)context;
    return 0;
}

static void *same(void *context)
{
    return context;
}

static herr_t keep_context(void *context)
{
    (void)context;
    return 0;
}

/* A file with the group /g, in the old format, or in the new one with an image of the cache. */
static image make(bool cached)
{
    image made = {0};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5AC_cache_image_config_t config = {H5AC__CURR_CACHE_IMAGE_CONFIG_VERSION, true, false,
                                        H5AC__CACHE_IMAGE__ENTRY_AGEOUT__NONE};
    H5FD_file_image_callbacks_t callbacks = {.image_realloc = grow,
                                             .image_free = keep,
                                             .udata_copy = same,
                                             .udata_free = keep_context,
                                             .udata = &made};
    H5Pset_fapl_core(access, 1, 0);
    assert_true(H5Pset_file_image_callbacks(access, &callbacks) >= 0);
    if (cached) {
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
        assert_true(H5Pset_mdc_image_config(access, &config) >= 0);
    }
    hid_t file = H5Fcreate("made", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    assert_true(file >= 0);
    H5Gclose(H5Gcreate2(file, "/g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    assert_true(H5Fclose(file) >= 0);
    H5Pclose(access);
    assert_non_null(made.bytes);
    return made;
}

static unsigned char *find(image in, const char *mark)
{
    for (size_t i = 0; i + 4 <= in.size; i++)
        if (memcmp(in.bytes + i, mark, 4) == 0)
            return in.bytes + i;
    fail_msg("no %s", mark);
    return NULL;
}

static lcal_status visit(void *context, const char *name, bool is_group, lcal_error *error)
{
    (void)context, (void)name, (void)error;
    assert_true(is_group);
    return LCAL_OK;
}

/* Whether the root can be listed; where it cannot, the reason is in err. */
static bool has_group(image of)
{
    lcal__h5 *file = NULL;
    lcal_status status = lcal__h5_open(of.bytes, of.size, "f.h5", &file, &err);
    if (status == LCAL_OK)
        status = lcal__h5_list(file, "/", visit, NULL, &err);
    bool found = status == LCAL_OK && lcal__h5_has(file, "/g");
    lcal__h5_close(&file);
    return found;
}

static void test_cache_image(void **state)
{
    (void)state;
    image cached = make(true);
    find(cached, "MDCI");
    assert_false(has_group(cached));
    assert_non_null(strstr(err.message, "image of a cache"));
    free(cached.bytes);
}

static void test_heap(void **state)
{
    (void)state;
    image old = make(false);
    unsigned char *heap = find(old, "HEAP"), *list = heap + 32 + heap[16], kept[32];
    assert_true(has_group(old));
    memcpy(kept, heap, 32);
    memset(heap + 8, 0xFF, 8); /* the size */
    assert_false(has_group(old));
    memcpy(heap, kept, 32);
    memset(heap + 24, 0xFF, 8); /* the address */
    heap[24] = 0xF0;
    assert_false(has_group(old));
    memcpy(heap, kept, 32);
    memset(heap + 16, 0xFF, 8); /* the first free block */
    assert_false(has_group(old));
    memcpy(heap, kept, 32);
    assert_true(has_group(old));
    assert_int_equal(list[0], 1);
    list[0] = heap[16]; /* its own successor */
    assert_false(has_group(old));
    list[0] = 1;
    assert_true(has_group(old));
    free(old.bytes);
}

static void test_widths(void **state)
{
    (void)state;
    image old = make(false);
    assert_int_equal(old.bytes[13], 8);
    for (size_t at = 13; at < 15; at++) {
        old.bytes[at] = 4;
        assert_false(has_group(old));
        assert_non_null(strstr(err.message, "addresses and sizes of 8 bytes"));
        old.bytes[at] = 8;
    }
    assert_true(has_group(old));
    free(old.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),         cmocka_unit_test(test_only_reads),
        cmocka_unit_test(test_order_of_ends), cmocka_unit_test(test_cache_image),
        cmocka_unit_test(test_heap),          cmocka_unit_test(test_widths),
    };
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
