/* Calibration files: what is written, that it comes back, and that nothing else is believed. */
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
#include "format/safetensors.h"
#include "model/scratch.h"

#define ALL 0x7F
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void check(lcal_status status, const lcal_error *err)
{
    if (status != LCAL_OK)
        fail_msg("%s", err->message);
}

/* --- a calibration to write ------------------------------------------------------------- */

#define ADAPTERS 2

/* Adapters with pairs everywhere (0) and on q and up of odd layers (1). */
typedef struct sample {
    lcal__calib_facts facts;
    lcal__params params;
    lcal__lora_pair *pairs[ADAPTERS];
    lcal__adapter adapters[ADAPTERS];
    lcal__adapter_use uses[ADAPTERS];
} sample;

static void fill(lcal__params *params, lcal__store dtype, uint64_t seed)
{
    lcal__rng rng = {seed, 1, 0};
    for (size_t i = 0; i < params->total; i++) {
        float value = (float)(lcal__rng_normal(&rng) * 0.05);
        /* As the file can hold it, so that it must come back exactly. */
        if (dtype == LCAL__STORE_F16)
            value = lcal__f32_from_f16(lcal__f16_from_f32(value));
        if (dtype == LCAL__STORE_BF16)
            value = lcal__f32_from_bf16(lcal__bf16_from_f32(value));
        params->values[i] = value;
    }
}

static void sample_open(sample *s, const lcal__calib_spec *spec, const char *shape,
                        lcal__store dtype, uint64_t seed)
{
    static const float number;
    lcal_error err = {0};
    *s = (sample){.facts = {.spec = *spec, .seed = 7, .step = 120, .tokens = 1ull << 40}};
    assert_true(lcal__model_config_shape(shape, &s->facts.config));
    const size_t sites = s->facts.config.layers * LCAL__PROJ_COUNT;
    memset(s->facts.base_sha256, 'b', LCAL__SHA256_HEX - 1);
    s->facts.valid_loss = 1.0 / 3.0;
    s->facts.adapters = lcal__calloc(ADAPTERS, sizeof(*s->facts.adapters));
    s->facts.adapter_count = ADAPTERS;
    for (size_t a = 0; a < ADAPTERS; a++) {
        s->facts.adapters[a].name = lcal__strdup(a ? "zwei \"\xC3\xBC\"\n" : "lora_a");
        s->facts.adapters[a].weight = (double)(a ? 0.7f : 1.0f);
        memset(s->facts.adapters[a].sha256, a ? '1' : 'a', LCAL__SHA256_HEX - 1);
        s->pairs[a] = lcal__calloc(sites, sizeof(*s->pairs[a]));
        for (size_t i = 0; i < sites; i++)
            if (a == 0
                || (i / LCAL__PROJ_COUNT % 2 == 1
                    && (i % LCAL__PROJ_COUNT == LCAL__Q || i % LCAL__PROJ_COUNT == LCAL__UP)))
                s->pairs[a][i].a = &number;
        s->adapters[a] = (lcal__adapter){.layers = s->facts.config.layers, .pairs = s->pairs[a]};
        s->uses[a].adapter = &s->adapters[a];
    }
    check(lcal__calib_layout(spec, &s->facts.config, s->uses, ADAPTERS, &s->params, &err), &err);
    check(lcal__params_allocate(&s->params, &err), &err);
    fill(&s->params, dtype, seed);
}

static void sample_close(sample *s)
{
    lcal__calib_facts_free(&s->facts);
    lcal__params_free(&s->params);
    for (size_t a = 0; a < ADAPTERS; a++)
        lcal__free(s->pairs[a]);
}

static void save(const sample *s, bool safetensors, lcal__store dtype, const char *path)
{
    lcal_error err = {0};
    check(safetensors
              ? lcal__calib_save_safetensors(path, &s->facts, &s->params, s->params.values, dtype,
                                             &err)
              : lcal__calib_save_h5(path, &s->facts, &s->params, s->params.values, dtype, &err),
          &err);
}

/* --- round trips ------------------------------------------------------------------------ */

