#include "model/family.h"

#include <string.h>

/* Fallbacks are those of the configuration classes of Hugging Face transformers. */
static const lcal__family families[] = {
    [LCAL__ARCH_LLAMA] =
        {
            .model_type = "llama",
            .architecture = "LlamaForCausalLM",
            .norm = LCAL__NORM_RMS,
            .norm_eps_key = "rms_norm_eps",
            .norm_eps = 1e-6,
            .qkv_bias = {"attention_bias", false},
            .o_bias = {"attention_bias", false},
            .mlp_bias = {"mlp_bias", false},
            .max_positions = 2048,
            .partial_rotary = 1.0,
            .has_head_dim = true,
        },
    [LCAL__ARCH_QWEN2] =
        {
            .model_type = "qwen2",
            .architecture = "Qwen2ForCausalLM",
            .norm = LCAL__NORM_RMS,
            .norm_eps_key = "rms_norm_eps",
            .norm_eps = 1e-6,
            .qkv_bias = {NULL, true},
            .max_positions = 32768,
            .partial_rotary = 1.0,
            .has_head_dim = true,
            .refused_key = "use_sliding_window",
            .refused_why = "attention over a sliding window",
        },
    [LCAL__ARCH_STABLELM] =
        {
            .model_type = "stablelm",
            .architecture = "StableLmForCausalLM",
            .norm = LCAL__NORM_LAYER,
            .norm_eps_key = "layer_norm_eps",
            .norm_eps = 1e-5,
            .qkv_bias = {"use_qkv_bias", false},
            .parallel_residual = {"use_parallel_residual", false},
            .max_positions = 4096,
            .partial_rotary = 0.25,
            .has_partial_rotary = true,
            .refused_key = "qk_layernorm",
            .refused_why = "a norm of every query and key head",
        },
};

const lcal__family *lcal__family_of(lcal__arch arch)
{
    return &families[arch];
}

bool lcal__family_find(const char *model_type, lcal__arch *out)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (strcmp(model_type, families[i].model_type) == 0) {
            *out = (lcal__arch)i;
            return true;
        }
    return false;
}

const char *lcal__arch_name(lcal__arch arch)
{
    return families[arch].model_type;
}
