/* GGUF: values and tensors come back as written, and every broken rule is refused by name. */
#include "format/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

static void put(lcal__strbuf *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        lcal__strbuf_add_bytes(out, &(char){(char)(value >> (8 * i) & 0xFF)}, 1);
}

static void put_string(lcal__strbuf *out, const char *text)
{
    put(out, strlen(text), 8);
    lcal__strbuf_add(out, text);
}

static void put_key(lcal__strbuf *out, const char *name, uint64_t type, uint64_t value, size_t size)
{
    put_string(out, name);
    put(out, type, 4);
    put(out, value, size);
}

static void put_tensor(lcal__strbuf *out, const char *name, uint64_t rows, uint64_t row,
                       uint64_t type, uint64_t offset)
{
    put_string(out, name);
    put(out, rows ? 2 : 1, 4);
    put(out, row, 8);
    if (rows)
        put(out, rows, 8);
    put(out, type, 4);
    put(out, offset, 8);
}

static void header(lcal__strbuf *out, uint64_t tensors, uint64_t keys)
{
    lcal__strbuf_clear(out);
    lcal__strbuf_add(out, "GGUF");
    put(out, 3, 4);
    put(out, tensors, 8);
    put(out, keys, 8);
}

static void pad(lcal__strbuf *out, size_t alignment)
{
    while (out->length % alignment)
        put(out, 0, 1);
}

static lcal_status parse(const lcal__strbuf *file, lcal__gguf *out, lcal_error *err)
{
    return lcal__gguf_parse(file->text, file->length, "F", out, err);
}

static void test_values(void **state)
{
    (void)state;
    lcal__strbuf file = {0};
    lcal__gguf g;
    header(&file, 0, 8);
    put_key(&file, "u8", U8, 200, 1);
    put_key(&file, "i16", I16, (uint64_t)-5, 2);
    put_key(&file, "i64", I64, 7, 8);
    put_key(&file, "u64", U64, (uint64_t)1 << 32, 8);
    put_key(&file, "yes", BOOL, 1, 1);
    put_string(&file, "name");
    put(&file, STRING, 4);
    put_string(&file, "value");
    put_key(&file, "texts", ARRAY, STRING, 4);
    put(&file, 2, 8);
    put_string(&file, "one");
    put_string(&file, "");
    put_key(&file, "numbers", ARRAY, I32, 4);
    put(&file, 2, 8);
    put(&file, 5, 4);
    put(&file, (uint64_t)-6, 4);
    assert_int_equal(parse(&file, &g, NULL), LCAL_OK);
    assert_int_equal(g.key_count, 8);
    assert_int_equal(g.alignment, 32);

    uint32_t number = 1;
    assert_int_equal(lcal__gguf_get_u32(&g, "u8", &number, NULL), LCAL_OK);
    assert_int_equal(number, 200);
    assert_int_equal(lcal__gguf_get_u32(&g, "i64", &number, NULL), LCAL_OK);
    assert_int_equal(number, 7);
    assert_int_equal(lcal__gguf_get_u32(&g, "absent", &number, NULL), LCAL_OK);
    assert_int_equal(number, 7);
    assert_int_equal(lcal__gguf_get_u32(&g, "i16", &number, NULL), LCAL_FORMAT);
    assert_int_equal(lcal__gguf_get_u32(&g, "u64", &number, NULL), LCAL_FORMAT);
    assert_int_equal(lcal__gguf_get_u32(&g, "yes", &number, NULL), LCAL_FORMAT);
    assert_int_equal(lcal__gguf_get_u32(&g, "numbers", &number, NULL), LCAL_FORMAT);
    bool yes = false;
    assert_int_equal(lcal__gguf_get_bool(&g, "yes", &yes, NULL), LCAL_OK);
    assert_true(yes);
    assert_int_equal(lcal__gguf_get_bool(&g, "u8", &yes, NULL), LCAL_FORMAT);
    lcal__gguf_string text;
    assert_int_equal(lcal__gguf_get_string(&g, "name", &text, NULL), LCAL_OK);
    assert_int_equal(text.length, 5);
    assert_memory_equal(text.text, "value", 5);
    assert_int_equal(lcal__gguf_get_string(&g, "texts", &text, NULL), LCAL_FORMAT);
    const lcal__gguf_key *array;
    assert_int_equal(lcal__gguf_get_array(&g, "texts", LCAL__GGUF_STRING, &array, NULL), LCAL_OK);
    assert_int_equal(array->count, 2);
    const unsigned char *cursor = array->data;
    text = lcal__gguf_next_string(&cursor);
    assert_memory_equal(text.text, "one", text.length);
    assert_int_equal(lcal__gguf_next_string(&cursor).length, 0);
    assert_int_equal(lcal__gguf_get_array(&g, "numbers", LCAL__GGUF_I32, &array, NULL), LCAL_OK);
    assert_int_equal((int32_t)lcal__gguf_bits32(array, 1), -6);
    assert_int_equal(lcal__gguf_get_array(&g, "numbers", LCAL__GGUF_F32, &array, NULL),
                     LCAL_FORMAT);
    lcal__gguf_free(&g);
    lcal__strbuf_free(&file);
}