static const struct {
    const char *name;
    lcal__calib_spec spec;
} specs[] = {
    {"lc output", {.method = LCAL__METHOD_LC, .scale = 1.0, .targets = ALL}},
    {"lc broadcast",
     {.method = LCAL__METHOD_LC, .form = LCAL__FORM_BROADCAST, .scale = 0.1, .targets = ALL}},
    {"lc unshared",
     {.method = LCAL__METHOD_LC, .share = LCAL__SHARE_NONE, .scale = 2.5, .targets = 0x41}},
    {"lcpp", {.method = LCAL__METHOD_LCPP, .rank = 4, .scale = 1.0, .targets = ALL}},
    {"lcpp rank 1", {.method = LCAL__METHOD_LCPP, .rank = 1, .scale = 1e-3, .targets = 0x08}},
    {"lcpp unshared",
     {.method = LCAL__METHOD_LCPP,
      .share = LCAL__SHARE_NONE,
      .rank = 3,
      .scale = 1.0,
      .targets = 0x22}},
    {"columns", {.method = LCAL__METHOD_COLUMNS, .scale = 1.0, .targets = ALL}},
    {"columns of few", {.method = LCAL__METHOD_COLUMNS, .scale = 1.0, .targets = 0x21}},
    {"lora", {.method = LCAL__METHOD_LORA, .rank = 2, .scale = 0.5, .targets = 0x05}},
};

static void assert_same_facts(const lcal__calib_facts *got, const lcal__calib_facts *want)
{
    assert_int_equal(got->spec.method, want->spec.method);
    assert_int_equal(got->spec.form, want->spec.form);
    assert_int_equal(got->spec.share, want->spec.share);
    assert_int_equal(got->spec.rank, want->spec.rank);
    assert_true(got->spec.scale == want->spec.scale);
    assert_int_equal(got->spec.targets, want->spec.targets);
    assert_int_equal(got->config.arch, want->config.arch);
    assert_int_equal(got->config.layers, want->config.layers);
    assert_int_equal(got->config.hidden, want->config.hidden);
    assert_int_equal(got->config.heads, want->config.heads);
    assert_int_equal(got->config.kv_heads, want->config.kv_heads);
    assert_int_equal(got->config.head_dim, want->config.head_dim);
    assert_int_equal(got->config.ffn, want->config.ffn);
    assert_int_equal(got->config.vocab, want->config.vocab);
    assert_string_equal(got->base_sha256, want->base_sha256);
    assert_int_equal(got->adapter_count, want->adapter_count);
    for (size_t i = 0; i < want->adapter_count; i++) {
        assert_string_equal(got->adapters[i].name, want->adapters[i].name);
        assert_string_equal(got->adapters[i].sha256, want->adapters[i].sha256);
        assert_true(got->adapters[i].weight == want->adapters[i].weight);
    }
    assert_true(got->seed == want->seed && got->step == want->step && got->tokens == want->tokens);
    assert_true(isnan(want->valid_loss) ? isnan(got->valid_loss)
                                        : got->valid_loss == want->valid_loss);
}

static void check_round_trip(size_t spec, lcal__store dtype, bool safetensors)
{
    sample s;
    lcal__calib_file file;
    lcal_error err = {0};
    const char *path = scratch_path("calibration");
    sample_open(&s, &specs[spec].spec, "mini", dtype, spec);
    if (dtype == LCAL__STORE_F32) {
        s.facts.valid_loss = NAN;
        s.facts.base_sha256[0] = '\0';
    }
    save(&s, safetensors, dtype, path);
    lcal_status status = lcal__calib_load(path, &file, &err);
    if (status != LCAL_OK)
        fail_msg("%s: %s", specs[spec].name, err.message);
    assert_int_equal(file.safetensors, safetensors);
    assert_int_equal(file.dtype, dtype);
    assert_null(file.params.grads);
    assert_same_facts(&file.facts, &s.facts);
    assert_int_equal(file.params.count, s.params.count);
    assert_int_equal(file.params.total, s.params.total);
    for (size_t i = 0; i < s.params.count; i++) {
        assert_string_equal(file.params.items[i].name, s.params.items[i].name);
        assert_int_equal(file.params.items[i].rows, s.params.items[i].rows);
        assert_int_equal(file.params.items[i].cols, s.params.items[i].cols);
        assert_int_equal(file.params.items[i].vector, s.params.items[i].vector);
    }
    assert_memory_equal(file.params.values, s.params.values, s.params.total * sizeof(float));
    /* And into a block of the same layout. */
    float *before = s.params.values;
    s.params.values = lcal__calloc(s.params.total, sizeof(float));
    check(lcal__calib_apply(&file, path, &s.params, &err), &err);
    assert_memory_equal(s.params.values, before, s.params.total * sizeof(float));
    lcal__free(before);
    lcal__calib_file_free(&file);
    sample_close(&s);
}

