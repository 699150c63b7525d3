/*
 * HDF5 images that are cut, damaged or made by somebody else: an error with a message or a correct
 * answer, never a crash, never a look outside the image.
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
#include "base/rng.h"
#include "format/hdf5.h"

/* Damages tried on one image; bytes of the mark and the SHA-256 at its end. */
#define ROUNDS 1000
#define SEAL 40

static lcal_error err;

/* The library itself loses memory where it finds broken metadata. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* --- damage -------------------------------------------------------------------------------- */

static const size_t shape_p[1] = {700}, shape_b[2] = {9, 4};

static void build(unsigned char **bytes, size_t *size)
{
    lcal__h5 *file;
    lcal__rng rng = {.seed = 2};
    float p[700];
    uint16_t b[36];
    for (size_t i = 0; i < 700; i++)
        p[i] = (float)lcal__rng_normal(&rng);
    for (size_t i = 0; i < 36; i++)
        b[i] = lcal__bf16_from_f32(p[i]);
    assert_int_equal(lcal__h5_create(&file, &err), LCAL_OK);
    assert_int_equal(lcal__h5_put_text(file, "/", "format", "a text", &err), LCAL_OK);
    assert_int_equal(lcal__h5_put_int(file, "/", "step", 12345, &err), LCAL_OK);
    assert_int_equal(lcal__h5_put_real(file, "/", "scale", 0.5, &err), LCAL_OK);
    assert_int_equal(lcal__h5_put(file, "/calib/q/p", LCAL__F32, 1, shape_p, p, &err), LCAL_OK);
    assert_int_equal(lcal__h5_put(file, "/calib/q/b", LCAL__BF16, 2, shape_b, b, &err), LCAL_OK);
    assert_int_equal(lcal__h5_finish(&file, bytes, size, &err), LCAL_OK);
}

static lcal_status visit(void *context, const char *name, bool is_group, lcal_error *error)
{
    (void)name, (void)is_group, (void)error;
    ++*(size_t *)context;
    return LCAL_OK;
}

/* Everything that a reader can ask. True: all answers came and were the true ones. */
static bool read_all(const unsigned char *bytes, size_t size, const float *expected)
{
    lcal__h5 *file;
    float p[700] = {0}, b[36] = {0};
    char *text = NULL;
    int64_t step = 0;
    double scale = 0;
    size_t members = 0;
    memset(&err, 0, sizeof(err));
    if (lcal__h5_open(bytes, size, "f.h5", &file, &err) != LCAL_OK) {
        assert_true(strncmp(err.message, "f.h5: ", 6) == 0);
        return false;
    }
    bool good = lcal__h5_get_text(file, "/", "format", &text, &err) == LCAL_OK
                && strcmp(text, "a text") == 0;
    good &= lcal__h5_get_int(file, "/", "step", &step, &err) == LCAL_OK && step == 12345;
    good &= lcal__h5_get_real(file, "/", "scale", &scale, &err) == LCAL_OK && scale == 0.5;
    good &= lcal__h5_list(file, "/calib/q", visit, &members, &err) == LCAL_OK && members == 2;
    good &= lcal__h5_get_f32(file, "/calib/q/p", 1, shape_p, p, &err) == LCAL_OK
            && memcmp(p, expected, sizeof(p)) == 0;
    good &= lcal__h5_get_f32(file, "/calib/q/b", 2, shape_b, b, &err) == LCAL_OK;
    lcal__free(text);
    lcal__h5_close(&file);
    return good;
}

static void read_expected(const unsigned char *bytes, size_t size, float *expected)
{
    lcal__h5 *file;
    assert_int_equal(lcal__h5_open(bytes, size, "f.h5", &file, &err), LCAL_OK);
    assert_int_equal(lcal__h5_get_f32(file, "/calib/q/p", 1, shape_p, expected, &err), LCAL_OK);
    lcal__h5_close(&file);
    assert_true(read_all(bytes, size, expected));
}

