/* Calibration files that are not what they say, in both formats: nothing of them is believed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "calib/file_parts.h"
#include "calib/sample.h"
#include "format/safetensors.h"
#include "model/scratch.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A calibration written by hand, one thing in it changed. Integers and reals as text: each format
 * turns them into what it stores. */
typedef struct fact {
    const char *key, *value;
    char type; /* t, i, r */
} fact;

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const fact good[] = {
    {"format", LCAL__CALIB_FORMAT, 't'},
    {"format_version", "1", 'i'},
    {"writer", "lcal 9", 't'},
    {"kind", "deploy", 't'},
    {"method", "lcpp", 't'},
    {"scale", "1", 'r'},
    {"rank", "2", 'i'},
    {"share", "layers", 't'},
    {"targets", "k_proj", 't'},
    {"arch", "llama", 't'},
    {"layers", "2", 'i'},
    {"hidden", "8", 'i'},
    {"heads", "4", 'i'},
    {"kv_heads", "2", 'i'},
    {"head_dim", "3", 'i'},
    {"ffn", "5", 'i'},
    {"vocab", "32", 'i'},
    {"base_sha256", SHA, 't'},
    {"adapters", "[{\"name\":\"x\",\"sha256\":\"" SHA "\",\"weight\":1}]", 't'},
    {"merge", "concat", 't'},
    {"seed", "1", 'i'},
    {"step", "2", 'i'},
    {"tokens", "3", 'i'},
    {"dtype", "f32", 't'},
};

typedef enum damage {
    NOTHING,
    NO_P2,
    SURPLUS,
    FOREIGN_NAME, /* not below calib */
    TRANSPOSED,
    RANK_ONE,
    TOO_MANY_ROWS,
    HALF,
    NOT_A_NUMBER,
    TWICE, /* k_proj.P1 as one component beside k_proj/P1: HDF5 only */
} damage;