static void test_round_trips(void **state)
{
    (void)state;
    for (size_t spec = 0; spec < COUNT_OF(specs); spec++)
        for (int dtype = LCAL__STORE_F16; dtype <= LCAL__STORE_F32; dtype++) {
            check_round_trip(spec, (lcal__store)dtype, false);
            check_round_trip(spec, (lcal__store)dtype, true);
        }
}

/* What other readers see: METHODS.md D.8 and DESIGN.md 5. */
static void test_layout_of_the_files(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"format", LCAL__CALIB_FORMAT},
        {"kind", "deploy"},
        {"method", "lcpp"},
        {"share", "layers"},
        {"arch", "llama"},
        {"merge", "concat"},
        {"targets", "o_proj"},
        {"dtype", "f16"},
        {"adapters",
         "[{\"name\":\"lora_a\",\"sha256\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaa\",\"weight\":1},{\"name\":\"zwei \\\"\xC3\xBC\\\"\\u000a\","
         "\"sha256\":\"11111111111111111111111111111111111111111111111111111111111"
         "11111\",\"weight\":0.699999988079071}]"},
    };
    sample s;
    lcal_error err = {0};
    lcal__map map;
    lcal__h5 *h5 = NULL;
    lcal__safetensors st;
    sample_open(&s, &specs[4].spec, "mini", LCAL__STORE_F16, 3);
    save(&s, false, LCAL__STORE_F16, scratch_path("c.h5"));
    check(lcal__map_open(scratch_path("c.h5"), &map, &err), &err);
    check(lcal__h5_open(map.data, map.size, "c.h5", &h5, &err), &err);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *found;
        check(lcal__h5_get_text(h5, "/", texts[i][0], &found, &err), &err);
        assert_string_equal(found, texts[i][1]);
        lcal__free(found);
    }
    int64_t rank;
    check(lcal__h5_get_int(h5, "/", "rank", &rank, &err), &err);
    assert_int_equal(rank, 1);
    assert_false(lcal__h5_has_attribute(h5, "/", "form")); /* lc alone has one */
    size_t dims, shape[8];
    lcal__dtype dtype;
    check(lcal__h5_shape(h5, "/calib/o_proj/P2", &dtype, &dims, shape, &err), &err);
    assert_true(dtype == LCAL__F16 && dims == 2 && shape[0] == 128 && shape[1] == 1);
    lcal__h5_close(&h5);
    lcal__map_close(&map);

    save(&s, true, LCAL__STORE_F16, scratch_path("c.safetensors"));
    check(lcal__map_open(scratch_path("c.safetensors"), &map, &err), &err);
    check(lcal__safetensors_parse(map.data, map.size, "c", &st, &err), &err);
    assert_int_equal(st.count, 2);
    assert_non_null(lcal__safetensors_find(&st, "calib.o_proj.P1"));
    assert_string_equal(lcal__safetensors_metadata(&st, "format"), "pt");
    assert_string_equal(lcal__safetensors_metadata(&st, "lcal_format"), LCAL__CALIB_FORMAT);
    for (size_t i = 1; i < COUNT_OF(texts); i++)
        assert_string_equal(lcal__safetensors_metadata(&st, texts[i][0]), texts[i][1]);
    lcal__safetensors_free(&st);
    lcal__map_close(&map);
    sample_close(&s);
}

/* --- sizes and bytes -------------------------------------------------------------------- */

static size_t size_of(const lcal__calib_spec *spec, const char *shape)
{
    sample s;
    lcal__map map;
    lcal_error err = {0};
    sample_open(&s, spec, shape, LCAL__STORE_F16, 11);
    save(&s, false, LCAL__STORE_F16, scratch_path("budget.h5"));
    check(lcal__map_open(scratch_path("budget.h5"), &map, &err), &err);
    size_t size = map.size;
    lcal__map_close(&map);
    sample_close(&s);
    return size;
}

/* METHODS.md 0.1: 0.05 and 0.325 MiB, mean over the three backbones; the values are random, which
 * hardly compresses. */
static void test_budgets(void **state)
{
    (void)state;
    static const char *const shapes[] = {"1b", "1.5b", "1.6b"};
    size_t lc = 0, lcpp = 0;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        lc += size_of(&specs[0].spec, shapes[i]);
        lcpp += size_of(&specs[3].spec, shapes[i]);
    }
    print_message("mean bytes: LC %zu of 52428, LC++ %zu of 340787\n", lc / 3, lcpp / 3);
    assert_true(lc <= 3 * 52428);
    assert_true(lcpp <= 3 * 340787);
}

