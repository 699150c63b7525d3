/* Chunks whose bytes come to more or less than a chunk: an error, nothing read beyond their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#define H5_USE_110_API
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "format/hdf5.h"

/* Floats in the dataset, in chunks of half as many. */
#define COUNT 64
#define CHUNK (COUNT / 2 * sizeof(float))

static lcal_error err;

/* Reads a dataset whose second chunk is `bytes`, with these filters left out, as they are. */
static lcal_status read_chunk(bool filtered, uint32_t mask, const void *bytes, size_t size,
                              float out[COUNT])
{
    static const hsize_t extents[1] = {COUNT}, chunk[1] = {COUNT / 2}, second[1] = {COUNT / 2};
    static const float zeros[COUNT];
    static const size_t shape[1] = {COUNT};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), properties = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, extents, NULL);
    H5Pset_fapl_core(access, 4096, 0);
    H5Pset_chunk(properties, 1, chunk);
    if (filtered)
        H5Pset_deflate(properties, 1);
    hid_t file = H5Fcreate("made", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    hid_t dataset =
        H5Dcreate2(file, "/x", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0);
    assert_true(H5Dwrite_chunk(dataset, H5P_DEFAULT, mask, second, size, bytes) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(properties);
    H5Pclose(access);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    ssize_t length = H5Fget_file_image(file, NULL, 0);
    assert_true(length > 0);
    unsigned char *image = malloc((size_t)length);
    assert_non_null(image);
    assert_true(H5Fget_file_image(file, image, (size_t)length) == length);
    H5Fclose(file);
    lcal__h5 *opened;
    assert_int_equal(lcal__h5_open(image, (size_t)length, "f.h5", &opened, &err), LCAL_OK);
    lcal_status status = lcal__h5_get_f32(opened, "/x", 1, shape, out, &err);
    lcal__h5_close(&opened);
    free(image);
    return status;
}

static void expect_good(bool filtered, uint32_t mask, const void *bytes, size_t size)
{
    float out[COUNT];
    memset(out, 0xEE, sizeof(out));
    if (read_chunk(filtered, mask, bytes, size, out) != LCAL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(out[i] == (i < COUNT / 2 ? 0.0f : (float)(i - COUNT / 2)));
}

static void expect_damaged(bool filtered, uint32_t mask, const void *bytes, size_t size)
{
    float out[COUNT];
    assert_int_equal(read_chunk(filtered, mask, bytes, size, out), LCAL_FORMAT);
    assert_string_equal(err.message, "f.h5: /x: damaged: expected a chunk of 128 bytes, found "
                                     "another length");
}

static void test_lengths(void **state)
{
    (void)state;
    static float values[1 << 20];
    static unsigned char packed[1 << 20];
    for (size_t i = 0; i < COUNT; i++)
        values[i] = (float)i;
    for (size_t bytes = 0; bytes <= sizeof(values); bytes = bytes < 200 ? bytes + 1 : 4 * bytes) {
        uLongf size = sizeof(packed);
        assert_int_equal(compress2(packed, &size, (const Bytef *)values, bytes, 1), Z_OK);
        (bytes == CHUNK ? expect_good : expect_damaged)(true, 0, packed, size);
        if (bytes == CHUNK) {
            expect_damaged(true, 0, packed, size - 1); /* cut */
            packed[size - 1] ^= 1;
            expect_damaged(true, 0, packed, size);
        }
    }
    for (size_t bytes = 1; bytes < 2 * CHUNK; bytes++)
        (bytes == CHUNK ? expect_good : expect_damaged)(true, 1, values, bytes);
    expect_good(false, 0, values, CHUNK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