static void test_truncated(void **state)
{
    (void)state;
    unsigned char *bytes;
    size_t size;
    float expected[700];
    build(&bytes, &size);
    read_expected(bytes, size, expected);
    for (size_t cut = 0; cut < size; cut += cut < 128 ? 1 : 64) {
        if (cut == size - SEAL)
            continue;                                /* whole but for its seal */
        unsigned char *part = malloc(cut ? cut : 1); /* so that a sanitizer sees an overrun */
        assert_non_null(part);
        memcpy(part, bytes, cut);
        /* Without its seal the file is still whole. */
        assert_int_equal(read_all(part, cut, expected), cut >= size - SEAL);
        free(part);
    }
    lcal__free(bytes);
}

/* Damages at random and puts right again; returns how many damages were not noticed. */
static size_t damage(unsigned char *bytes, size_t size, const float *expected)
{
    lcal__rng rng = {.seed = 3};
    size_t unnoticed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t flips = 1 + (size_t)lcal__rng_below(&rng, 4), at[4];
        unsigned char old[4];
        for (size_t i = 0; i < flips; i++) {
            at[i] = (size_t)lcal__rng_below(&rng, size);
            old[i] = bytes[at[i]];
            bytes[at[i]] ^= (unsigned char)(1 + lcal__rng_below(&rng, 255));
        }
        unnoticed += read_all(bytes, size, expected);
        for (size_t i = flips; i-- > 0;)
            bytes[at[i]] = old[i];
    }
    return unnoticed;
}

static void test_flipped(void **state)
{
    (void)state;
    unsigned char *bytes;
    size_t size;
    float expected[700];
    build(&bytes, &size);
    read_expected(bytes, size, expected);
    /* Only a broken mark of the seal leaves the file as good as it was. */
    size_t unnoticed = damage(bytes, size, expected);
    assert_true(unnoticed <= ROUNDS / 50);
    /* Without the seal the library gets to see the damage. */
    print_message("%zu of %d unnoticed with the seal, ", unnoticed, ROUNDS);
    unnoticed = damage(bytes, size - SEAL, expected);
    print_message("%zu without\n", unnoticed);
    assert_true(unnoticed <= ROUNDS / 10);
    assert_true(read_all(bytes, size, expected));
    lcal__free(bytes);
}

static void test_sealed(void **state)
{
    (void)state;
    unsigned char *bytes;
    size_t size;
    lcal__h5 *file;
    build(&bytes, &size);
    for (size_t i = 8; i < size; i++) {
        if (i >= size - SEAL && i < size - SEAL + 8)
            continue;
        bytes[i] ^= 1;
        assert_int_equal(lcal__h5_open(bytes, size, "f.h5", &file, &err), LCAL_FORMAT);
        assert_non_null(strstr(err.message, "f.h5: damaged"));
        bytes[i] ^= 1;
    }
    lcal__free(bytes);
}

/* --- other people's files ------------------------------------------------------------------- */

typedef void make_fn(hid_t file);

/* An image made by the library itself, in its oldest format, and read through our interface. */
static lcal__h5 *craft(make_fn *make, unsigned char **bytes)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 65536, 0);
    hid_t native = H5Fcreate("crafted", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    assert_true(native >= 0);
    make(native);
    H5Fflush(native, H5F_SCOPE_GLOBAL);
    ssize_t size = H5Fget_file_image(native, NULL, 0);
    assert_true(size > 0);
    *bytes = malloc((size_t)size);
    assert_non_null(*bytes);
    assert_true(H5Fget_file_image(native, *bytes, (size_t)size) == size);
    assert_true(H5Fclose(native) >= 0);
    lcal__h5 *file;
    if (lcal__h5_open(*bytes, (size_t)size, "f.h5", &file, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return file;
}

static void make_dataset(hid_t file, hid_t type, int rank, const hsize_t *extents,
                         const hsize_t *limits, hid_t properties)
{
    hid_t space = rank ? H5Screate_simple(rank, extents, limits) : H5Screate(H5S_SCALAR);
    hid_t dataset = H5Dcreate2(file, "/x", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
}

static const hsize_t four[9] = {4, 1, 1, 1, 1, 1, 1, 1, 1};

static void make_plain(hid_t file)
{
    make_dataset(file, H5T_IEEE_F32LE, 1, four, NULL, H5P_DEFAULT);
}

static void make_soft(hid_t file)
{
    make_plain(file);
    H5Lmove(file, "/x", file, "/y", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/y", file, "/x", H5P_DEFAULT, H5P_DEFAULT);
}

static void make_external_link(hid_t file)
{
    H5Lcreate_external("/etc/other.h5", "/x", file, "/x", H5P_DEFAULT, H5P_DEFAULT);
}

static void make_external_storage(hid_t file)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, "/etc/passwd", 0, 16);
    make_dataset(file, H5T_IEEE_F32LE, 1, four, NULL, properties);
    H5Pclose(properties);
}

static void make_virtual(hid_t file)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, four, NULL);
    H5Pset_virtual(properties, space, "/tmp/other.h5", "/x", space);
    make_dataset(file, H5T_IEEE_F32LE, 1, four, NULL, properties);
    H5Sclose(space);
    H5Pclose(properties);
}

