#include "model/gguf_config.h"

#include <stdio.h>
#include <string.h>

#include "model/family.h"
#include "model/gguf_names.h"

#define LCAL_KEY_MAX 96
#define LCAL_ROPE_THETA 10000.0

/* A file's keys "ARCH.NAME". */
typedef struct keys {
    const lcal__gguf *file;
    const char *arch;
    lcal_error *err;
} keys;

static bool is(lcal__gguf_string string, const char *text)
{
    return string.length == strlen(text) && memcmp(string.text, text, string.length) == 0;
}

bool lcal__gguf_is_adapter(const lcal__gguf *file)
{
    lcal__gguf_string type = {"", 0};
    return lcal__gguf_get_string(file, "general.type", &type, NULL) == LCAL_OK
           && is(type, "adapter");
}

lcal_status lcal__gguf_arch(const lcal__gguf *file, lcal__arch *out, lcal_error *err)
{
    lcal__gguf_string name = {"", 0};
    char text[32];
    LCAL_TRY(lcal__gguf_get_string(file, "general.architecture", &name, err));
    snprintf(text, sizeof(text), "%.*s", name.length < sizeof(text) ? (int)name.length : 31,
             name.text);
    if (strlen(text) == name.length && lcal__family_find(text, out))
        return LCAL_OK;
    return lcal__fail(err, LCAL_UNSUPPORTED,
                      "%s: key general.architecture: expected llama, qwen2 or stablelm, found "
                      "\"%s\"",
                      file->source, text);
}

static const char *key_of(const keys *k, const char *name, char text[LCAL_KEY_MAX])
{
    snprintf(text, LCAL_KEY_MAX, "%s.%s", k->arch, name);
    return text;
}

/* Leaves *out as it is where the key is absent. */
static lcal_status get_size(const keys *k, const char *name, size_t *out)
{
    char text[LCAL_KEY_MAX];
    uint32_t value = 0;
    if (!lcal__gguf_find(k->file, key_of(k, name, text)))
        return LCAL_OK;
    LCAL_TRY(lcal__gguf_get_u32(k->file, text, &value, k->err));
    *out = value;
    return LCAL_OK;
}

static lcal_status need_size(const keys *k, const char *name, size_t *out)
{
    char text[LCAL_KEY_MAX];
    if (!lcal__gguf_find(k->file, key_of(k, name, text)))
        return lcal__fail(k->err, LCAL_FORMAT, "%s: key %s is missing", k->file->source, text);
    return get_size(k, name, out);
}

static lcal_status get_real(const keys *k, const char *name, double *out)
{
    char text[LCAL_KEY_MAX];
    return lcal__gguf_get_real(k->file, key_of(k, name, text), out, k->err);
}

/* A split model's parts hold only some of its tensors. */
static lcal_status refuse_parts(const lcal__gguf *file, lcal_error *err)
{
    uint32_t parts = 1;
    LCAL_TRY(lcal__gguf_get_u32(file, "split.count", &parts, err));
    if (parts <= 1)
        return LCAL_OK;
    return lcal__fail(err, LCAL_UNSUPPORTED,
                      "%s: one of %lu parts of a split model; join them first (llama-gguf-split "
                      "--merge)",
                      file->source, (unsigned long)parts);
}

static lcal_status read_extents(const keys *k, lcal__model_config *out)
{
    size_t value_length;
    LCAL_TRY(need_size(k, "context_length", &out->max_positions));
    LCAL_TRY(need_size(k, "embedding_length", &out->hidden));
    LCAL_TRY(need_size(k, "block_count", &out->layers));
    LCAL_TRY(need_size(k, "feed_forward_length", &out->ffn));
    LCAL_TRY(need_size(k, "attention.head_count", &out->heads));
    out->kv_heads = out->heads;
    LCAL_TRY(get_size(k, "attention.head_count_kv", &out->kv_heads));
    out->head_dim = out->heads ? out->hidden / out->heads : 0;
    value_length = out->head_dim;
    LCAL_TRY(get_size(k, "attention.key_length", &out->head_dim));
    LCAL_TRY(get_size(k, "attention.value_length", &value_length));
    if (value_length != out->head_dim)
        return lcal__fail(k->err, LCAL_UNSUPPORTED,
                          "%s: heads of %zu for keys and %zu for values: expected one width",
                          k->file->source, out->head_dim, value_length);
    const lcal__gguf_tensor *embedding = lcal__gguf_find_tensor(k->file, "token_embd.weight");
    if (!embedding)
        return lcal__fail(k->err, LCAL_FORMAT, "%s: missing tensor token_embd.weight: no model",
                          k->file->source);
    out->vocab = embedding->extent[1];
    return LCAL_OK;
}

