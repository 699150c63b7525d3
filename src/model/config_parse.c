#include <stdint.h>
#include <string.h>

#include "format/json.h"
#include "model/family.h"

/* What the helpers below read from: one config.json. */
typedef struct reader {
    const json_t *root;
    const json_t *rope; /* rope_parameters (v5) or rope_scaling (v4), NULL where neither is given */
    const char *source;
    lcal_error *err;
} reader;

static lcal_status missing(const reader *in, const char *key)
{
    return lcal__fail(in->err, LCAL_FORMAT, "%s: key %s: missing", in->source, key);
}

static lcal_status read_required(const reader *in, const char *key, size_t *out)
{
    if (!json_object_get(in->root, key) || json_is_null(json_object_get(in->root, key)))
        return missing(in, key);
    return lcal__json_size(in->root, in->source, key, 1, INT32_MAX, out, in->err);
}

static lcal_status read_switch(const reader *in, lcal__switch from, bool *out)
{
    *out = from.fallback;
    return from.key ? lcal__json_bool(in->root, in->source, from.key, out, in->err) : LCAL_OK;
}

static lcal_status read_arch(const reader *in, lcal__model_config *out)
{
    const char *type = NULL;
    LCAL_TRY(lcal__json_string(in->root, in->source, "model_type", &type, in->err));
    if (!type)
        return missing(in, "model_type");
    if (!lcal__family_find(type, &out->arch))
        return lcal__fail(in->err, LCAL_UNSUPPORTED,
                          "%s: key model_type: expected llama, qwen2 or stablelm, found %s",
                          in->source, type);
    return LCAL_OK;
}

/* What would be computed wrongly if it were ignored. */
static lcal_status refuse_features(const reader *in, const lcal__family *family)
{
    const char *activation = "silu";
    LCAL_TRY(lcal__json_string(in->root, in->source, "hidden_act", &activation, in->err));
    if (strcmp(activation, "silu") != 0)
        return lcal__fail(in->err, LCAL_UNSUPPORTED, "%s: key hidden_act: expected silu, found %s",
                          in->source, activation);
    if (family->refused_key) {
        bool refused = false;
        LCAL_TRY(lcal__json_bool(in->root, in->source, family->refused_key, &refused, in->err));
        if (refused)
            return lcal__fail(in->err, LCAL_UNSUPPORTED, "%s: key %s: %s is not supported",
                              in->source, family->refused_key, family->refused_why);
    }
    if (json_is_object(json_object_get(in->root, "quantization_config")))
        return lcal__fail(in->err, LCAL_UNSUPPORTED,
                          "%s: key quantization_config: quantised weights are not read; use the "
                          "model's F32, F16 or BF16 files",
                          in->source);
    const json_t *types = json_object_get(in->root, "layer_types");
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *type = json_string_value(json_array_get(types, i));
        if (!type || strcmp(type, "full_attention") != 0)
            return lcal__fail(in->err, LCAL_UNSUPPORTED,
                              "%s: key layer_types: expected full_attention, found %s in layer %zu",
                              in->source, type ? type : "no name", i);
    }
    return LCAL_OK;
}

static lcal_status read_extents(const reader *in, const lcal__family *family,
                                lcal__model_config *out)
{
    LCAL_TRY(read_required(in, "num_hidden_layers", &out->layers));
    LCAL_TRY(read_required(in, "hidden_size", &out->hidden));
    LCAL_TRY(read_required(in, "num_attention_heads", &out->heads));
    LCAL_TRY(read_required(in, "intermediate_size", &out->ffn));
    LCAL_TRY(read_required(in, "vocab_size", &out->vocab));
    out->kv_heads = out->heads;
    LCAL_TRY(lcal__json_size(in->root, in->source, "num_key_value_heads", 1, INT32_MAX,
                             &out->kv_heads, in->err));
    out->max_positions = family->max_positions;
    LCAL_TRY(lcal__json_size(in->root, in->source, "max_position_embeddings", 1, INT32_MAX,
                             &out->max_positions, in->err));

    size_t given = 0;
    LCAL_TRY(lcal__json_size(in->root, in->source, "head_dim", 1, INT32_MAX, &given, in->err));
    bool divides = out->hidden % out->heads == 0;
    if (given == 0 && !divides)
        return lcal__fail(in->err, LCAL_FORMAT,
                          "%s: key hidden_size: expected a multiple of the %zu heads, found %zu",
                          in->source, out->heads, out->hidden);
    out->head_dim = given ? given : out->hidden / out->heads;
    if (!family->has_head_dim && (!divides || out->head_dim != out->hidden / out->heads))
        return lcal__fail(in->err, LCAL_UNSUPPORTED,
                          "%s: key head_dim: %s has only hidden_size / num_attention_heads, found "
                          "%zu",
                          in->source, family->model_type, given);
    return LCAL_OK;
}

