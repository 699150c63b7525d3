/*
 * config.json: the shipped models, the spellings of both eras, the refused ones, sizes that the
 * paper prints, and the rotary table against the formulas.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/model.h"
#include "model/scratch.h"

static lcal_error err;

static lcal_status parse(const char *text, lcal__model_config *out)
{
    memset(&err, 0, sizeof(err));
    return lcal__model_config_parse(text, strlen(text), "config.json", out, &err);
}

static lcal__model_config parsed(const char *text)
{
    lcal__model_config config;
    if (parse(text, &config) != LCAL_OK)
        fail_msg("%s: %s", text, err.message);
    return config;
}

/* Required keys of a small model, to be followed by others. */
#define SIZES                                                                                      \
    "\"num_hidden_layers\":2,\"hidden_size\":64,\"num_attention_heads\":4,"                        \
    "\"intermediate_size\":96,\"vocab_size\":100"
#define LLAMA "{\"model_type\":\"llama\"," SIZES
#define QWEN2 "{\"model_type\":\"qwen2\"," SIZES
#define STABLELM "{\"model_type\":\"stablelm\"," SIZES

static void defaults_are_those_of_the_family(void **state)
{
    (void)state;
    lcal__model_config c = parsed(LLAMA "}");
    assert_int_equal(c.arch, LCAL__ARCH_LLAMA);
    assert_int_equal(c.kv_heads, 4);
    assert_int_equal(c.head_dim, 16);
    assert_int_equal(c.norm, LCAL__NORM_RMS);
    assert_true(c.norm_eps == 1e-6f);
    assert_int_equal(c.rope.dims, 16);
    assert_true(c.rope.theta == 10000.0);
    assert_false(c.tied);
    assert_false(c.bias[LCAL__Q] || c.bias[LCAL__O] || c.bias[LCAL__GATE]);
    assert_int_equal(c.bos, -1);
    assert_int_equal(c.eos_count, 0);

    c = parsed(QWEN2 "}");
    assert_true(c.bias[LCAL__Q] && c.bias[LCAL__K] && c.bias[LCAL__V]);
    assert_false(c.bias[LCAL__O] || c.bias[LCAL__DOWN]);

    c = parsed(STABLELM "}");
    assert_int_equal(c.norm, LCAL__NORM_LAYER);
    assert_true(c.norm_eps == 1e-5f);
    assert_int_equal(c.rope.dims, 4);
    assert_false(c.bias[LCAL__Q] || c.parallel_residual);
}

static void keys_override_defaults(void **state)
{
    (void)state;
    lcal__model_config c = parsed(
        LLAMA ",\"attention_bias\":true,\"mlp_bias\":true,\"head_dim\":32,\"rms_norm_eps\":0.001,"
              "\"num_key_value_heads\":2,\"tie_word_embeddings\":true,\"bos_token_id\":7,"
              "\"eos_token_id\":[8,9],\"max_position_embeddings\":99,\"unknown\":{\"x\":1}}");
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++)
        assert_true(c.bias[p]);
    assert_int_equal(c.head_dim, 32);
    assert_int_equal(lcal__proj_out(&c, LCAL__Q), 128);
    assert_int_equal(lcal__proj_in(&c, LCAL__O), 128);
    assert_int_equal(lcal__proj_out(&c, LCAL__V), 64);
    assert_true(c.norm_eps == 0.001f);
    assert_true(c.tied);
    assert_int_equal(c.bos, 7);
    assert_int_equal(c.eos_count, 2);
    assert_int_equal(c.eos[1], 9);
    assert_int_equal(c.max_positions, 99);

    c = parsed(STABLELM ",\"use_qkv_bias\":true,\"use_parallel_residual\":true,"
                        "\"partial_rotary_factor\":0.5,\"eos_token_id\":3,\"bos_token_id\":null}");
    assert_true(c.bias[LCAL__V] && c.parallel_residual);
    assert_int_equal(c.rope.dims, 8);
    assert_int_equal(c.eos[0], 3);
    assert_int_equal(c.bos, -1);
}

static void both_eras_say_the_same(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {LLAMA ",\"rope_theta\":500000.0,\"torch_dtype\":\"bfloat16\",\"rope_scaling\":{"
               "\"rope_type\":\"llama3\",\"factor\":32.0,\"low_freq_factor\":1.0,"
               "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}}",
         LLAMA ",\"dtype\":\"bfloat16\",\"rope_parameters\":{\"rope_theta\":500000.0,"
               "\"rope_type\":\"llama3\",\"factor\":32.0,\"low_freq_factor\":1.0,"
               "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}}"},
        {LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}",
         LLAMA ",\"rope_theta\":1.0,\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":2.0,"
               "\"rope_theta\":10000}}"},
        {STABLELM ",\"partial_rotary_factor\":0.5,\"rope_scaling\":null}",
         STABLELM ",\"rope_parameters\":{\"partial_rotary_factor\":0.5,\"rope_theta\":10000.0,"
                  "\"rope_type\":\"default\"}}"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        lcal__model_config old = parsed(pairs[i][0]), new = parsed(pairs[i][1]);
        assert_memory_equal(&old, &new, sizeof(old));
    }
}

