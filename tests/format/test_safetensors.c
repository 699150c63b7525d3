/*
 * safetensors: a table of files that the reference reader refuses, what is legal at the edges,
 * writing and reading back, bytes that another writer would give, and random damage.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "format/safetensors.h"

static lcal_error err;

/* Header text plus `data` zero bytes as a file; the length field may lie by `lie`. */
typedef struct image {
    unsigned char *bytes;
    size_t size;
} image;

static image build(const char *header, size_t data, int64_t lie)
{
    uint64_t length = strlen(header);
    image made = {.size = 8 + (size_t)length + data};
    made.bytes = calloc(made.size, 1);
    uint64_t told = length + (uint64_t)lie;
    for (size_t i = 0; i < 8; i++)
        made.bytes[i] = (unsigned char)(told >> 8 * i);
    memcpy(made.bytes + 8, header, (size_t)length);
    return made;
}

static const struct {
    const char *header;
    size_t data;
    int64_t lie;
    lcal_status status;
    const char *says;
} broken[] = {
    {"{}", 0, 100000001, LCAL_FORMAT, "more than 100000000"},
    {"{}", 0, INT64_MAX, LCAL_FORMAT, "not a safetensors file?"},
    {"{}", 0, -3, LCAL_FORMAT, "not a safetensors file?"},
    {"{}", 0, 1, LCAL_FORMAT, "only 2 follow (truncated?)"},
    {"{}", 0, -2, LCAL_FORMAT, "does not begin with '{'"},
    {" {}", 0, 0, LCAL_FORMAT, "does not begin with '{'"},
    {"[]", 0, 0, LCAL_FORMAT, "does not begin with '{'"},
    {"{\"a\":", 0, 0, LCAL_FORMAT, "file: header: line 1 column"},
    {"{}{}", 0, 0, LCAL_FORMAT, "header: line 1"},
    {"{}", 1, 0, LCAL_FORMAT, "1 bytes behind the last tensor"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
     4, 0, LCAL_FORMAT, "duplicate"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, 0, LCAL_FORMAT,
     "4 bytes behind the last tensor"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, 0, LCAL_FORMAT,
     "tensor a: ends at byte 8 of the data, but the file holds 4"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, 0, LCAL_FORMAT,
     "tensor a: begins at byte 4"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
     12, 0, LCAL_FORMAT, "(hole)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
     8, 0, LCAL_FORMAT, "(overlap)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
     4, 0, LCAL_FORMAT, "(overlap)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, 0, LCAL_FORMAT,
     "begin <= end"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, 0, LCAL_FORMAT,
     "begin <= end"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.0]}}", 4, 0, LCAL_FORMAT,
     "data_offsets: expected [begin, end]"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, 0, LCAL_FORMAT,
     "data_offsets: expected [begin, end]"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, 0, LCAL_FORMAT,
     "data_offsets: expected [begin, end]"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,18446744073709551616]}}", 4, 0,
     LCAL_FORMAT, "header: line 1"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, 0, LCAL_FORMAT,
     "4 bytes of data do not fit 2 elements of F32"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", 4, 0,
     LCAL_FORMAT, "the product overflows"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, 0,
     LCAL_FORMAT, "do not fit"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, 0, LCAL_FORMAT,
     "expected unsigned integers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, 0, LCAL_FORMAT,
     "found a real number at dimension 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, 0, LCAL_FORMAT,
     "shape: expected a list, found an integer"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, 0, LCAL_FORMAT,
     "shape: expected a list, found nothing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, 0,
     LCAL_UNSUPPORTED, "9 dimensions"},
    {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, 0, LCAL_UNSUPPORTED,
     "dtype F8_E4M3 is not read"},
    {"{\"a\":{\"dtype\":\"BOOL\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, 0, LCAL_UNSUPPORTED,
     "dtype BOOL is not read"},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 0, LCAL_FORMAT,
     "dtype: expected a string, found an integer"},
    {"{\"a\":[]}", 0, 0, LCAL_FORMAT, "tensor a: expected an object, found a list"},
    {"{\"__metadata__\":[]}", 0, 0, LCAL_FORMAT, "__metadata__: expected an object"},
    {"{\"__metadata__\":{\"step\":3}}", 0, 0, LCAL_FORMAT, "key step: expected a string"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}\xFF}", 4, 0, LCAL_FORMAT,
     "header: line 1"},
};

static void broken_files_are_refused(void **state)
{
    (void)state;
    assert_true(sizeof(broken) / sizeof(broken[0]) >= 25);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        image made = build(broken[i].header, broken[i].data, broken[i].lie);
        lcal__safetensors file = {0};
        memset(&err, 0, sizeof(err));
        lcal_status status = lcal__safetensors_parse(made.bytes, made.size, "file", &file, &err);
        if (status != broken[i].status || !strstr(err.message, broken[i].says)
            || strncmp(err.message, "file: ", 6) != 0)
            fail_msg("%s: %s: \"%s\", expected \"%s\"", broken[i].header, lcal_status_text(status),
                     err.message, broken[i].says);
        assert_null(file.tensors);
        free(made.bytes);
    }
}

