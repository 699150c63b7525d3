/* HDF5 images: what is put comes back, to us and to the library itself; equal content, equal bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#define H5_USE_110_API
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/rng.h"
#include "format/hdf5.h"

/* What the sizes of LC and LC++ files may be at 16 bits (METHODS.md 0.1). */
#define LC_BYTES 52428
#define LCPP_BYTES 340787

static lcal_error err;

static void ok(lcal_status status)
{
    if (status != LCAL_OK)
        fail_msg("%s", err.message);
}

/* The library's own view of an image, with its own copy. */
static hid_t native_open(const void *bytes, size_t size)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    assert_true(H5Pset_fapl_core(access, 65536, 0) >= 0);
    assert_true(H5Pset_file_image(access, (void *)(uintptr_t)bytes, size) >= 0);
    hid_t file = H5Fopen("native", H5F_ACC_RDONLY, access);
    H5Pclose(access);
    assert_true(file >= 0);
    return file;
}

static void native_read(hid_t file, const char *path, hid_t type, void *out)
{
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    H5Dclose(dataset);
}

static void test_types(void **state)
{
    (void)state;
    enum { COUNT = 2 * 3 * 50 };
    static const lcal__dtype types[] = {LCAL__F32, LCAL__F16, LCAL__BF16, LCAL__F64};
    static const size_t shape[3] = {2, 3, 50};
    float values[COUNT], back[COUNT], native[COUNT];
    for (size_t i = 0; i < COUNT; i++) /* exact in every type, subnormal halves among them */
        values[i] = ldexpf((float)(i % 200) - 99, -22 + (int)(i % 5));
    values[0] = INFINITY;
    values[1] = -0.0f;
    lcal__h5 *file;
    unsigned char *bytes;
    size_t size;
    ok(lcal__h5_create(&file, &err));
    for (size_t i = 0; i < 4; i++) {
        char path[40];
        double raw[COUNT];
        lcal__convert_from_f32(types[i], values, raw, COUNT);
        snprintf(path, sizeof(path), "/group/%s", lcal__dtype_name(types[i]));
        ok(lcal__h5_put(file, path, types[i], 3, shape, raw, &err));
    }
    ok(lcal__h5_finish(&file, &bytes, &size, &err));
    assert_null(file);
    ok(lcal__h5_open(bytes, size, "f.h5", &file, &err));
    hid_t peer = native_open(bytes, size);
    for (size_t i = 0; i < 4; i++) {
        char path[40];
        lcal__dtype type;
        size_t rank, extents[8];
        snprintf(path, sizeof(path), "/group/%s", lcal__dtype_name(types[i]));
        ok(lcal__h5_shape(file, path, &type, &rank, extents, &err));
        assert_int_equal(type, types[i]);
        assert_int_equal(rank, 3);
        assert_memory_equal(extents, shape, sizeof(shape));
        ok(lcal__h5_get_f32(file, path, 3, shape, back, &err));
        assert_memory_equal(back, values, sizeof(values));
        if (types[i] == LCAL__BF16)
            continue; /* u16 to everybody else */
        native_read(peer, path, H5T_NATIVE_FLOAT, native);
        assert_memory_equal(native, values, sizeof(values));
    }
    H5Fclose(peer);
    lcal__h5_close(&file);
    lcal__h5_close(&file);
    lcal__free(bytes);
}

static void test_integers(void **state)
{
    (void)state;
    static const int64_t wide[3] = {INT64_MIN, 0, INT64_MAX};
    static const int32_t narrow[3] = {INT32_MIN, -1, INT32_MAX};
    static const size_t shape[1] = {3};
    int64_t wide_back[3];
    int32_t narrow_back[3];
    float values[3];
    lcal__h5 *file;
    unsigned char *bytes;
    size_t size, rank, extents[8];
    lcal__dtype type;
    ok(lcal__h5_create(&file, &err));
    ok(lcal__h5_put(file, "/i64", LCAL__I64, 1, shape, wide, &err));
    ok(lcal__h5_put(file, "/i32", LCAL__I32, 1, shape, narrow, &err));
    ok(lcal__h5_finish(&file, &bytes, &size, &err));
    hid_t peer = native_open(bytes, size);
    native_read(peer, "/i64", H5T_NATIVE_INT64, wide_back);
    native_read(peer, "/i32", H5T_NATIVE_INT32, narrow_back);
    assert_memory_equal(wide_back, wide, sizeof(wide));
    assert_memory_equal(narrow_back, narrow, sizeof(narrow));
    H5Fclose(peer);
    ok(lcal__h5_open(bytes, size, "f.h5", &file, &err));
    ok(lcal__h5_shape(file, "/i64", &type, &rank, extents, &err));
    assert_int_equal(type, LCAL__I64);
    assert_int_equal(lcal__h5_get_f32(file, "/i32", 1, shape, values, &err), LCAL_FORMAT);
    assert_non_null(strstr(err.message, "f.h5: /i32: expected a floating type, found I32"));
    lcal__h5_close(&file);
    lcal__free(bytes);
}