static const struct {
    const char *text;
    lcal_status status;
    const char *says;
} broken[] = {
    {"[]", LCAL_FORMAT, "expected a JSON object, found a list"},
    {"{", LCAL_FORMAT, "config.json: line 1"},
    {"{}", LCAL_FORMAT, "key model_type: missing"},
    {"{\"model_type\":3}", LCAL_FORMAT, "key model_type: expected a string"},
    {"{\"model_type\":\"mistral\"," SIZES "}", LCAL_UNSUPPORTED, "found mistral"},
    {"{\"model_type\":\"llama\",\"hidden_size\":64}", LCAL_FORMAT,
     "key num_hidden_layers: missing"},
    {LLAMA ",\"vocab_size\":100}", LCAL_FORMAT, "duplicate"},
    {LLAMA ",\"num_key_value_heads\":3}", LCAL_FORMAT,
     "expected a divisor of the 4 heads, found 3"},
    {LLAMA ",\"num_key_value_heads\":0}", LCAL_FORMAT, "from 1 to"},
    {LLAMA ",\"num_key_value_heads\":\"4\"}", LCAL_FORMAT, "expected an integer, found a string"},
    {LLAMA ",\"head_dim\":15}", LCAL_FORMAT, "15 of the 15 dimensions of a head are rotated"},
    {LLAMA ",\"head_dim\":2147483647}", LCAL_FORMAT, "heads of 2147483647 are wider"},
    {LLAMA ",\"hidden_act\":\"gelu\"}", LCAL_UNSUPPORTED, "expected silu, found gelu"},
    {LLAMA ",\"rms_norm_eps\":0}", LCAL_FORMAT, "epsilon of the norms"},
    {LLAMA ",\"rms_norm_eps\":\"small\"}", LCAL_FORMAT, "key rms_norm_eps: expected a number"},
    {LLAMA ",\"tie_word_embeddings\":1}", LCAL_FORMAT, "expected a boolean, found an integer"},
    {LLAMA ",\"rope_theta\":-1}", LCAL_FORMAT, "key rope_theta: expected a number above 0"},
    {LLAMA ",\"rope_scaling\":[]}", LCAL_FORMAT, "key rope_scaling: expected an object"},
    {LLAMA ",\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}}", LCAL_UNSUPPORTED,
     "expected default, linear or llama3, found dynamic"},
    {LLAMA ",\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":2}}", LCAL_UNSUPPORTED,
     "found yarn"},
    {LLAMA ",\"rope_scaling\":{\"factor\":2}}", LCAL_FORMAT, "key rope_type: missing"},
    {LLAMA ",\"rope_scaling\":{\"type\":\"linear\"}}", LCAL_FORMAT,
     "key factor of the rope scaling: expected a number, found nothing"},
    {LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}}", LCAL_FORMAT,
     "key factor: expected a number above 0"},
    {LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,"
           "\"high_freq_factor\":4,\"original_max_position_embeddings\":64}}",
     LCAL_FORMAT, "expected more than low_freq_factor"},
    {LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
           "\"high_freq_factor\":4,\"original_max_position_embeddings\":1e200}}",
     LCAL_FORMAT, "original_max_position_embeddings: expected an integer"},
    {LLAMA ",\"rope_parameters\":{\"full_attention\":{\"rope_theta\":1e4}}}", LCAL_UNSUPPORTED,
     "parameters of their own for full_attention layers"},
    {LLAMA ",\"partial_rotary_factor\":0.5}", LCAL_UNSUPPORTED, "llama rotates whole heads"},
    {STABLELM ",\"partial_rotary_factor\":1.5}", LCAL_FORMAT, "above 0, up to 1"},
    {STABLELM ",\"partial_rotary_factor\":0.2}", LCAL_FORMAT, "3 of the 16 dimensions"},
    {STABLELM ",\"qk_layernorm\":true}", LCAL_UNSUPPORTED, "a norm of every query and key head"},
    {STABLELM ",\"head_dim\":32}", LCAL_UNSUPPORTED, "stablelm has only hidden_size"},
    {QWEN2 ",\"use_sliding_window\":true}", LCAL_UNSUPPORTED, "sliding window is not supported"},
    {QWEN2 ",\"layer_types\":[\"full_attention\",\"sliding_attention\"]}", LCAL_UNSUPPORTED,
     "found sliding_attention in layer 1"},
    {LLAMA ",\"quantization_config\":{\"bits\":4}}", LCAL_UNSUPPORTED, "quantised weights"},
    {LLAMA ",\"eos_token_id\":\"</s>\"}", LCAL_FORMAT, "expected a token id, found a string"},
    {LLAMA ",\"eos_token_id\":[1,2,3,4,5,6,7,8,9]}", LCAL_UNSUPPORTED, "more than 8 tokens"},
    {LLAMA ",\"bos_token_id\":-5}", LCAL_FORMAT, "expected a token id"},
    {"{\"model_type\":\"llama\",\"num_hidden_layers\":2,\"hidden_size\":66,"
     "\"num_attention_heads\":4,\"intermediate_size\":96,\"vocab_size\":100}",
     LCAL_FORMAT, "expected a multiple of the 4 heads, found 66"},
    {"{\"model_type\":\"llama\",\"num_hidden_layers\":65537,\"hidden_size\":64,"
     "\"num_attention_heads\":4,\"intermediate_size\":96,\"vocab_size\":100}",
     LCAL_FORMAT, "key num_hidden_layers: expected an integer from 1 to 65536"},
    {"{\"model_type\":\"llama\",\"num_hidden_layers\":65536,\"hidden_size\":2147483640,"
     "\"num_attention_heads\":4,\"intermediate_size\":2147483647,\"vocab_size\":2147483647}",
     LCAL_FORMAT, "more parameters than memory holds"},
    {"{\"model_type\":\"llama\",\"num_hidden_layers\":2,\"hidden_size\":2147483648,"
     "\"num_attention_heads\":4,\"intermediate_size\":96,\"vocab_size\":100}",
     LCAL_FORMAT, "key hidden_size: expected an integer from 1 to 2147483647"},
};

