/* Conversions of element types against a decoder and a rounder of their own, in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/dtype.h"

/* A 16-bit format: bits of mantissa, smallest normal exponent, largest exponent. */
typedef struct format {
    int mantissa, low, high;
    uint16_t (*from)(float);
    float (*to)(uint16_t);
} format;

static const format half = {10, -14, 15, lcal__f16_from_f32, lcal__f32_from_f16};
static const format brain = {7, -126, 127, lcal__bf16_from_f32, lcal__f32_from_bf16};

/* The definition of the format: sign, exponent, fraction. */
static double decode(const format *f, uint16_t bits)
{
    int exponent = (bits & 0x7FFF) >> f->mantissa;
    int fraction = bits & ((1 << f->mantissa) - 1);
    double magnitude;
    if (exponent > f->high - f->low + 1)
        magnitude = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, f->low - f->mantissa);
    else
        magnitude = ldexp(fraction + (1 << f->mantissa), exponent - 1 + f->low - f->mantissa);
    return bits & 0x8000 ? -magnitude : magnitude;
}

/* The nearest value of the format, ties to even, as IEEE 754 defines it. */
static double nearest(const format *f, double value)
{
    double magnitude = fabs(value);
    int exponent;
    frexp(magnitude, &exponent);
    exponent = exponent - 1 < f->low ? f->low : exponent - 1;
    double unit = ldexp(1.0, exponent - f->mantissa);
    double rounded = nearbyint(magnitude / unit) * unit;
    if (isinf(magnitude) || rounded >= ldexp(1.0, f->high + 1))
        rounded = INFINITY;
    return copysign(rounded, value);
}

static void check_rounding(const format *f, float value)
{
    double got = f->to(f->from(value));
    if (isnan(value)) {
        assert_true(isnan(got));
        return;
    }
    double want = nearest(f, value);
    if (got != want || signbit(got) != signbit(want))
        fail_msg("%a rounds to %a, expected %a", (double)value, got, want);
}

static void check_format(const format *f)
{
    for (uint32_t bits = 0; bits <= 0xFFFF; bits++) {
        double want = decode(f, (uint16_t)bits);
        float got = f->to((uint16_t)bits);
        if (isnan(want)) {
            assert_true(isnan(got));
            assert_true(isnan(f->to(f->from(got))));
            continue;
        }
        assert_true((double)got == want && !signbit(got) == !signbit(want));
        assert_int_equal(f->from(got), bits);
        /* Half way to the next one and its neighbours decide about rounding. */
        if (isinf(want) || (bits & 0x7FFF) == 0x7FFF)
            continue;
        double next = decode(f, (uint16_t)(bits + 1));
        double bound = copysign(ldexp(1.0, f->high + 1), want);
        double middle = (want + (isfinite(next) ? next : bound)) / 2;
        if (fabs(middle) > 3.4028234663852886e38)
            continue;
        check_rounding(f, (float)middle);
        check_rounding(f, nextafterf((float)middle, INFINITY));
        check_rounding(f, nextafterf((float)middle, -INFINITY));
    }
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
        uint32_t word = (uint32_t)bits;
        float value;
        memcpy(&value, &word, sizeof(value));
        check_rounding(f, value);
    }
}

static void test_half(void **state)
{
    (void)state;
    check_format(&half);
}

static void test_brain(void **state)
{
    (void)state;
    check_format(&brain);
}

static void test_arrays(void **state)
{
    (void)state;
    static const float values[5] = {0.0f, -1.5f, 3.25f, 65504.0f, 0x1p-14f};
    static const lcal__dtype types[] = {LCAL__F32, LCAL__F16, LCAL__BF16, LCAL__F64};
    for (size_t i = 0; i < 4; i++) {
        unsigned char raw[1 + 5 * 8], *unaligned = raw + 1;
        float back[5];
        memset(raw, 0xEE, sizeof(raw));
        lcal__convert_from_f32(types[i], values, unaligned, 5);
        lcal__convert_to_f32(types[i], unaligned, back, 5);
        for (size_t j = 0; j < 5; j++)
            if (types[i] != LCAL__BF16 || j != 3)
                assert_true(back[j] == values[j]);
        assert_int_equal(raw[0], 0xEE);
        for (size_t j = 1 + 5 * lcal__dtype_size(types[i]); j < sizeof(raw); j++)
            assert_int_equal(raw[j], 0xEE);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t size;
    } expected[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8}, {"I32", 4}};
    for (size_t i = 0; i < 6; i++) {
        lcal__dtype type;
        assert_true(lcal__dtype_from_name(expected[i].name, &type));
        assert_string_equal(lcal__dtype_name(type), expected[i].name);
        assert_int_equal(lcal__dtype_size(type), expected[i].size);
    }
    lcal__dtype untouched = LCAL__I32;
    assert_false(lcal__dtype_from_name("f32", &untouched));
    assert_false(lcal__dtype_from_name("F8_E4M3", &untouched));
    assert_int_equal(untouched, LCAL__I32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_brain),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