static void make_filter(hid_t file)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 1, four);
    H5Pset_nbit(properties);
    make_dataset(file, H5T_IEEE_F32LE, 1, four, NULL, properties);
    H5Pclose(properties);
}

static void make_filter_twice(hid_t file)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 1, four);
    H5Pset_deflate(properties, 1);
    H5Pset_deflate(properties, 1);
    make_dataset(file, H5T_IEEE_F32LE, 1, four, NULL, properties);
    H5Pclose(properties);
}

static void make_growing(hid_t file)
{
    static const hsize_t limits[1] = {H5S_UNLIMITED};
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 1, four);
    make_dataset(file, H5T_IEEE_F32LE, 1, four, limits, properties);
    H5Pclose(properties);
}

static void make_big_endian(hid_t file)
{
    make_dataset(file, H5T_IEEE_F32BE, 1, four, NULL, H5P_DEFAULT);
}

static void make_unmarked(hid_t file)
{
    make_dataset(file, H5T_STD_U16LE, 1, four, NULL, H5P_DEFAULT);
}

static void make_compound(hid_t file)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(type, "r", 0, H5T_IEEE_F32LE);
    H5Tinsert(type, "i", 4, H5T_IEEE_F32LE);
    make_dataset(file, type, 1, four, NULL, H5P_DEFAULT);
    H5Tclose(type);
}

static void make_scalar(hid_t file)
{
    make_dataset(file, H5T_IEEE_F32LE, 0, NULL, NULL, H5P_DEFAULT);
}

static void make_nine(hid_t file)
{
    make_dataset(file, H5T_IEEE_F32LE, 9, four, NULL, H5P_DEFAULT);
}

static void make_empty(hid_t file)
{
    static const hsize_t none[1] = {0};
    make_dataset(file, H5T_IEEE_F32LE, 1, none, NULL, H5P_DEFAULT);
}

static void make_huge(hid_t file)
{
    static const hsize_t huge[3] = {1 << 30, 1 << 30, 1 << 10};
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    static const hsize_t chunk[3] = {1, 1, 1};
    H5Pset_chunk(properties, 3, chunk);
    make_dataset(file, H5T_IEEE_F32LE, 3, huge, NULL, properties);
    H5Pclose(properties);
}

static void make_group(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "/x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void test_foreign(void **state)
{
    (void)state;
    static const struct {
        make_fn *make;
        lcal_status status;
        const char *message;
    } cases[] = {
        {make_plain, LCAL_OK, ""},
        {make_soft, LCAL_UNSUPPORTED, "soft or external link"},
        {make_external_link, LCAL_UNSUPPORTED, "soft or external link"},
        {make_external_storage, LCAL_UNSUPPORTED, "another file"},
        {make_virtual, LCAL_UNSUPPORTED, "virtual"},
        {make_filter, LCAL_UNSUPPORTED, "filtered by"},
        {make_filter_twice, LCAL_UNSUPPORTED, "filtered by"},
        {make_growing, LCAL_SHAPE, "dimension 0"},
        {make_big_endian, LCAL_UNSUPPORTED, "little-endian"},
        {make_unmarked, LCAL_UNSUPPORTED, "bf16"},
        {make_compound, LCAL_UNSUPPORTED, "another type"},
        {make_scalar, LCAL_SHAPE, "rank"},
        {make_nine, LCAL_SHAPE, "rank"},
        {make_empty, LCAL_SHAPE, "dimension 0"},
        {make_huge, LCAL_SHAPE, "dimension 2"},
        {make_group, LCAL_FORMAT, "expected a dataset"},
    };
    static const size_t shape[1] = {4};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char *bytes;
        float values[4] = {1, 1, 1, 1};
        lcal__dtype type;
        size_t rank, extents[8];
        lcal__h5 *file = craft(cases[i].make, &bytes);
        err.message[0] = '\0';
        if (lcal__h5_get_f32(file, "/x", 1, shape, values, &err) != cases[i].status
            || !strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, err.message);
        assert_int_equal(lcal__h5_shape(file, "/x", &type, &rank, extents, &err), cases[i].status);
        assert_true(values[0] == (cases[i].status == LCAL_OK ? 0.0f : 1.0f));
        lcal__h5_close(&file);
        free(bytes);
    }
}

