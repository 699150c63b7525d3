#include "fuzz.h"
#include "model/adapter_config.h"

#define LAYERS 2

lcal_error fuzz_error;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const modules[] = {"model.layers.0.self_attn.q_proj",
                                          "model.layers.1.mlp.down_proj", "lm_head"};
    lcal__adapter_config config;
    fuzz_error = (lcal_error){0};
    lcal_status status = lcal__adapter_config_parse((const char *)data, size, "input", LAYERS, NULL,
                                                    &config, &fuzz_error);
    for (size_t i = 0; status == LCAL_OK && i < sizeof(modules) / sizeof(modules[0]); i++) {
        FUZZ_REQUIRE(lcal__adapter_config_rank(&config, modules[i]) >= 1);
        (void)lcal__adapter_config_scale(&config, modules[i]);
        (void)lcal__adapter_config_targets(&config, i % LAYERS, modules[i]);
    }
    lcal__adapter_config_free(&config);
    return 0;
}
