#include "format/safetensors.h"
#include "fuzz.h"

lcal_error fuzz_error;

/* Every tensor's data lies in the input, where the address sanitizer watches its edges. */
static void touch(const lcal__safetensors *file, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < file->count; i++) {
        const lcal__tensor *tensor = &file->tensors[i];
        size_t bytes = tensor->elements * lcal__dtype_size(tensor->dtype);
        FUZZ_REQUIRE(tensor->data >= data && tensor->data <= data + size);
        FUZZ_REQUIRE(bytes <= (size_t)(data + size - tensor->data));
        FUZZ_REQUIRE(lcal__safetensors_find(file, tensor->name) == tensor);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__safetensors file = {0};
    fuzz_error = (lcal_error){0};
    if (lcal__safetensors_parse(data, size, "input", &file, &fuzz_error) == LCAL_OK) {
        touch(&file, data, size);
        (void)lcal__safetensors_metadata(&file, "format");
    }
    lcal__safetensors_free(&file);
    return 0;
}