static void test_foreign_members(void **state)
{
    (void)state;
    static make_fn *const makers[] = {make_soft, make_external_link};
    for (size_t i = 0; i < 2; i++) {
        unsigned char *bytes;
        size_t members = 0;
        lcal__h5 *file = craft(makers[i], &bytes);
        assert_int_equal(lcal__h5_list(file, "/", visit, &members, &err), LCAL_UNSUPPORTED);
        assert_non_null(strstr(err.message, "member x"));
        assert_false(lcal__h5_has(file, "/x"));
        assert_false(lcal__h5_has_attribute(file, "/x", "a"));
        lcal__h5_close(&file);
        free(bytes);
    }
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        size_t rank, shape[2];
        const char *expected;
    } wrong[] = {{1, {5, 0}, "[5]"}, {2, {4, 1}, "[4, 1]"}, {2, {2, 2}, "[2, 2]"}};
    unsigned char *bytes;
    lcal__h5 *file = craft(make_plain, &bytes);
    for (size_t i = 0; i < 3; i++) {
        float values[5];
        char expected[80];
        assert_int_equal(lcal__h5_get_f32(file, "/x", wrong[i].rank, wrong[i].shape, values, &err),
                         LCAL_SHAPE);
        snprintf(expected, sizeof(expected), "f.h5: /x: expected shape %s, found [4]",
                 wrong[i].expected);
        assert_string_equal(err.message, expected);
    }
    lcal__h5_close(&file);
    free(bytes);
}

/* Attributes "variable", "list", "latin", "small". */
static void make_attributes(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1), scalar = H5Screate(H5S_SCALAR);
    hid_t list = H5Screate_simple(1, four, NULL);
    const char *text = "text";
    const int64_t values[4] = {1, 2, 3, 4};
    H5Tset_size(type, H5T_VARIABLE);
    hid_t attribute = H5Acreate2(file, "variable", type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, &text);
    H5Aclose(attribute);
    H5Tclose(type);
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 2);
    attribute = H5Acreate2(file, "latin", type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, "\xE9!");
    H5Aclose(attribute);
    attribute = H5Acreate2(file, "list", H5T_STD_I64LE, list, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_INT64, values);
    H5Aclose(attribute);
    attribute = H5Acreate2(file, "small", H5T_STD_U8LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Aclose(attribute);
    H5Sclose(list);
    H5Sclose(scalar);
    H5Tclose(type);
}

static void test_foreign_attributes(void **state)
{
    (void)state;
    unsigned char *bytes;
    char *text = NULL;
    int64_t value = 7;
    lcal__h5 *file = craft(make_attributes, &bytes);
    assert_int_equal(lcal__h5_get_text(file, "/", "variable", &text, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "fixed-length"));
    assert_int_equal(lcal__h5_get_text(file, "/", "latin", &text, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "UTF-8"));
    assert_int_equal(lcal__h5_get_int(file, "/", "list", &value, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "one value"));
    assert_int_equal(lcal__h5_get_int(file, "/", "small", &value, &err), LCAL_FORMAT);
    assert_int_equal(value, 7);
    assert_null(text);
    lcal__h5_close(&file);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_foreign_members),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_foreign_attributes),
    };
    /* Else it complains at the exit about the memory that it lost. */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