static lcal_status read_switches(const reader *in, const lcal__family *family,
                                 lcal__model_config *out)
{
    bool qkv, o, mlp;
    LCAL_TRY(read_switch(in, family->qkv_bias, &qkv));
    LCAL_TRY(read_switch(in, family->o_bias, &o));
    LCAL_TRY(read_switch(in, family->mlp_bias, &mlp));
    out->bias[LCAL__Q] = out->bias[LCAL__K] = out->bias[LCAL__V] = qkv;
    out->bias[LCAL__O] = o;
    out->bias[LCAL__GATE] = out->bias[LCAL__UP] = out->bias[LCAL__DOWN] = mlp;
    LCAL_TRY(read_switch(in, family->parallel_residual, &out->parallel_residual));
    return read_switch(in, (lcal__switch){"tie_word_embeddings", false}, &out->tied);
}

/* v5 keeps rope keys in rope_parameters, v4 some of them at top level: the inner one counts. */
static lcal_status read_rope_real(const reader *in, const char *key, double *out)
{
    LCAL_TRY(lcal__json_real(in->root, in->source, key, out, in->err));
    return lcal__json_real(in->rope, in->source, key, out, in->err);
}

static lcal_status read_scaling_real(const reader *in, const char *key, double *out)
{
    if (!json_is_number(json_object_get(in->rope, key)))
        return lcal__fail(in->err, LCAL_FORMAT,
                          "%s: key %s of the rope scaling: expected a number, found %s", in->source,
                          key, lcal__json_type(json_object_get(in->rope, key)));
    return lcal__json_real(in->rope, in->source, key, out, in->err);
}

static lcal_status read_rope_scaling(const reader *in, lcal__model_config *out)
{
    const char *type = NULL;
    LCAL_TRY(lcal__json_string(in->rope, in->source, "type", &type, in->err));
    LCAL_TRY(lcal__json_string(in->rope, in->source, "rope_type", &type, in->err));
    if (!type && json_object_get(in->rope, "factor"))
        return missing(in, "rope_type");
    if (!type || strcmp(type, "default") == 0) {
        out->rope.kind = LCAL__ROPE_DEFAULT;
        return LCAL_OK;
    }
    if (strcmp(type, "linear") == 0) {
        out->rope.kind = LCAL__ROPE_LINEAR;
        return read_scaling_real(in, "factor", &out->rope.factor);
    }
    if (strcmp(type, "llama3") != 0)
        return lcal__fail(in->err, LCAL_UNSUPPORTED,
                          "%s: key rope_type: expected default, linear or llama3, found %s",
                          in->source, type);
    out->rope.kind = LCAL__ROPE_LLAMA3;
    LCAL_TRY(read_scaling_real(in, "factor", &out->rope.factor));
    LCAL_TRY(read_scaling_real(in, "low_freq_factor", &out->rope.low_freq_factor));
    LCAL_TRY(read_scaling_real(in, "high_freq_factor", &out->rope.high_freq_factor));
    return read_scaling_real(in, "original_max_position_embeddings", &out->rope.original_positions);
}

static lcal_status find_rope(reader *in)
{
    const char *key = "rope_parameters";
    json_t *rope = json_object_get(in->root, key);
    if (!rope || json_is_null(rope)) {
        key = "rope_scaling";
        rope = json_object_get(in->root, key);
    }
    if (!rope || json_is_null(rope))
        return LCAL_OK;
    if (!json_is_object(rope))
        return lcal__fail(in->err, LCAL_FORMAT, "%s: key %s: expected an object, found %s",
                          in->source, key, lcal__json_type(rope));
    for (void *i = json_object_iter(rope); i; i = json_object_iter_next(rope, i))
        if (json_is_object(json_object_iter_value(i)))
            return lcal__fail(in->err, LCAL_UNSUPPORTED,
                              "%s: key %s: parameters of their own for %s layers are not supported",
                              in->source, key, json_object_iter_key(i));
    in->rope = rope;
    return LCAL_OK;
}

