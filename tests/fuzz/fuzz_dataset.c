#include "data/dataset.h"
#include "fuzz.h"

#define VOCAB 512

lcal_error fuzz_error;

static void check(const lcal__dataset *dataset, const lcal__dataset_options *options)
{
    size_t tokens = 0, counted = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        const lcal__example *example = &dataset->examples[i];
        FUZZ_REQUIRE(example->length > 0 && example->labels[0] == LCAL__LABEL_IGNORE);
        FUZZ_REQUIRE(!options->max_length || example->length <= options->max_length);
        for (size_t t = 0; t < example->length; t++) {
            FUZZ_REQUIRE(example->ids[t] >= 0 && example->ids[t] < VOCAB);
            FUZZ_REQUIRE(example->labels[t] < VOCAB);
            counted += example->labels[t] != LCAL__LABEL_IGNORE;
        }
        tokens += example->length;
    }
    FUZZ_REQUIRE(tokens == dataset->tokens && counted == dataset->counted);
    FUZZ_REQUIRE(dataset->read
                 == dataset->count + dataset->dropped_overlong + dataset->dropped_empty);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const lcal__dataset_options options[] = {
        {.vocab = VOCAB, .max_length = 8, .overlong = LCAL__OVERLONG_DROP},
        {.vocab = VOCAB, .max_length = 8, .overlong = LCAL__OVERLONG_TRUNCATE},
        {.vocab = VOCAB, .overlong = LCAL__OVERLONG_ERROR, .keep_empty = true},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        lcal__dataset dataset = {0};
        fuzz_error = (lcal_error){0};
        if (lcal__dataset_parse(data, size, "input", &options[i], &dataset, &fuzz_error) == LCAL_OK)
            check(&dataset, &options[i]);
        lcal__dataset_free(&dataset);
    }
    return 0;
}