static const struct broken {
    const char *key, *value; /* a fact to replace; value NULL: left out */
    damage tensors;
    lcal_status status;
    const char *says;
} brokens[] = {
    {NULL, NULL, NOTHING, LCAL_OK, ""},
    {"writer", NULL, NOTHING, LCAL_OK, ""},
    {"format", "something-else", NOTHING, LCAL_FORMAT, "format: expected lcal-calibration"},
    {"format", NULL, NOTHING, LCAL_FORMAT, "missing"},
    {"format_version", "2", NOTHING, LCAL_UNSUPPORTED, "format version 2; this lcal reads"},
    {"kind", "train", NOTHING, LCAL_INVALID, "a checkpoint of training, not a calibration"},
    {"kind", "other", NOTHING, LCAL_FORMAT, "kind: expected deploy, found \"other\""},
    {"method", "lcxx", NOTHING, LCAL_FORMAT, "expected one of lc, lcpp, columns, lora, base"},
    {"method", "base", NOTHING, LCAL_UNSUPPORTED, "its result is a model directory"},
    {"method", "lc", NOTHING, LCAL_FORMAT, "form: missing"},
    {"method", "columns", NOTHING, LCAL_FORMAT, "not one of this calibration's"},
    {"method", NULL, NOTHING, LCAL_FORMAT, "method: missing"},
    {"rank", "0", NOTHING, LCAL_FORMAT, "rank: expected 1..65536, found 0"},
    {"rank", "65537", NOTHING, LCAL_FORMAT, "rank: expected 1..65536, found 65537"},
    {"rank", "3", NOTHING, LCAL_SHAPE, "k_proj"},
    {"rank", NULL, NOTHING, LCAL_FORMAT, "rank: missing"},
    {"share", "none", NOTHING, LCAL_FORMAT, "tensor layers.0.k_proj.P1: missing"},
    {"share", "all", NOTHING, LCAL_FORMAT, "expected one of layers, none"},
    {"targets", "q_proj", NOTHING, LCAL_FORMAT, "tensor q_proj.P1: missing"},
    {"targets", "", NOTHING, LCAL_FORMAT, "targets: expected projections"},
    {"targets", "k_proj,", NOTHING, LCAL_FORMAT, "targets: expected projections"},
    {"targets", "k_proj,q_proj", NOTHING, LCAL_FORMAT, "targets: expected projections"},
    {"targets", "k_proj,k_proj", NOTHING, LCAL_FORMAT, "targets: expected projections"},
    {"targets", "a_name_longer_than_any", NOTHING, LCAL_FORMAT, "targets: expected projections"},
    {"arch", "gpt", NOTHING, LCAL_FORMAT, "expected one of llama, qwen2, stablelm"},
    {"layers", "0", NOTHING, LCAL_FORMAT, "layers: expected 1..65536, found 0"},
    {"layers", "65537", NOTHING, LCAL_FORMAT, "layers: expected 1..65536"},
    {"hidden", "2147483648", NOTHING, LCAL_FORMAT, "hidden: expected 1..2147483647"},
    {"hidden", "2147483647", NOTHING, LCAL_FORMAT, "expected 1 to 268435456 numbers"},
    {"hidden", "9", NOTHING, LCAL_SHAPE, "k_proj"},
    {"heads", "2147483647", NOTHING, LCAL_FORMAT, "do not fit together"},
    {"kv_heads", "5", NOTHING, LCAL_FORMAT, "do not fit together"},
    {"base_sha256", "xyz", NOTHING, LCAL_FORMAT, "base_sha256: expected 64 hexadecimal digits"},
    {"adapters", "{}", NOTHING, LCAL_FORMAT, "expected a list of at most"},
    {"adapters", "[1]", NOTHING, LCAL_FORMAT, "expected an object, found an integer"},
    {"adapters", "[{\"name\":\"x\"}]", NOTHING, LCAL_FORMAT, "expected a name, a sha256"},
    {"adapters", "[", NOTHING, LCAL_FORMAT, "not valid JSON"},
    {"adapters", NULL, NOTHING, LCAL_FORMAT, "adapters: missing"},
    {"merge", NULL, NOTHING, LCAL_OK, ""},
    {"merge", "{\"method\":\"slerp\",\"t\":0.25}", NOTHING, LCAL_OK, ""},
    {"merge", "ties", NOTHING, LCAL_FORMAT, "attribute merge: "},
    {"merge", "[]", NOTHING, LCAL_FORMAT, "attribute merge: "},
    {"merge", "{}", NOTHING, LCAL_FORMAT, "attribute merge: expected a method"},
    {"merge", "{\"method\":\"tie\"}", NOTHING, LCAL_FORMAT, "did you mean ties?"},
    {"merge", "{\"method\":\"slerp:t=1\",\"t\":1}", NOTHING, LCAL_FORMAT, "expected a method"},
    {"merge", "{\"method\":\"slerp\"}", NOTHING, LCAL_FORMAT, "expected all 1 options of slerp"},
    {"merge", "{\"method\":\"slerp\",\"t\":2}", NOTHING, LCAL_FORMAT,
     "option t: expected a number"},
    {"merge", "{\"method\":\"slerp\",\"t\":[]}", NOTHING, LCAL_FORMAT, "found a list"},
    {"merge", "{\"method\":\"slerp\",\"s\":1}", NOTHING, LCAL_FORMAT, "has no option s; it has t"},
    {"seed", "-1", NOTHING, LCAL_FORMAT, "seed: expected "},
    {"step", "-9223372036854775808", NOTHING, LCAL_FORMAT, "step: expected "},
    {"scale", NULL, NOTHING, LCAL_FORMAT, "scale: missing"},
    {"dtype", "f64", NOTHING, LCAL_FORMAT, "dtype: expected one of f16, bf16, f32"},
    {"dtype", "f16", NOTHING, LCAL_FORMAT, "expected F16, found F32"},
    {NULL, NULL, NO_P2, LCAL_FORMAT, "tensor k_proj.P2: missing"},
    {NULL, NULL, SURPLUS, LCAL_FORMAT, "tensor z_proj.P1: not one of this calibration's"},
    {NULL, NULL, TRANSPOSED, LCAL_SHAPE, "P1"},
    {NULL, NULL, RANK_ONE, LCAL_SHAPE, "P1"},
    {NULL, NULL, TOO_MANY_ROWS, LCAL_SHAPE, "P1"},
    {NULL, NULL, HALF, LCAL_FORMAT, "tensor k_proj.P1: expected F32, found F16"},
    {NULL, NULL, NOT_A_NUMBER, LCAL_FORMAT, "tensor k_proj.P1: element 1 is "},
};