static void test_attributes(void **state)
{
    (void)state;
    const size_t length = 200000; /* more than an object header can hold */
    char *longer = malloc(length + 1), *text = NULL;
    assert_non_null(longer);
    memset(longer, 'x', length);
    longer[length] = '\0';
    lcal__h5 *file;
    unsigned char *bytes;
    size_t size;
    int64_t integer = 0;
    double real = 0;
    ok(lcal__h5_create(&file, &err));
    ok(lcal__h5_group(file, "/a/b/c", &err));
    ok(lcal__h5_group(file, "/a/b", &err));
    ok(lcal__h5_put_text(file, "/", "empty", "", &err));
    ok(lcal__h5_put_text(file, "/", "text", "\xC3\xA9t\xC3\xA9 \"1\"", &err));
    ok(lcal__h5_put_int(file, "/a/b", "low", INT64_MIN, &err));
    ok(lcal__h5_put_int(file, "/a/b", "high", INT64_MAX, &err));
    ok(lcal__h5_put_real(file, "/a/b/c", "real", 0.1, &err));
    ok(lcal__h5_put_real(file, "/a/b/c", "none", NAN, &err));
    ok(lcal__h5_put_text(file, "/a", "long", longer, &err));
    assert_int_equal(lcal__h5_put_int(file, "/", "text", 1, &err), LCAL_INTERNAL); /* is there */
    assert_int_equal(lcal__h5_put_int(file, "/none", "text", 1, &err), LCAL_INTERNAL);
    ok(lcal__h5_finish(&file, &bytes, &size, &err));

    ok(lcal__h5_open(bytes, size, "f.h5", &file, &err));
    ok(lcal__h5_get_text(file, "/", "empty", &text, &err));
    assert_string_equal(text, "");
    lcal__free(text);
    ok(lcal__h5_get_text(file, "/", "text", &text, &err));
    assert_string_equal(text, "\xC3\xA9t\xC3\xA9 \"1\"");
    lcal__free(text);
    ok(lcal__h5_get_text(file, "/a", "long", &text, &err));
    assert_string_equal(text, longer);
    lcal__free(text);
    ok(lcal__h5_get_int(file, "/a/b", "low", &integer, &err));
    assert_true(integer == INT64_MIN);
    ok(lcal__h5_get_int(file, "/a/b", "high", &integer, &err));
    assert_true(integer == INT64_MAX);
    ok(lcal__h5_get_real(file, "/a/b/c", "real", &real, &err));
    assert_true(real == 0.1);
    ok(lcal__h5_get_real(file, "/a/b/c", "none", &real, &err));
    assert_true(isnan(real));

    assert_true(lcal__h5_has(file, "/") && lcal__h5_has(file, "/a/b/c"));
    assert_false(lcal__h5_has(file, "/a/c") || lcal__h5_has(file, "/a/b/c/d/e"));
    assert_true(lcal__h5_has_attribute(file, "/a", "long"));
    assert_false(lcal__h5_has_attribute(file, "/a", "low"));
    assert_false(lcal__h5_has_attribute(file, "/none", "low"));
    assert_int_equal(lcal__h5_get_int(file, "/", "low", &integer, &err), LCAL_FORMAT);
    assert_string_equal(err.message, "f.h5: /: attribute low: missing");
    assert_int_equal(lcal__h5_get_int(file, "/a/b/c", "real", &integer, &err), LCAL_FORMAT);
    assert_int_equal(lcal__h5_get_real(file, "/a/b", "low", &real, &err), LCAL_FORMAT);
    assert_int_equal(lcal__h5_get_text(file, "/a/b", "low", &text, &err), LCAL_FORMAT);
    assert_int_equal(lcal__h5_get_int(file, "/a/x/c", "low", &integer, &err), LCAL_FORMAT);
    assert_string_equal(err.message, "f.h5: /a/x: missing");
    lcal__h5_close(&file);
    lcal__free(bytes);
    free(longer);
}

static lcal_status note_name(void *context, const char *name, bool is_group, lcal_error *error)
{
    if (strcmp(name, "stop") == 0)
        return lcal__fail(error, LCAL_NUMERIC, "stopped");
    strcat(strcat(context, name), is_group ? "/ " : " ");
    return LCAL_OK;
}