static void broken_configs_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        lcal__model_config config;
        lcal_status status = parse(broken[i].text, &config);
        assert_refused(broken[i].text, status, &err, broken[i].status, broken[i].says);
    }
}

static void written_configs_read_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        LLAMA ",\"attention_bias\":true,\"mlp_bias\":true,\"head_dim\":10,\"eos_token_id\":[1,2]}",
        QWEN2 ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5},\"rms_norm_eps\":3.7e-6,"
              "\"rope_theta\":123456.789012345678}",
        STABLELM ",\"use_qkv_bias\":true,\"partial_rotary_factor\":0.4,\"bos_token_id\":0}",
        "{\"model_type\":\"stablelm\",\"num_hidden_layers\":2,\"hidden_size\":196,"
        "\"num_attention_heads\":4,\"intermediate_size\":96,\"vocab_size\":9,"
        "\"partial_rotary_factor\":0.2858}",
    };
    static const char *const shapes[] = {"mini", "small", "135m", "1b", "1.5b", "1.6b"};
    lcal__model_config configs[10];
    size_t count = 0;
    for (size_t i = 0; i < 4; i++)
        configs[count++] = parsed(texts[i]);
    for (size_t i = 0; i < 6; i++)
        assert_true(lcal__model_config_shape(shapes[i], &configs[count++]));
    for (size_t i = 0; i < count; i++) {
        char *text = NULL;
        assert_int_equal(lcal__model_config_write(&configs[i], "float32", &text, &err), LCAL_OK);
        lcal__model_config again = parsed(text);
        assert_int_equal(again.rope.dims, configs[i].rope.dims);
        assert_true(again.norm_eps == configs[i].norm_eps);
        assert_true(again.rope.theta == configs[i].rope.theta);
        assert_true(again.rope.factor == configs[i].rope.factor);
        assert_memory_equal(again.bias, configs[i].bias, sizeof(again.bias));
        assert_memory_equal(again.eos, configs[i].eos, sizeof(again.eos));
        assert_int_equal(again.tied, configs[i].tied);
        assert_int_equal(again.head_dim, configs[i].head_dim);
        assert_int_equal(again.bos, configs[i].bos);
        assert_int_equal(lcal__model_parameters(&again), lcal__model_parameters(&configs[i]));
        lcal__free(text);
    }
    lcal__model_config none;
    assert_false(lcal__model_config_shape("7b", &none));
}

/* The sizes of the paper's three backbones, from its published tables. */
static void the_papers_sizes_are_met(void **state)
{
    static const struct {
        const char *shape;
        size_t parameters, sum_in, sum_out, lora32, lcpp, columns;
    } rows[] = {
        {"1b", 1235814400, 20480, 23552, 22544384, 176128, 655360},
        {"1.5b", 1543714304, 18176, 23040, 36929536, 164864, 1017856},
        {"1.6b", 1644515328, 17920, 21504, 30277632, 157696, 860160},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        lcal__model_config c;
        size_t in = 0, out = 0;
        assert_true(lcal__model_config_shape(rows[i].shape, &c));
        assert_int_equal(lcal__model_config_check(&c, "shape", &err), LCAL_OK);
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            in += lcal__proj_in(&c, p);
            out += lcal__proj_out(&c, p);
        }
        assert_int_equal(lcal__model_parameters(&c), rows[i].parameters);
        assert_int_equal(in, rows[i].sum_in);
        assert_int_equal(out, rows[i].sum_out);
        assert_int_equal(32 * (in + out) * c.layers, rows[i].lora32);
        assert_int_equal(4 * (in + out), rows[i].lcpp);
        assert_int_equal(2 * in * c.layers, rows[i].columns);
    }
}

