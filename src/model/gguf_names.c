#include "model/gguf_names.h"

#include <stdio.h>
#include <string.h>

#define LCAL_LAYERS "model.layers."

static const char *const modules[LCAL__PROJ_COUNT] = {
    [LCAL__Q] = "attn_q",      [LCAL__K] = "attn_k",      [LCAL__V] = "attn_v",
    [LCAL__O] = "attn_output", [LCAL__GATE] = "ffn_gate", [LCAL__UP] = "ffn_up",
    [LCAL__DOWN] = "ffn_down",
};

/* Of the others, in a layer and outside. */
static const struct {
    const char *hf, *gguf;
} others[] = {
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
};

/* `length` bytes of name, without ".weight" or ".bias". */
static const char *translate(const char *name, size_t length)
{
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        const char *hf = lcal__proj_module(p);
        if (strlen(hf) == length && memcmp(hf, name, length) == 0)
            return modules[p];
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strlen(others[i].hf) == length && memcmp(others[i].hf, name, length) == 0)
            return others[i].gguf;
    return "";
}

void lcal__gguf_name(const char *hf, char out[LCAL__GGUF_NAME_MAX + 1])
{
    const char *ending = strrchr(hf, '.'), *module = hf;
    int layer_length = 0;
    const size_t prefix = strlen(LCAL_LAYERS);
    if (strncmp(hf, LCAL_LAYERS, prefix) == 0) {
        layer_length = (int)strcspn(hf + prefix, ".");
        module = hf + prefix + layer_length + 1;
    }
    snprintf(out, LCAL__GGUF_NAME_MAX + 1, "%s%.*s%s%s%s", layer_length ? "blk." : "", layer_length,
             layer_length ? hf + prefix : "", layer_length ? "." : "",
             translate(module, (size_t)(ending - module)), ending);
}

void lcal__gguf_module_name(size_t layer, lcal__proj proj, const char *ending,
                            char out[LCAL__GGUF_NAME_MAX + 1])
{
    snprintf(out, LCAL__GGUF_NAME_MAX + 1, "blk.%zu.%s.%s", layer, modules[proj], ending);
}

bool lcal__gguf_interleaves(lcal__arch arch, lcal__proj proj)
{
    return arch == LCAL__ARCH_LLAMA && (proj == LCAL__Q || proj == LCAL__K);
}

bool lcal__gguf_interleaves_slot(lcal__arch arch, const char *hf)
{
    return arch == LCAL__ARCH_LLAMA && (strstr(hf, ".q_proj.") || strstr(hf, ".k_proj."));
}