static void short_files_are_refused(void **state)
{
    (void)state;
    const unsigned char bytes[7] = {0};
    lcal__safetensors file;
    for (size_t size = 0; size <= sizeof(bytes); size++)
        assert_int_equal(lcal__safetensors_parse(bytes, size, "file", &file, &err), LCAL_FORMAT);
}

static void edges_are_legal(void **state)
{
    (void)state;
    /* Rank 0, no elements at all, offsets out of order, unknown keys, trailing spaces. */
    image made = build("{\"z\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[2,10]},"
                       "\"e\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[2,2]},"
                       "\"__metadata__\":{\"format\":\"pt\",\"k\":\"v\"},"
                       "\"h\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2],\"x\":1}}  ",
                       10, 0);
    lcal__safetensors file;
    assert_int_equal(lcal__safetensors_parse(made.bytes, made.size, "file", &file, &err), LCAL_OK);
    assert_int_equal(file.count, 3);
    assert_string_equal(file.tensors[0].name, "e");
    assert_int_equal(file.tensors[0].elements, 0);
    const lcal__tensor *z = lcal__safetensors_find(&file, "z");
    assert_int_equal(z->rank, 0);
    assert_int_equal(z->elements, 1);
    assert_ptr_equal(z->data, made.bytes + made.size - 8);
    assert_null(lcal__safetensors_find(&file, "__metadata__"));
    assert_null(lcal__safetensors_find(&file, "y"));
    assert_string_equal(lcal__safetensors_metadata(&file, "k"), "v");
    assert_null(lcal__safetensors_metadata(&file, "absent"));
    lcal__safetensors_free(&file);
    free(made.bytes);

    made = build("{}", 0, 0);
    assert_int_equal(lcal__safetensors_parse(made.bytes, made.size, "file", &file, &err), LCAL_OK);
    assert_int_equal(file.count, 0);
    assert_null(lcal__safetensors_find(&file, "a"));
    lcal__safetensors_free(&file);
    free(made.bytes);
}

/* --- writing ------------------------------------------------------------------------------- */

static const float weights[6] = {1, -2, 3.5f, 0, 1e-30f, 7};
static const uint16_t halves[3] = {0x3C00, 0x4000, 0xFBFF};
static const double wide[1] = {0.1};

static lcal__tensor tensor(const char *name, lcal__dtype dtype, size_t rows, size_t cols,
                           const void *data)
{
    return (lcal__tensor){.name = name,
                          .dtype = dtype,
                          .rank = cols ? 2 : 1,
                          .shape = {rows, cols},
                          .elements = cols ? rows * cols : rows,
                          .data = data};
}

static void write_and_map(const lcal__tensor *tensors, size_t count, const char *const *metadata,
                          size_t pairs, unsigned char **bytes, size_t *size)
{
    char path[] = "/tmp/lcal-safetensors-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    if (lcal__safetensors_write(path, tensors, count, metadata, pairs, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(lcal__file_read(path, SIZE_MAX, bytes, size, &err), LCAL_OK);
    unlink(path);
}