/* The tensors of the hand-written file: k_proj.P1 [2, 8] and P2 [6, 2]. */
static size_t hand_tensors(damage what, lcal__tensor out[4], float numbers[64])
{
    for (size_t i = 0; i < 64; i++)
        numbers[i] = (float)i;
    if (what == NOT_A_NUMBER)
        numbers[1] = NAN;
    out[0] = (lcal__tensor){"k_proj.P1", LCAL__F32, 2, {2, 8}, 16, (unsigned char *)numbers};
    out[1] = (lcal__tensor){"k_proj.P2", LCAL__F32, 2, {6, 2}, 12, (unsigned char *)numbers + 64};
    switch (what) {
    case TRANSPOSED:
        out[0].shape[0] = 8, out[0].shape[1] = 2;
        break;
    case RANK_ONE:
        out[0].rank = 1, out[0].shape[0] = 16;
        break;
    case TOO_MANY_ROWS:
        out[0].shape[0] = 4, out[0].elements = 32;
        break;
    case HALF:
        out[0].dtype = LCAL__F16;
        break;
    case SURPLUS:
        out[2] = out[0];
        out[2].name = "z_proj.P1";
        return 3;
    case NO_P2:
        return 1;
    default:
        break;
    }
    return 2;
}

static const char *value_of(const fact *f, const struct broken *b)
{
    return b->key && strcmp(f->key, b->key) == 0 ? b->value : f->value;
}

static void write_hand_h5(const struct broken *b, const char *path)
{
    lcal_error err = {0};
    lcal__h5 *file = NULL;
    lcal__tensor tensors[4];
    float numbers[64];
    unsigned char *bytes;
    size_t size, count = hand_tensors(b->tensors, tensors, numbers);
    check(lcal__h5_create(&file, &err), &err);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const char *value = value_of(&good[i], b);
        if (!value)
            continue;
        if (good[i].type == 't')
            check(lcal__h5_put_text(file, "/", good[i].key, value, &err), &err);
        else if (good[i].type == 'i')
            check(lcal__h5_put_int(file, "/", good[i].key, strtoll(value, NULL, 10), &err), &err);
        else
            check(lcal__h5_put_real(file, "/", good[i].key, strtod(value, NULL), &err), &err);
    }
    for (size_t i = 0; i < count; i++) {
        char *place = lcal__calib_h5_path("/calib", tensors[i].name);
        check(lcal__h5_put(file, place, tensors[i].dtype, tensors[i].rank, tensors[i].shape,
                           tensors[i].data, &err),
              &err);
        lcal__free(place);
    }
    if (b->tensors == TWICE)
        check(lcal__h5_put(file, "/calib/k_proj.P1", LCAL__F32, 2, tensors[0].shape, numbers, &err),
              &err);
    check(lcal__h5_finish(&file, &bytes, &size, &err), &err);
    check(lcal__file_replace(path, bytes, size, &err), &err);
    lcal__free(bytes);
}

static void write_hand_safetensors(const struct broken *b, const char *path)
{
    lcal_error err = {0};
    lcal__tensor tensors[4];
    float numbers[64];
    const char *pairs[2 * COUNT_OF(good)];
    char names[4][32];
    size_t facts = 0, count = hand_tensors(b->tensors, tensors, numbers);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (!value_of(&good[i], b))
            continue;
        pairs[2 * facts] = i ? good[i].key : "lcal_format";
        pairs[2 * facts++ + 1] = value_of(&good[i], b);
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "%s%s", b->tensors == FOREIGN_NAME ? "" : "calib.",
                 tensors[i].name);
        tensors[i].name = names[i];
    }
    check(lcal__safetensors_write(path, tensors, count, pairs, facts, &err), &err);
}

static void check_refused(const char *what, const struct broken *b, const char *path)
{
    lcal__calib_file file;
    lcal_error err = {0};
    lcal_status status = lcal__calib_load(path, &file, &err);
    char name[160];
    snprintf(name, sizeof(name), "%s, %s = %s, damage %d", what, b->key ? b->key : "tensors",
             b->value ? b->value : "(none)", b->tensors);
    assert_refused(name, status, &err, b->status, b->says);
    if (b->status != LCAL_OK)
        assert_true(strncmp(err.message, path, strlen(path)) == 0);
    lcal__calib_file_free(&file);
}

