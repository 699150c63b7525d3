#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "model/config.h"

lcal_error fuzz_error;

/* Whatever is accepted can be written, and reads as the same sizes. */
static void check_written(const lcal__model_config *config)
{
    char *text = NULL;
    lcal__model_config again;
    FUZZ_REQUIRE(lcal__model_config_write(config, "float32", &text, &fuzz_error) == LCAL_OK);
    FUZZ_REQUIRE(lcal__model_config_parse(text, strlen(text), "output", &again, &fuzz_error)
                 == LCAL_OK);
    FUZZ_REQUIRE(lcal__model_parameters(&again) == lcal__model_parameters(config));
    FUZZ_REQUIRE(again.arch == config->arch && again.rope.kind == config->rope.kind
                 && again.rope.dims == config->rope.dims);
    lcal__free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__model_config config;
    fuzz_error = (lcal_error){0};
    if (lcal__model_config_parse((const char *)data, size, "input", &config, &fuzz_error)
        == LCAL_OK)
        check_written(&config);
    return 0;
}