static void test_list(void **state)
{
    (void)state;
    static const size_t one[1] = {1};
    static const float value[1] = {1};
    char names[4000] = "", expected[4000] = "";
    lcal__h5 *file;
    unsigned char *bytes;
    size_t size;
    ok(lcal__h5_create(&file, &err));
    for (int i = 60; i > 0; i--) { /* more than the library keeps compact by itself */
        char path[32];
        snprintf(path, sizeof(path), "/g/%d", i * 37 % 61);
        if (i % 2)
            ok(lcal__h5_group(file, path, &err));
        else
            ok(lcal__h5_put(file, path, LCAL__F32, 1, one, value, &err));
        strcat(strcat(expected, path + 3), i % 2 ? "/ " : " ");
    }
    ok(lcal__h5_put(file, "/stop", LCAL__F32, 1, one, value, &err));
    ok(lcal__h5_finish(&file, &bytes, &size, &err));
    ok(lcal__h5_open(bytes, size, "f.h5", &file, &err));
    ok(lcal__h5_list(file, "/g", note_name, names, &err));
    assert_string_equal(names, expected);
    assert_int_equal(lcal__h5_list(file, "/", note_name, names, &err), LCAL_NUMERIC);
    assert_string_equal(err.message, "stopped");
    assert_int_equal(lcal__h5_list(file, "/stop", note_name, names, &err), LCAL_FORMAT);
    assert_int_equal(lcal__h5_list(file, "/none", note_name, names, &err), LCAL_FORMAT);
    lcal__h5_close(&file);
    lcal__free(bytes);
}