static void test_broken_files(void **state)
{
    (void)state;
    const char *path = scratch_path("broken");
    for (size_t i = 0; i < COUNT_OF(brokens); i++) {
        write_hand_h5(&brokens[i], path);
        check_refused("h5", &brokens[i], path);
        write_hand_safetensors(&brokens[i], path);
        check_refused("safetensors", &brokens[i], path);
    }
    static const struct broken twice = {NULL, NULL, TWICE, LCAL_FORMAT, "k_proj.P1: found twice"};
    write_hand_h5(&twice, path);
    check_refused("h5", &twice, path);
    static const struct broken foreign = {NULL, NULL, FOREIGN_NAME, LCAL_FORMAT,
                                          "tensor k_proj.P1: not one of this calibration's"};
    write_hand_safetensors(&foreign, path);
    check_refused("safetensors", &foreign, path);
    static const struct broken text = {"step", "12x", NOTHING, LCAL_FORMAT,
                                       "step: expected an integer, found \"12x\""};
    write_hand_safetensors(&text, path);
    check_refused("safetensors", &text, path);
    static const struct broken real = {"scale", "nan", NOTHING, LCAL_FORMAT,
                                       "scale: expected a number, found \"nan\""};
    write_hand_safetensors(&real, path);
    check_refused("safetensors", &real, path);
}

/* A column merger's file says how many sites it could have: room for them is not just taken. */
static void test_claims_are_bounded(void **state)
{
    (void)state;
    sample s;
    lcal_error err = {0};
    lcal__calib_file file;
    const char *path = scratch_path("claims");
    const lcal__calib_spec columns = {
        .method = LCAL__METHOD_COLUMNS, .scale = 1.0, .targets = 0x7F};
    sample_open(&s, &columns, "mini", LCAL__STORE_F16, 1);
    s.facts.config.layers = 65536;
    sample_save(&s, true, LCAL__STORE_F16, path);
    check(lcal__calib_load(path, &file, &err), &err);
    lcal__calib_file_free(&file);
    const lcal__calib_adapter one = s.facts.adapters[0];
    lcal__calib_adapter many[3] = {one, one, one}, *own = s.facts.adapters;
    s.facts.adapters = many;
    s.facts.adapter_count = 3;
    sample_save(&s, true, LCAL__STORE_F16, path);
    assert_refused("claims", lcal__calib_load(path, &file, &err), &err, LCAL_FORMAT,
                   "3 adapters of 65536 layers are more than this lcal reads");
    s.facts.adapters = own;
    s.facts.adapter_count = SAMPLE_ADAPTERS;
    sample_close(&s);
}

/* Truncated anywhere, or one byte changed: an error or a calibration, never a crash. */
static void test_damaged_bytes(void **state)
{
    (void)state;
    for (int safetensors = 0; safetensors < 2; safetensors++) {
        unsigned char *bytes;
        size_t size, refused = 0;
        const char *path = scratch_path("damaged");
        if (safetensors)
            write_hand_safetensors(&brokens[0], path);
        else
            write_hand_h5(&brokens[0], path);
        read_bytes(path, &bytes, &size);
        for (size_t cut = 0; cut < size; cut += 1 + size / 400) {
            lcal__calib_file file;
            unsigned char *exact = lcal__alloc_aligned(cut, 1); /* so that ASan sees an overrun */
            memcpy(exact, bytes, cut);
            /* HDF5 may end in a few bytes that hold nothing. */
            if (lcal__calib_parse(exact, cut, "cut", &file, NULL) == LCAL_OK)
                assert_true(!safetensors && size - cut < 64 && file.params.values[27] == 27.0f);
            lcal__calib_file_free(&file);
            lcal__free(exact);
        }
        lcal__rng rng = {9, 9, 0};
        for (size_t i = 0; i < 800; i++) {
            lcal__calib_file file;
            size_t at = (size_t)lcal__rng_below(&rng, size);
            unsigned char old = bytes[at];
            bytes[at] ^= (unsigned char)(1 + lcal__rng_below(&rng, 255));
            refused += lcal__calib_parse(bytes, size, "changed", &file, NULL) != LCAL_OK;
            lcal__calib_file_free(&file);
            bytes[at] = old;
        }
        assert_true(refused > 100);
        lcal__free(bytes);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_broken_files),
        TEST(test_claims_are_bounded),
        TEST(test_damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
