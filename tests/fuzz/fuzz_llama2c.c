#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "model/llama2c.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__model model;
    unsigned char *aligned = lcal__calloc(size, 1);
    fuzz_error = (lcal_error){0};
    if (aligned && size)
        memcpy(aligned, data, size);
    if (aligned && lcal__llama2c_parse(aligned, size, "input", &model, &fuzz_error) == LCAL_OK) {
        FUZZ_REQUIRE(lcal__model_visit(&model, touch, NULL, &fuzz_error) == LCAL_OK);
        lcal__model_close(&model);
    }
    lcal__free(aligned);
    return 0;
}