static void test_misuse(void **state)
{
    (void)state;
    static const float value[1] = {1};
    static const size_t shape[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, none[1] = {0};
    lcal__h5 *file;
    ok(lcal__h5_create(&file, &err));
    assert_int_equal(lcal__h5_put(file, "/a", LCAL__F32, 0, shape, value, &err), LCAL_INVALID);
    assert_int_equal(lcal__h5_put(file, "/a", LCAL__F32, 9, shape, value, &err), LCAL_INVALID);
    assert_int_equal(lcal__h5_put(file, "/a", LCAL__F32, 1, none, value, &err), LCAL_INVALID);
    assert_int_equal(lcal__h5_put(file, "a", LCAL__F32, 1, shape, value, &err), LCAL_INVALID);
    assert_int_equal(lcal__h5_group(file, "/a//b", &err), LCAL_INVALID);
    assert_int_equal(lcal__h5_group(file, "/a/", &err), LCAL_INVALID);
    ok(lcal__h5_put(file, "/a", LCAL__F32, 8, shape, value, &err));
    assert_int_equal(lcal__h5_put(file, "/a", LCAL__F32, 1, shape, value, &err), LCAL_INTERNAL);
    assert_non_null(strstr(err.message, "HDF5: "));
    assert_int_equal(lcal__h5_put(file, "/a/b", LCAL__F32, 1, shape, value, &err), LCAL_INTERNAL);
    lcal__h5_close(&file); /* given up without a result */
    assert_null(file);
}

static void put_some_attributes(lcal__h5 *file)
{
    static const char *const texts[] = {"format",  "writer",  "kind",  "method",  "form",
                                        "arch",    "base_id", "hash",  "merge",   "adapters",
                                        "subtask", "scope",   "dtype", "comment", "source"};
    static const char *const numbers[] = {"format_version", "layers", "hidden", "kv", "ffn",
                                          "seed",           "step",   "tokens"};
    for (size_t i = 0; i < 15; i++)
        ok(lcal__h5_put_text(file, "/", texts[i],
                             i == 7 || i == 9 ? "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4"
                                                "95991b7852b855, and as long again: 0123456789abcde"
                                              : "a short text",
                             &err));
    for (size_t i = 0; i < 8; i++)
        ok(lcal__h5_put_int(file, "/", numbers[i], (int64_t)i, &err));
    ok(lcal__h5_put_real(file, "/", "scale", 1.0, &err));
    ok(lcal__h5_put_real(file, "/", "val_loss", 1.25, &err));
}

static void put_random(lcal__h5 *file, const char *type, const char *name, size_t rank, size_t rows,
                       size_t cols, lcal__rng *rng)
{
    const size_t shape[2] = {rows, cols};
    uint16_t *data = malloc(rows * cols * sizeof(*data));
    char path[64];
    assert_non_null(data);
    for (size_t i = 0; i < rows * cols; i++)
        data[i] = lcal__f16_from_f32((float)lcal__rng_normal(rng) * 0.02f);
    snprintf(path, sizeof(path), "/calib/%s/%s", type, name);
    ok(lcal__h5_put(file, path, LCAL__F16, rank, shape, data, &err));
    free(data);
}

/* A calibration of LLaMA-3.2-1B's shapes with random values. */
static void build(bool lowrank, unsigned char **bytes, size_t *size)
{
    static const struct {
        const char *type;
        size_t d_in, d_out;
    } projections[] = {{"q_proj", 2048, 2048},   {"k_proj", 2048, 512},     {"v_proj", 2048, 512},
                       {"o_proj", 2048, 2048},   {"gate_proj", 2048, 8192}, {"up_proj", 2048, 8192},
                       {"down_proj", 8192, 2048}};
    lcal__rng rng = {.seed = 1};
    lcal__h5 *file;
    ok(lcal__h5_create(&file, &err));
    put_some_attributes(file);
    for (size_t i = 0; i < 7; i++)
        if (lowrank) {
            put_random(file, projections[i].type, "P1", 2, 4, projections[i].d_in, &rng);
            put_random(file, projections[i].type, "P2", 2, projections[i].d_out, 4, &rng);
        } else
            put_random(file, projections[i].type, "p", 1, projections[i].d_out, 1, &rng);
    ok(lcal__h5_finish(&file, bytes, size, &err));
}

static herr_t check_times(hid_t object, const char *name, const H5O_info_t *info, void *context)
{
    (void)object, (void)name, (void)context;
    return info->atime || info->mtime || info->ctime || info->btime ? -1 : 0;
}

/* What H5Ovisit does not reach, such as an extension of the superblock, may hold times too. Only
 * the head is searched: it has no compressed numbers, which could be anything. */
static bool has_clock_time(const unsigned char *bytes, size_t size)
{
    const uint32_t now = (uint32_t)time(NULL);
    for (size_t at = 0; at + 4 <= size && at < 256; at++) {
        uint32_t value = 0;
        for (size_t i = 0; i < 4; i++)
            value |= (uint32_t)bytes[at + i] << (8 * i);
        if (now - value < 60)
            return true;
    }
    return false;
}

static void test_sizes(void **state)
{
    (void)state;
    for (int lowrank = 0; lowrank < 2; lowrank++) {
        unsigned char *first, *second;
        size_t size, second_size;
        build(lowrank, &first, &size);
        build(lowrank, &second, &second_size);
        print_message("%s of LLaMA-3.2-1B: %zu bytes\n", lowrank ? "LC++" : "LC", size);
        assert_true(size <= (lowrank ? LCPP_BYTES : LC_BYTES));
        assert_int_equal(size, second_size);
        assert_memory_equal(first, second, size);
        assert_false(has_clock_time(first, size));
        hid_t peer = native_open(first, size);
        assert_true(H5Ovisit2(peer, H5_INDEX_NAME, H5_ITER_NATIVE, check_times, NULL, H5O_INFO_ALL)
                    >= 0);
        H5Fclose(peer);
        lcal__free(first);
        lcal__free(second);
    }
}

/* Two images at once are two files, and an application's error printing stays as it was. */
static void test_apart(void **state)
{
    (void)state;
    static const size_t shape[1] = {1};
    lcal__h5 *writers[2], *readers[2];
    unsigned char *bytes[2];
    size_t size[2];
    H5E_auto2_t before, after;
    void *context;
    assert_true(H5Eget_auto2(H5E_DEFAULT, &before, &context) >= 0);
    for (int i = 0; i < 2; i++)
        ok(lcal__h5_create(&writers[i], &err));
    for (int i = 0; i < 2; i++) {
        float value = (float)i;
        ok(lcal__h5_put(writers[i], "/x", LCAL__F32, 1, shape, &value, &err));
    }
    for (int i = 0; i < 2; i++)
        ok(lcal__h5_finish(&writers[i], &bytes[i], &size[i], &err));
    for (int i = 0; i < 2; i++)
        ok(lcal__h5_open(bytes[i], size[i], "f.h5", &readers[i], &err));
    for (int i = 0; i < 2; i++) {
        float value;
        ok(lcal__h5_get_f32(readers[i], "/x", 1, shape, &value, &err));
        assert_true(value == (float)i);
        assert_false(lcal__h5_has(readers[i], "/y"));
    }
    for (int i = 0; i < 2; i++) {
        lcal__h5_close(&readers[i]);
        lcal__free(bytes[i]);
    }
    assert_true(H5Eget_auto2(H5E_DEFAULT, &after, &context) >= 0);
    assert_true(after && before == after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),      cmocka_unit_test(test_integers),
        cmocka_unit_test(test_attributes), cmocka_unit_test(test_list),
        cmocka_unit_test(test_misuse),     cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