static lcal_status read_rope(const keys *k, lcal__model_config *out)
{
    char text[LCAL_KEY_MAX];
    lcal__gguf_string type = {"none", 4};
    double factor = 0.0;
    out->rope.dims = out->head_dim;
    out->rope.theta = LCAL_ROPE_THETA;
    LCAL_TRY(get_size(k, "rope.dimension_count", &out->rope.dims));
    LCAL_TRY(get_real(k, "rope.freq_base", &out->rope.theta));
    LCAL_TRY(get_real(k, "rope.scale_linear", &factor)); /* before there were types */
    if (factor != 0.0)
        type = (lcal__gguf_string){"linear", 6};
    LCAL_TRY(lcal__gguf_get_string(k->file, key_of(k, "rope.scaling.type", text), &type, k->err));
    LCAL_TRY(get_real(k, "rope.scaling.factor", &factor));
    const bool scaled = is(type, "linear"),
               factors = lcal__gguf_find_tensor(k->file, LCAL__GGUF_ROPE_FACTORS);
    if ((!scaled && !is(type, "none")) || (scaled && factors))
        return lcal__fail(k->err, LCAL_UNSUPPORTED,
                          "%s: key %s: expected none or linear, and not together with the "
                          "tensor " LCAL__GGUF_ROPE_FACTORS ", found \"%.*s\"",
                          k->file->source, text, type.length < 100 ? (int)type.length : 100,
                          type.text);
    out->rope.kind = scaled ? LCAL__ROPE_LINEAR : factors ? LCAL__ROPE_FACTORS : LCAL__ROPE_DEFAULT;
    out->rope.factor = scaled ? factor : 0.0;
    return LCAL_OK;
}

static lcal_status read_norm(const keys *k, lcal__model_config *out)
{
    const char *name = out->norm == LCAL__NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                                   : "attention.layer_norm_epsilon";
    double epsilon = 0.0;
    char text[LCAL_KEY_MAX];
    if (!lcal__gguf_find(k->file, key_of(k, name, text)))
        return lcal__fail(k->err, LCAL_FORMAT, "%s: key %s is missing", k->file->source, text);
    LCAL_TRY(get_real(k, name, &epsilon));
    out->norm_eps = (float)epsilon;
    return LCAL_OK;
}

/* What the presence of tensors says; that of layer 0 stands for all. */
static void read_presence(const lcal__gguf *file, lcal__model_config *out)
{
    char name[LCAL__GGUF_NAME_MAX + 1];
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        lcal__gguf_module_name(0, p, "bias", name);
        out->bias[p] = lcal__gguf_find_tensor(file, name);
    }
    out->tied = !lcal__gguf_find_tensor(file, "output.weight");
    out->parallel_residual =
        out->arch == LCAL__ARCH_STABLELM && !lcal__gguf_find_tensor(file, "blk.0.ffn_norm.weight");
}

/* Tokens that end a text. */
static lcal_status read_ends(const lcal__gguf *file, lcal__model_config *out, lcal_error *err)
{
    static const char *const names[] = {"tokenizer.ggml.eos_token_id",
                                        "tokenizer.ggml.eot_token_id",
                                        "tokenizer.ggml.eom_token_id"};
    uint32_t id = UINT32_MAX;
    LCAL_TRY(lcal__gguf_get_u32(file, "tokenizer.ggml.bos_token_id", &id, err));
    out->bos = id < out->vocab ? (int64_t)id : -1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool known = false;
        id = UINT32_MAX;
        LCAL_TRY(lcal__gguf_get_u32(file, names[i], &id, err));
        for (size_t e = 0; e < out->eos_count; e++)
            known = known || out->eos[e] == (int64_t)id;
        if (id < out->vocab && !known)
            out->eos[out->eos_count++] = id;
    }
    return LCAL_OK;
}

lcal_status lcal__gguf_config(const lcal__gguf *file, lcal__model_config *out, lcal_error *err)
{
    lcal__model_config config = {.arch = LCAL__ARCH_LLAMA};
    if (lcal__gguf_is_adapter(file))
        return lcal__fail(err, LCAL_INVALID,
                          "%s: expected a model, found an adapter; give it with --adapter",
                          file->source);
    LCAL_TRY(lcal__gguf_arch(file, &config.arch, err));
    LCAL_TRY(refuse_parts(file, err));
    const keys k = {file, lcal__arch_name(config.arch), err};
    config.norm = lcal__family_of(config.arch)->norm;
    LCAL_TRY(read_extents(&k, &config));
    LCAL_TRY(read_rope(&k, &config));
    LCAL_TRY(read_norm(&k, &config));
    read_presence(file, &config);
    LCAL_TRY(read_ends(file, &config, err));
    LCAL_TRY(lcal__model_config_check(&config, file->source, err));
    *out = config;
    return LCAL_OK;
}