static void test_tensors(void **state)
{
    (void)state;
    lcal__strbuf file = {0};
    lcal__gguf g;
    header(&file, 3, 1);
    put_key(&file, "general.alignment", U32, 64, 4);
    put_tensor(&file, "a", 0, 3, 0, 0);    /* F32 [3]: 12 bytes */
    put_tensor(&file, "b", 2, 64, 8, 64);  /* Q8_0 [2, 64]: 4 blocks of 34 bytes */
    put_tensor(&file, "c", 5, 1, 30, 256); /* BF16 [5, 1]: 10 bytes, not padded */
    pad(&file, 64);
    const size_t start = file.length;
    put(&file, 0x3F800000, 4);
    put(&file, 0, 8);
    pad(&file, 64);
    while (file.length < start + 256)
        put(&file, 0xAB, 1);
    put(&file, 0x3F80, 8);
    put(&file, 0, 2);
    assert_int_equal(parse(&file, &g, NULL), LCAL_OK);
    assert_int_equal(g.tensor_count, 3);
    const lcal__gguf_tensor *a = lcal__gguf_find_tensor(&g, "a");
    const lcal__gguf_tensor *b = lcal__gguf_find_tensor(&g, "b");
    const lcal__gguf_tensor *c = lcal__gguf_find_tensor(&g, "c");
    assert_true(a && b && c && !lcal__gguf_find_tensor(&g, "d"));
    assert_int_equal(a->size, 12);
    assert_int_equal(a->dims, 1);
    assert_int_equal(a->extent[0], 3);
    assert_int_equal(a->extent[1], 1);
    assert_ptr_equal(a->data, file.text + start);
    assert_string_equal(b->type_name, "Q8_0");
    assert_int_equal(b->size, 136);
    assert_ptr_equal(b->data, file.text + start + 64);
    assert_int_equal(c->extent[1], 5);
    assert_ptr_equal(c->data, file.text + start + 256);
    lcal__gguf_free(&g);
    file.length--;
    assert_int_equal(parse(&file, &g, NULL), LCAL_FORMAT);
    lcal__strbuf_free(&file);
}

/* Files with one fault each. */
static void version_1(lcal__strbuf *f)
{
    header(f, 0, 0), f->text[4] = 1;
}
static void swapped(lcal__strbuf *f)
{
    header(f, 0, 0), f->text[4] = 0, f->text[7] = 3;
}
static void no_magic(lcal__strbuf *f)
{
    header(f, 0, 0), f->text[0] = 'g';
}
static void many_keys(lcal__strbuf *f)
{
    header(f, 0, UINT64_MAX);
}
static void many_tensors(lcal__strbuf *f)
{
    header(f, UINT64_MAX / 8, 0);
}
static void unnamed(lcal__strbuf *f)
{
    header(f, 0, 1), put_key(f, "", U32, 0, 4);
}
static void odd_type(lcal__strbuf *f)
{
    header(f, 0, 1), put_key(f, "k", 13, 0, 8);
}
static void odd_bool(lcal__strbuf *f)
{
    header(f, 0, 1), put_key(f, "k", BOOL, 2, 1);
}
static void cut_value(lcal__strbuf *f)
{
    header(f, 0, 1), put_key(f, "k", U64, 0, 7);
}

static void twice(lcal__strbuf *f)
{
    header(f, 0, 2);
    put_key(f, "k", U32, 0, 4);
    put_key(f, "k", U8, 0, 1);
}

