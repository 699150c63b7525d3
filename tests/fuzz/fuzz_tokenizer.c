#include "base/mem.h"
#include "data/tokenizer.h"
#include "fuzz.h"

lcal_error fuzz_error;

/* What was read can tokenise, and its ids are below its size. */
static void use(const lcal__tokenizer *tokenizer)
{
    static const char text[] = "ab hello <s> 12345 \xC3\xA9 \xFF ba\n";
    const lcal__encode_options options = {.parse_special = true, .add_special = true};
    int32_t *ids = NULL;
    size_t count = 0, capacity = 0, length = 0;
    char *decoded = NULL;
    if (lcal__tokenizer_encode(tokenizer, text, sizeof(text) - 1, &options, &ids, &count, &capacity,
                               NULL)
        == LCAL_OK) {
        for (size_t i = 0; i < count; i++)
            FUZZ_REQUIRE(ids[i] >= 0 && (size_t)ids[i] < lcal__tokenizer_size(tokenizer));
        FUZZ_REQUIRE(
            lcal__tokenizer_decode(tokenizer, ids, count, false, &decoded, &length, &fuzz_error)
            == LCAL_OK);
    }
    lcal__free(decoded);
    lcal__free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__tokenizer *tokenizer = NULL;
    fuzz_error = (lcal_error){0};
    if (lcal__tokenizer_parse(data, size, "input", &tokenizer, &fuzz_error) == LCAL_OK)
        use(tokenizer);
    lcal__tokenizer_close(&tokenizer);
    return 0;
}
