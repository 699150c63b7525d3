/* Makes the seeds of fuzz_calib: make_calib FILE... writes a calibration to each. What it holds is
 * chosen by the words in the file's name: method, "plain" for an image without its seal, format by
 * its ending. Made when they are needed, so that they follow the format. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/file.h"
#include "format/hdf5_internal.h"

#define SEED 7
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const lcal__model_config config = {.arch = LCAL__ARCH_LLAMA,
                                          .layers = 2,
                                          .hidden = 8,
                                          .heads = 2,
                                          .kv_heads = 1,
                                          .head_dim = 4,
                                          .ffn = 12,
                                          .vocab = 16};

static lcal__calib_spec spec_of(const char *name)
{
    lcal__calib_spec spec = {.method = LCAL__METHOD_LC, .scale = 1.0, .rank = 2};
    spec.targets = 1u << LCAL__Q | 1u << LCAL__DOWN;
    if (strstr(name, "lcpp"))
        spec.method = LCAL__METHOD_LCPP;
    else if (strstr(name, "lora"))
        spec.method = LCAL__METHOD_LORA;
    else if (strstr(name, "columns"))
        spec.method = LCAL__METHOD_COLUMNS;
    return spec;
}

/* Cuts the seal off a finished image. */
static lcal_status unseal(const char *path, lcal_error *err)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    LCAL_TRY(lcal__file_read(path, (size_t)1 << 20, &bytes, &size, err));
    lcal_status status = lcal__file_replace(path, bytes, size - LCAL__H5_SEAL_BYTES, err);
    lcal__free(bytes);
    return status;
}

static lcal_status save(const char *path, const char *name, const lcal__params *params,
                        const lcal__calib_spec *spec, lcal_error *err)
{
    char adapter_name[] = "lora_a";
    lcal__calib_adapter adapter = {.name = adapter_name, .sha256 = SHA256, .weight = 0.5};
    const lcal__calib_facts facts = {.spec = *spec,
                                     .config = config,
                                     .base_sha256 = SHA256,
                                     .adapters = &adapter,
                                     .adapter_count = 1,
                                     .seed = SEED,
                                     .valid_loss = NAN};
    if (strstr(name, ".safetensors"))
        return lcal__calib_save_safetensors(path, &facts, params, params->values, LCAL__STORE_BF16,
                                            err);
    LCAL_TRY(lcal__calib_save_h5(path, &facts, params, params->values, LCAL__STORE_F16, err));
    return strstr(name, "plain") ? unseal(path, err) : LCAL_OK;
}

static lcal_status make(const char *path, lcal_error *err)
{
    static const float present;
    lcal__lora_pair pairs[2 * LCAL__PROJ_COUNT] = {0};
    const lcal__adapter adapter = {.layers = 2, .pairs = pairs};
    const lcal__adapter_use use = {.adapter = &adapter, .weight = 0.5f};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const lcal__calib_spec spec = spec_of(name);
    lcal__params params = {0};
    pairs[LCAL__Q].a = &present;
    lcal_status status = lcal__calib_layout(&spec, &config, &use, 1, &params, err);
    if (status == LCAL_OK)
        status = lcal__params_allocate(&params, err);
    if (status == LCAL_OK) {
        lcal__calib_init(&spec, SEED, &params);
        status = save(path, name, &params, &spec, err);
    }
    lcal__params_free(&params);
    return status;
}

int main(int argc, char **argv)
{
    lcal_error err = {0};
    for (int i = 1; i < argc; i++)
        if (make(argv[i], &err) != LCAL_OK) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
    return 0;
}