static void the_layout_is_the_specified_one(void **state)
{
    (void)state;
    const lcal__tensor tensors[] = {
        tensor("b", LCAL__F32, 2, 3, weights),
        tensor("half", LCAL__F16, 3, 0, halves),
        tensor("a", LCAL__F32, 1, 0, weights),
        tensor("wide", LCAL__F64, 1, 0, wide),
    };
    static const char expected[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"a \\\"v\\\"\"},"
        "\"wide\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[12,36]},"
        "\"half\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[36,42]}}";
    const char *metadata[] = {"k", "a \"v\""};
    unsigned char *bytes;
    size_t size;
    write_and_map(tensors, 4, metadata, 1, &bytes, &size);
    size_t length = (sizeof(expected) - 1 + 7) / 8 * 8;
    assert_int_equal(size, 8 + length + 42);
    assert_int_equal(bytes[0] | bytes[1] << 8, length);
    assert_memory_equal(bytes + 8, expected, sizeof(expected) - 1);
    for (size_t i = sizeof(expected) - 1; i < length; i++)
        assert_int_equal(bytes[8 + i], ' ');
    assert_memory_equal(bytes + 8 + length, wide, 8);
    assert_memory_equal(bytes + 8 + length + 36, halves, 6);
    lcal__free(bytes);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    const lcal__tensor tensors[] = {
        tensor("model.\xC3\xA9\"\\.weight", LCAL__F32, 2, 3, weights),
        tensor("", LCAL__BF16, 3, 0, halves),
        tensor("empty", LCAL__F32, 0, 0, weights),
    };
    unsigned char *bytes;
    size_t size;
    lcal__safetensors file;
    write_and_map(tensors, 3, NULL, 0, &bytes, &size);
    assert_int_equal(lcal__safetensors_parse(bytes, size, "file", &file, &err), LCAL_OK);
    assert_int_equal(file.count, 3);
    assert_string_equal(lcal__safetensors_metadata(&file, "format"), "pt");
    for (size_t i = 0; i < 3; i++) {
        const lcal__tensor *read = lcal__safetensors_find(&file, tensors[i].name);
        assert_non_null(read);
        assert_int_equal(read->dtype, tensors[i].dtype);
        assert_int_equal(read->rank, tensors[i].rank);
        assert_memory_equal(read->shape, tensors[i].shape, read->rank * sizeof(size_t));
        assert_memory_equal(read->data, tensors[i].data,
                            read->elements * lcal__dtype_size(read->dtype));
    }
    lcal__safetensors_free(&file);
    lcal__free(bytes);
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    lcal__tensor twice[] = {tensor("a", LCAL__F32, 1, 0, weights),
                            tensor("a", LCAL__F16, 1, 0, halves)};
    lcal__tensor reserved = tensor("__metadata__", LCAL__F32, 1, 0, weights);
    lcal__tensor wrong = tensor("w", LCAL__F32, 2, 2, weights);
    const char *format[] = {"format", "tf"};
    const char *path = "/tmp/lcal-safetensors-never";
    wrong.elements = 5;
    assert_int_equal(lcal__safetensors_write(path, twice, 2, NULL, 0, &err), LCAL_INVALID);
    assert_non_null(strstr(err.message, "given twice"));
    assert_int_equal(lcal__safetensors_write(path, &reserved, 1, NULL, 0, &err), LCAL_INVALID);
    assert_int_equal(lcal__safetensors_write(path, &wrong, 1, NULL, 0, &err), LCAL_INVALID);
    assert_int_equal(lcal__safetensors_write(path, twice, 1, format, 1, &err), LCAL_INVALID);
    assert_false(lcal__path_is_file(path));
    assert_int_equal(lcal__safetensors_write("/nowhere/x", twice, 1, NULL, 0, &err), LCAL_IO);
}

/* --- damage -------------------------------------------------------------------------------- */

static void random_damage_never_crashes(void **state)
{
    (void)state;
    lcal__rng rng = {.seed = 4};
    const lcal__tensor tensors[] = {
        tensor("model.layers.0.weight", LCAL__F32, 2, 3, weights),
        tensor("model.layers.1.weight", LCAL__F16, 3, 0, halves),
        tensor("w", LCAL__F64, 1, 0, wide),
    };
    unsigned char *bytes;
    size_t size, accepted = 0;
    write_and_map(tensors, 3, NULL, 0, &bytes, &size);
    for (int round = 0; round < 20000; round++) {
        size_t kept = round % 4 == 0 ? (size_t)lcal__rng_below(&rng, size + 1) : size;
        unsigned char *damaged = malloc(kept ? kept : 1);
        memcpy(damaged, bytes, kept);
        for (uint64_t flips = 1 + lcal__rng_below(&rng, 3); kept && flips-- > 0;)
            damaged[lcal__rng_below(&rng, kept)] ^= (unsigned char)(1u << lcal__rng_below(&rng, 8));
        lcal__safetensors file;
        if (lcal__safetensors_parse(damaged, kept, "file", &file, &err) == LCAL_OK) {
            unsigned sum = 0;
            for (size_t i = 0; i < file.count; i++)
                for (size_t b = 0;
                     b < file.tensors[i].elements * lcal__dtype_size(file.tensors[i].dtype); b++)
                    sum += file.tensors[i].data[b];
            accepted += sum != UINT32_MAX; /* the sum keeps the reads from being left out */
            lcal__safetensors_free(&file);
        }
        free(damaged);
    }
    assert_true(accepted > 0 && accepted < 20000);
    lcal__free(bytes);
}

static void many_tensors_take_little_time(void **state)
{
    (void)state;
    const size_t count = 100000;
    lcal__strbuf header = {0};
    lcal__strbuf_add(&header, "{");
    for (size_t i = 0; i < count; i++)
        lcal__strbuf_printf(&header,
                            "%s\"t%zu\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[%zu,"
                            "%zu]}",
                            i ? "," : "", i, 2 * (count - 1 - i), 2 * (count - i));
    lcal__strbuf_add(&header, "}");
    image made = build(header.text, 2 * count, 0);
    lcal__safetensors file;
    clock_t start = clock();
    assert_int_equal(lcal__safetensors_parse(made.bytes, made.size, "file", &file, &err), LCAL_OK);
    for (size_t i = 0; i < count; i++)
        assert_non_null(lcal__safetensors_find(&file, file.tensors[i].name));
    /* Some tenths of a second; comparing all pairs would take minutes. */
    assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
    lcal__safetensors_free(&file);
    lcal__strbuf_free(&header);
    free(made.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(short_files_are_refused),
        cmocka_unit_test(edges_are_legal),
        cmocka_unit_test(the_layout_is_the_specified_one),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(random_damage_never_crashes),
        cmocka_unit_test(many_tensors_take_little_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
