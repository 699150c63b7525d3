#include "base/mem.h"
#include "data/tokenizer_cache.h"
#include "fuzz.h"

lcal_error fuzz_error;

#define KEY_START 8
#define SUM_START (KEY_START + LCAL__SHA256_BYTES)
#define BODY_START (SUM_START + LCAL__SHA256_BYTES)

/* What was read can tokenise, and its ids are below its size. */
static void use(const lcal__tokenizer *tokenizer)
{
    static const char text[] = "ab hello <s> 12345 \xC3\xA9 \xFF ba\n";
    const lcal__encode_options options = {.parse_special = true, .add_special = true};
    int32_t *ids = NULL;
    size_t count = 0, capacity = 0;
    if (lcal__tokenizer_encode(tokenizer, text, sizeof(text) - 1, &options, &ids, &count, &capacity,
                               NULL)
        == LCAL_OK)
        for (size_t i = 0; i < count; i++)
            FUZZ_REQUIRE(ids[i] >= 0 && (size_t)ids[i] < lcal__tokenizer_size(tokenizer));
    lcal__free(ids);
}

/* The checksum is made to fit, as a hostile writer would; a seed that is refused is so for another
 * reason. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__tokenizer *tokenizer = NULL;
    unsigned char *file = lcal__calloc(size, 1), key[LCAL__SHA256_BYTES] = {0};
    fuzz_error = (lcal_error){0};
    if (!file || lcal__tokenizer_new(&tokenizer, NULL) != LCAL_OK) {
        lcal__free(file);
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        file[i] = data[i];
    if (size > BODY_START)
        (void)lcal__sha256_bytes(file + BODY_START, size - BODY_START, file + SUM_START, NULL);
    if (lcal__tokenizer_cache_unpack(tokenizer, file, size, key, "input", &fuzz_error) == LCAL_OK
        && lcal__tokenizer_finish(tokenizer, "input", &fuzz_error) == LCAL_OK)
        use(tokenizer);
    lcal__tokenizer_close(&tokenizer);
    lcal__free(file);
    return 0;
}