static void read_bytes(const char *path, unsigned char **bytes, size_t *size)
{
    lcal_error err = {0};
    check(lcal__file_read(path, SIZE_MAX - 1, bytes, size, &err), &err);
}

static void test_equal_input_gives_equal_bytes(void **state)
{
    (void)state;
    for (int safetensors = 0; safetensors < 2; safetensors++) {
        unsigned char *bytes[2];
        size_t size[2];
        for (size_t i = 0; i < 2; i++) {
            sample s;
            const char *path = scratch_path(i ? "another_name" : "one");
            sample_open(&s, &specs[3].spec, "mini", LCAL__STORE_F16, 5);
            save(&s, safetensors, LCAL__STORE_F16, path);
            read_bytes(path, &bytes[i], &size[i]);
            sample_close(&s);
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(bytes[0], bytes[1], size[0]);
        lcal__free(bytes[0]);
        lcal__free(bytes[1]);
    }
}

static void test_values_that_no_file_may_hold(void **state)
{
    (void)state;
    static const struct {
        float value;
        lcal__store dtype;
        const char *says;
    } cases[] = {
        {NAN, LCAL__STORE_F32, "tensor q_proj.p: element 3 is "},
        {INFINITY, LCAL__STORE_F32, "element 3 is inf, expected a finite number"},
        {65520.0f, LCAL__STORE_F16, "element 3 is 65520, too large for 16 bits"},
        {3.4e38f, LCAL__STORE_BF16, "too large for 16 bits; set calibration.dtype: f32"},
    };
    sample s;
    sample_open(&s, &specs[0].spec, "mini", LCAL__STORE_F32, 5);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        lcal_error err = {0};
        const char *path = scratch_path("never");
        s.params.values[3] = cases[i].value;
        assert_refused(
            "h5",
            lcal__calib_save_h5(path, &s.facts, &s.params, s.params.values, cases[i].dtype, &err),
            &err, LCAL_NUMERIC, cases[i].says);
        assert_refused("safetensors",
                       lcal__calib_save_safetensors(path, &s.facts, &s.params, s.params.values,
                                                    cases[i].dtype, &err),
                       &err, LCAL_NUMERIC, cases[i].says);
        assert_false(lcal__path_is_file(path));
    }
    sample_close(&s);
}

/* --- broken files ----------------------------------------------------------------------- */

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
    {"merge", "ties", NOTHING, LCAL_FORMAT, "merge: expected concat, found \"ties\""},
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
    sample_open(&s, &specs[6].spec, "mini", LCAL__STORE_F16, 1);
    s.facts.config.layers = 65536;
    save(&s, true, LCAL__STORE_F16, path);
    check(lcal__calib_load(path, &file, &err), &err);
    lcal__calib_file_free(&file);
    const lcal__calib_adapter one = s.facts.adapters[0];
    lcal__calib_adapter many[3] = {one, one, one}, *own = s.facts.adapters;
    s.facts.adapters = many;
    s.facts.adapter_count = 3;
    save(&s, true, LCAL__STORE_F16, path);
    assert_refused("claims", lcal__calib_load(path, &file, &err), &err, LCAL_FORMAT,
                   "3 adapters of 65536 layers are more than this lcal reads");
    s.facts.adapters = own;
    s.facts.adapter_count = ADAPTERS;
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

/* --- the right base, adapters and weights ----------------------------------------------- */