static void nested(lcal__strbuf *f)
{
    header(f, 0, 1);
    put_key(f, "k", ARRAY, ARRAY, 4);
    put(f, 0, 8);
}

static void huge_array(lcal__strbuf *f)
{
    header(f, 0, 1);
    put_key(f, "k", ARRAY, F64, 4);
    put(f, UINT64_MAX / 8 + 2, 8);
}

static void odd_alignment(lcal__strbuf *f)
{
    header(f, 0, 1);
    put_key(f, "general.alignment", U32, 48, 4);
}

static void with_tensor(lcal__strbuf *f, const char *name, uint64_t rows, uint64_t row,
                        uint64_t type, uint64_t offset)
{
    header(f, 1, 0);
    put_tensor(f, name, rows, row, type, offset);
    pad(f, 32);
    for (int i = 0; i < 64; i++)
        put(f, 0, 8);
}

static void long_name(lcal__strbuf *f)
{
    with_tensor(f, "0123456789012345678901234567890123456789012345678901234567890123", 1, 1, 0, 0);
}

static void no_rows(lcal__strbuf *f)
{
    with_tensor(f, "t", 1, 0, 0, 0);
}
static void odd_element(lcal__strbuf *f)
{
    with_tensor(f, "t", 1, 1, 4, 0);
}
static void cut_block(lcal__strbuf *f)
{
    with_tensor(f, "t", 1, 33, 8, 0);
}
static void gap(lcal__strbuf *f)
{
    with_tensor(f, "t", 1, 1, 0, 32);
}
static void too_long(lcal__strbuf *f)
{
    with_tensor(f, "t", 1, 129, 0, 0);
}
static void overflow(lcal__strbuf *f)
{
    with_tensor(f, "t", 1ull << 40, 1ull << 40, 0, 0);
}

static void five_dimensions(lcal__strbuf *f)
{
    with_tensor(f, "t", 1, 1, 0, 0);
    f->text[24 + 8 + 1] = 5;
}

static void tensor_twice(lcal__strbuf *f)
{
    header(f, 2, 0);
    put_tensor(f, "t", 0, 1, 0, 0);
    put_tensor(f, "t", 0, 1, 0, 32);
    pad(f, 32);
    for (int i = 0; i < 8; i++)
        put(f, 0, 8);
}

static void test_refused(void **state)
{
    static const struct {
        void (*make)(lcal__strbuf *file);
        lcal_status status;
        const char *says;
    } cases[] = {
        {version_1, LCAL_UNSUPPORTED, "version 3, found 1"},
        {swapped, LCAL_UNSUPPORTED, "big-endian"},
        {no_magic, LCAL_FORMAT, "\"GGUF\""},
        {many_keys, LCAL_FORMAT, "list of keys"},
        {many_tensors, LCAL_FORMAT, "list of tensors"},
        {unnamed, LCAL_FORMAT, "without a name"},
        {odd_type, LCAL_FORMAT, "unknown type 13"},
        {odd_bool, LCAL_FORMAT, "boolean"},
        {cut_value, LCAL_FORMAT, "cut short"},
        {twice, LCAL_FORMAT, "key k is there twice"},
        {nested, LCAL_FORMAT, "unknown type 9"},
        {huge_array, LCAL_FORMAT, "too large"},
        {odd_alignment, LCAL_FORMAT, "power of two"},
        {long_name, LCAL_FORMAT, "64 bytes"},
        {no_rows, LCAL_FORMAT, "extent"},
        {odd_element, LCAL_UNSUPPORTED, "element type"},
        {cut_block, LCAL_FORMAT, "block"},
        {gap, LCAL_FORMAT, "gap"},
        {too_long, LCAL_FORMAT, "beyond the file"},
        {overflow, LCAL_FORMAT, "overflow"},
        {five_dimensions, LCAL_FORMAT, "1 to 4 dimensions"},
        {tensor_twice, LCAL_FORMAT, "tensor t is there twice"},
    };
    (void)state;
    lcal__strbuf file = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        static lcal_error err;
        lcal__gguf g;
        cases[i].make(&file);
        lcal_status status = parse(&file, &g, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].says)
            || strncmp(err.message, "F: ", 3) != 0)
            fail_msg("case %zu: status %d: %s", i, (int)status, err.message);
        assert_null(g.keys);
        assert_null(g.tensors);
    }
    lcal__strbuf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
