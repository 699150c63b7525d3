#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/json.h"
#include "model/family.h"

/* The shortest decimal number that is this float: 1e-05 and not 9.99999974e-06. */
static double shortest(float value)
{
    char text[32];
    double read = value;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        read = strtod(text, NULL);
        if ((float)read == value)
            break;
    }
    return read;
}

/* Puts a new value, remembering in *failed that one could not be made. */
static void put(json_t *object, const char *key, json_t *value, bool *failed)
{
    if (json_object_set_new(object, key, value) != 0)
        *failed = true;
}

static void put_size(json_t *object, const char *key, size_t value, bool *failed)
{
    put(object, key, json_integer((json_int_t)value), failed);
}

static void put_switch(json_t *object, lcal__switch key, bool value, bool *failed)
{
    if (key.key)
        put(object, key.key, json_boolean(value), failed);
}

static json_t *rope_scaling(const lcal__model_config *config, bool *failed)
{
    json_t *rope = json_object();
    bool llama3 = config->rope.kind == LCAL__ROPE_LLAMA3;
    put(rope, "rope_type", json_string(llama3 ? "llama3" : "linear"), failed);
    put(rope, "factor", json_real(config->rope.factor), failed);
    if (llama3) {
        put(rope, "low_freq_factor", json_real(config->rope.low_freq_factor), failed);
        put(rope, "high_freq_factor", json_real(config->rope.high_freq_factor), failed);
        put(rope, "original_max_position_embeddings",
            json_integer((json_int_t)config->rope.original_positions), failed);
    }
    return rope;
}

static void put_tokens(json_t *root, const lcal__model_config *config, bool *failed)
{
    if (config->bos >= 0)
        put(root, "bos_token_id", json_integer(config->bos), failed);
    if (config->eos_count == 1)
        put(root, "eos_token_id", json_integer(config->eos[0]), failed);
    if (config->eos_count <= 1)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < config->eos_count; i++)
        if (json_array_append_new(list, json_integer(config->eos[i])) != 0)
            *failed = true;
    put(root, "eos_token_id", list, failed);
}

/* The factor that readers, who truncate head_dim * factor, turn into exactly these dimensions. */
static double partial_rotary(const lcal__model_config *config)
{
    double factor = (double)config->rope.dims / (double)config->head_dim;
    if ((size_t)((double)config->head_dim * factor) < config->rope.dims)
        factor = nextafter(factor, 1.0);
    return factor;
}

/* The v4 spelling, which every version of transformers reads. */
lcal_status lcal__model_config_write(const lcal__model_config *config, const char *dtype,
                                     char **text, lcal_error *err)
{
    const lcal__family *family = lcal__family_of(config->arch);
    bool failed = false;
    if (config->rope.kind == LCAL__ROPE_FACTORS)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "config.json: frequencies of rotation with a factor each cannot be "
                          "written there; export from the directory the GGUF file was made of");
    json_t *root = json_object(), *names = json_array();
    if (json_array_append_new(names, json_string(family->architecture)) != 0)
        failed = true;
    put(root, "architectures", names, &failed);
    put(root, "model_type", json_string(family->model_type), &failed);
    put(root, "torch_dtype", json_string(dtype), &failed);
    put(root, "hidden_act", json_string("silu"), &failed);
    put_size(root, "num_hidden_layers", config->layers, &failed);
    put_size(root, "hidden_size", config->hidden, &failed);
    put_size(root, "num_attention_heads", config->heads, &failed);
    put_size(root, "num_key_value_heads", config->kv_heads, &failed);
    if (family->has_head_dim)
        put_size(root, "head_dim", config->head_dim, &failed);
    put_size(root, "intermediate_size", config->ffn, &failed);
    put_size(root, "vocab_size", config->vocab, &failed);
    put_size(root, "max_position_embeddings", config->max_positions, &failed);
    put(root, family->norm_eps_key, json_real(shortest(config->norm_eps)), &failed);
    put(root, "rope_theta", json_real(config->rope.theta), &failed);
    if (config->rope.kind != LCAL__ROPE_DEFAULT)
        put(root, "rope_scaling", rope_scaling(config, &failed), &failed);
    if (family->has_partial_rotary)
        put(root, "partial_rotary_factor", json_real(partial_rotary(config)), &failed);
    put_switch(root, family->qkv_bias, config->bias[LCAL__Q], &failed);
    put_switch(root, family->mlp_bias, config->bias[LCAL__GATE], &failed);
    put_switch(root, family->parallel_residual, config->parallel_residual, &failed);
    put(root, "tie_word_embeddings", json_boolean(config->tied), &failed);
    put_tokens(root, config, &failed);

    lcal_status status =
        failed ? lcal__fail_nomem(err, "config.json") : lcal__json_write(root, text, err);
    json_decref(root);
    return status;
}