static void test_mismatches(void **state)
{
    (void)state;
    lcal__model model, other;
    lcal__adapter adapters[2];
    lcal_error err = {0};
    lcal__calib_facts facts;
    check(lcal__model_open(shipped_path("tiny-llama3"), NULL, &model, &err), &err);
    check(lcal__model_open(shipped_path("tiny-qwen2"), NULL, &other, &err), &err);
    check(lcal__adapter_open(shipped_path("tiny-llama3/lora_a"), &model.config, NULL, &adapters[0],
                             &err),
          &err);
    check(lcal__adapter_open(shipped_path("tiny-llama3/lora_b"), &model.config, NULL, &adapters[1],
                             &err),
          &err);
    lcal__adapter_use uses[] = {{&adapters[0], 1.0f}, {&adapters[1], 0.7f}};
    check(lcal__calib_facts_from(&model, uses, 2, &specs[0].spec, &facts, &err), &err);
    assert_string_equal(facts.adapters[1].name, "lora_b");
    assert_true(isnan(facts.valid_loss));
    check(lcal__calib_facts_check(&facts, "F", &model, uses, 2, &err), &err);

    assert_refused("architecture", lcal__calib_facts_check(&facts, "F", &other, uses, 2, &err),
                   &err, LCAL_SHAPE,
                   "F: made for a model of architecture llama, but this one is qwen2");
    facts.config.ffn += 1;
    assert_refused("extent", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &err), &err,
                   LCAL_SHAPE, "F: made for a model with ffn ");
    facts.config.ffn -= 1;
    facts.base_sha256[0] = facts.base_sha256[0] == '0' ? '1' : '0';
    assert_refused("base", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &err), &err,
                   LCAL_INVALID, "F: made for a base with SHA-256 ");
    facts.base_sha256[0] = '\0';
    assert_refused("no base", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &err), &err,
                   LCAL_INVALID, "none (random weights), but the weights of ");
    memcpy(facts.base_sha256, model.sha256, sizeof(facts.base_sha256));
    assert_refused("count", lcal__calib_facts_check(&facts, "F", &model, uses, 1, &err), &err,
                   LCAL_INVALID, "F: made with 2 adapters, but 1 are given");
    uses[1].weight = 1.0f;
    assert_refused("weight", lcal__calib_facts_check(&facts, "F", &model, uses, 2, &err), &err,
                   LCAL_INVALID, "F: adapter 2 (lora_b): expected weight 0.699999988, found 1");
    const lcal__adapter_use swapped[] = {{&adapters[1], 1.0f}, {&adapters[0], 0.7f}};
    assert_refused("order", lcal__calib_facts_check(&facts, "F", &model, swapped, 2, &err), &err,
                   LCAL_INVALID, "F: adapter 1: expected lora_a with SHA-256 ");
    lcal__calib_facts_free(&facts);
    for (size_t i = 0; i < 2; i++)
        lcal__adapter_close(&adapters[i]);
    lcal__model_close(&model);
    lcal__model_close(&other);
}

static void test_apply_refuses_another_layout(void **state)
{
    (void)state;
    static const struct {
        size_t of_file, of_block;
        const char *shape, *says;
    } cases[] = {
        {3, 0, "mini", "F: tensor q_proj.p: expected [1, 128], found none"},
        {0, 0, "small", "F: tensor q_proj.p: expected [1, 288], found [1, 128]"},
        {3, 4, "mini", "F: tensor o_proj.P1: expected [1, 128], found [4, 128]"},
        {7, 7, "small", "expected [1, 288], found [1, 128]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        sample from, to;
        lcal__calib_file file;
        lcal_error err = {0};
        sample_open(&from, &specs[cases[i].of_file].spec, "mini", LCAL__STORE_F16, 1);
        sample_open(&to, &specs[cases[i].of_block].spec, cases[i].shape, LCAL__STORE_F16, 2);
        save(&from, true, LCAL__STORE_F16, scratch_path("F"));
        check(lcal__calib_load(scratch_path("F"), &file, &err), &err);
        float first = to.params.values[0];
        assert_refused("apply", lcal__calib_apply(&file, "F", &to.params, &err), &err, LCAL_SHAPE,
                       cases[i].says);
        assert_true(to.params.values[0] == first);
        lcal__calib_file_free(&file);
        sample_close(&from);
        sample_close(&to);
    }
    /* A file with more than the block has. */
    lcal__calib_spec fewer = specs[0].spec;
    sample from, to;
    lcal__calib_file file;
    lcal_error err = {0};
    fewer.targets = 0x3F;
    sample_open(&from, &specs[0].spec, "mini", LCAL__STORE_F16, 1);
    sample_open(&to, &fewer, "mini", LCAL__STORE_F16, 2);
    save(&from, false, LCAL__STORE_F16, scratch_path("F"));
    check(lcal__calib_load(scratch_path("F"), &file, &err), &err);
    assert_refused("surplus", lcal__calib_apply(&file, "F", &to.params, &err), &err, LCAL_SHAPE,
                   "F: tensor down_proj.p: has no place in what is trained here");
    lcal__calib_file_free(&file);
    sample_close(&from);
    sample_close(&to);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trips),
        TEST(test_layout_of_the_files),
        TEST(test_budgets),
        TEST(test_equal_input_gives_equal_bytes),
        TEST(test_values_that_no_file_may_hold),
        TEST(test_broken_files),
        TEST(test_claims_are_bounded),
        TEST(test_damaged_bytes),
        TEST(test_mismatches),
        TEST(test_apply_refuses_another_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