static void names_are_those_of_hugging_face(void **state)
{
    (void)state;
    lcal__proj proj;
    assert_string_equal(lcal__proj_name(LCAL__GATE), "gate_proj");
    assert_string_equal(lcal__proj_module(LCAL__K), "self_attn.k_proj");
    assert_string_equal(lcal__proj_module(LCAL__DOWN), "mlp.down_proj");
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        assert_true(lcal__proj_from_name(lcal__proj_name(p), &proj));
        assert_int_equal(proj, p);
    }
    assert_false(lcal__proj_from_name("lm_head", &proj));
    assert_string_equal(lcal__arch_name(LCAL__ARCH_STABLELM), "stablelm");
}

/* Divisors of the frequencies as GGUF stores them: 1, the factor, or 1/((1-g)/F+g) between. */
static double divisor(const lcal__model_config *c, size_t i)
{
    const double pi = acos(-1.0);
    double f = 1.0 / pow(c->rope.theta, 2.0 * (double)i / (double)c->rope.dims);
    double wave = 2.0 * pi / f, o = c->rope.original_positions;
    if (c->rope.kind == LCAL__ROPE_LINEAR)
        return c->rope.factor;
    if (c->rope.kind == LCAL__ROPE_DEFAULT || wave < o / c->rope.high_freq_factor)
        return 1.0;
    if (wave > o / c->rope.low_freq_factor)
        return c->rope.factor;
    double g =
        (o / wave - c->rope.low_freq_factor) / (c->rope.high_freq_factor - c->rope.low_freq_factor);
    return 1.0 / ((1.0 - g) / c->rope.factor + g);
}

static void the_rotary_table_follows_the_formulas(void **state)
{
    (void)state;
    lcal__model_config configs[3];
    assert_true(lcal__model_config_shape("1b", &configs[0]));
    assert_true(lcal__model_config_shape("1.6b", &configs[1]));
    configs[2] = parsed(LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":4}}");
    for (size_t m = 0; m < 3; m++) {
        const lcal__model_config *c = &configs[m];
        enum { POSITIONS = 100 };
        size_t half = c->rope.dims / 2, kinds[3] = {0};
        float *cos_table = calloc(POSITIONS * half, sizeof(float));
        float *sin_table = calloc(POSITIONS * half, sizeof(float));
        lcal__rope_table(c, POSITIONS, cos_table, sin_table);
        for (size_t i = 0; i < half; i++) {
            double by = divisor(c, i);
            kinds[by == 1.0 ? 0 : by == c->rope.factor ? 1 : 2]++;
            for (size_t t = 0; t < POSITIONS; t++) {
                double angle =
                    (double)t / by / pow(c->rope.theta, 2.0 * (double)i / (double)c->rope.dims);
                assert_true(fabs(cos_table[t * half + i] - cos(angle)) < 1e-7);
                assert_true(fabs(sin_table[t * half + i] - sin(angle)) < 1e-7);
            }
        }
        if (m == 0) /* every branch of llama3 was taken */
            assert_true(kinds[0] > 0 && kinds[1] > 0 && kinds[2] > 0);
        free(cos_table);
        free(sin_table);
    }
}

static void shipped_configs_open(void **state)
{
    static const struct {
        const char *name;
        size_t parameters;
    } models[] = {{"stories260K", 260032},
                  {"tiny-llama3", 171456},
                  {"tiny-qwen2", 171840},
                  {"tiny-stablelm2", 217536}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        lcal__model_config config;
        if (lcal__model_open_config(shipped_path("%s", models[i].name), &config, &err) != LCAL_OK)
            fail_msg("%s", err.message);
        assert_int_equal(lcal__model_parameters(&config), models[i].parameters);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_family),
        cmocka_unit_test(keys_override_defaults),
        cmocka_unit_test(both_eras_say_the_same),
        cmocka_unit_test(broken_configs_are_refused),
        cmocka_unit_test(written_configs_read_back),
        cmocka_unit_test(the_papers_sizes_are_met),
        cmocka_unit_test(names_are_those_of_hugging_face),
        cmocka_unit_test(the_rotary_table_follows_the_formulas),
        cmocka_unit_test(shipped_configs_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