static lcal_status read_rope(reader *in, const lcal__family *family, lcal__model_config *out)
{
    LCAL_TRY(find_rope(in));
    out->rope.theta = 10000.0;
    LCAL_TRY(read_rope_real(in, "rope_theta", &out->rope.theta));
    LCAL_TRY(read_rope_scaling(in, out));

    double part = family->partial_rotary;
    LCAL_TRY(read_rope_real(in, "partial_rotary_factor", &part));
    if (!(part > 0.0 && part <= 1.0))
        return lcal__fail(
            in->err, LCAL_FORMAT,
            "%s: key partial_rotary_factor: expected a number above 0, up to 1, found "
            "%g",
            in->source, part);
    if (part != 1.0 && !family->has_partial_rotary)
        return lcal__fail(in->err, LCAL_UNSUPPORTED,
                          "%s: key partial_rotary_factor: %s rotates whole heads, found %g",
                          in->source, family->model_type, part);
    out->rope.dims = (size_t)((double)out->head_dim * part);
    return LCAL_OK;
}

/* One token id; -1, as some files say for "none", is none. */
static lcal_status read_token(const reader *in, const char *key, const json_t *value, int64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < -1
        || json_integer_value(value) > INT32_MAX)
        return lcal__fail(
            in->err, LCAL_FORMAT, "%s: key %s: expected a token id, found %s", in->source, key,
            json_is_integer(value) ? "a number out of range" : lcal__json_type(value));
    *out = (int64_t)json_integer_value(value);
    return LCAL_OK;
}

static lcal_status add_eos(const reader *in, const json_t *value, lcal__model_config *out)
{
    int64_t token = -1;
    LCAL_TRY(read_token(in, "eos_token_id", value, &token));
    if (token < 0)
        return LCAL_OK;
    if (out->eos_count == LCAL__EOS_MAX)
        return lcal__fail(in->err, LCAL_UNSUPPORTED, "%s: key eos_token_id: more than %d tokens",
                          in->source, LCAL__EOS_MAX);
    out->eos[out->eos_count++] = token;
    return LCAL_OK;
}

static lcal_status read_tokens(const reader *in, lcal__model_config *out)
{
    const json_t *bos = json_object_get(in->root, "bos_token_id");
    const json_t *eos = json_object_get(in->root, "eos_token_id");
    out->bos = -1;
    if (bos && !json_is_null(bos))
        LCAL_TRY(read_token(in, "bos_token_id", bos, &out->bos));
    if (!json_is_array(eos))
        return eos && !json_is_null(eos) ? add_eos(in, eos, out) : LCAL_OK;
    for (size_t i = 0; i < json_array_size(eos); i++)
        LCAL_TRY(add_eos(in, json_array_get(eos, i), out));
    return LCAL_OK;
}

static lcal_status read_config(reader *in, lcal__model_config *out)
{
    if (!json_is_object(in->root))
        return lcal__fail(in->err, LCAL_FORMAT, "%s: expected a JSON object, found %s", in->source,
                          lcal__json_type(in->root));
    LCAL_TRY(read_arch(in, out));
    const lcal__family *family = lcal__family_of(out->arch);
    LCAL_TRY(refuse_features(in, family));
    LCAL_TRY(read_extents(in, family, out));
    LCAL_TRY(read_switches(in, family, out));
    out->norm = family->norm;
    double eps = family->norm_eps;
    LCAL_TRY(lcal__json_real(in->root, in->source, family->norm_eps_key, &eps, in->err));
    out->norm_eps = (float)eps;
    LCAL_TRY(read_rope(in, family, out));
    LCAL_TRY(read_tokens(in, out));
    return lcal__model_config_check(out, in->source, in->err);
}

lcal_status lcal__model_config_parse(const char *text, size_t size, const char *source,
                                     lcal__model_config *out, lcal_error *err)
{
    json_t *root = NULL;
    LCAL_TRY(lcal__json_parse(text, size, source, &root, err));
    reader in = {.root = root, .source = source, .err = err};
    lcal__model_config config = {0};
    lcal_status status = read_config(&in, &config);
    if (status == LCAL_OK)
        *out = config;
    json_decref(root);
    return status;
}
