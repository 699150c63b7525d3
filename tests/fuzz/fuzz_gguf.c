#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "model/gguf_adapter.h"
#include "model/gguf_model.h"

lcal_error fuzz_error;

static volatile unsigned char sink;

/* Every value of every tensor is there. */
static lcal_status touch(void *context, const char *name, size_t rows, size_t cols,
                         lcal__dtype dtype, const void *data, lcal_error *err)
{
    const unsigned char *bytes = data;
    (void)context;
    (void)name;
    (void)err;
    for (size_t i = 0; i < rows * cols * lcal__dtype_size(dtype); i++)
        sink ^= bytes[i];
    return LCAL_OK;
}

static void use_model(const lcal__model *model)
{
    float cosines[64], sines[64];
    FUZZ_REQUIRE(lcal__model_visit(model, touch, NULL, &fuzz_error) == LCAL_OK);
    if (model->config.rope.dims <= 2 * 64)
        lcal__rope_table(&model->config, 1, cosines, sines);
}

/* Of the shape that the seeds are made for. */
static lcal_status read_adapter(const lcal__gguf *file)
{
    const lcal__model_config base = {.arch = LCAL__ARCH_LLAMA,
                                     .layers = 1,
                                     .hidden = 4,
                                     .heads = 2,
                                     .kv_heads = 1,
                                     .head_dim = 2,
                                     .ffn = 4,
                                     .vocab = 3};
    lcal__adapter adapter;
    LCAL_TRY(lcal__gguf_adapter_fill(file, &base, &adapter, &fuzz_error));
    for (size_t i = 0; i < adapter.layers * LCAL__PROJ_COUNT; i++)
        if (adapter.pairs[i].a)
            sink ^= *(const unsigned char *)(adapter.pairs[i].a + adapter.pairs[i].rank * 4 - 1);
    lcal__adapter_close(&adapter);
    return LCAL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__gguf file;
    lcal__model model;
    unsigned char *aligned = lcal__calloc(size ? size : 1, 1);
    fuzz_error = (lcal_error){0};
    if (aligned && size)
        memcpy(aligned, data, size);
    if (aligned && lcal__gguf_parse(aligned, size, "input", &file, &fuzz_error) == LCAL_OK) {
        if (lcal__gguf_find(&file, "adapter.type")) {
            (void)read_adapter(&file);
        } else if (lcal__gguf_model_fill(&file, &model, &fuzz_error) == LCAL_OK) {
            use_model(&model);
            lcal__model_close(&model);
        }
        lcal__gguf_free(&file);
    }
    lcal__free(aligned);
    return 0;
}
