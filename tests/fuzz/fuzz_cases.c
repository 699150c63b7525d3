#include "eval/cases.h"
#include "fuzz.h"

lcal_error fuzz_error;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__cases cases = {0};
    fuzz_error = (lcal_error){0};
    if (lcal__cases_parse(data, size, "input", 0, &cases, &fuzz_error) != LCAL_OK) {
        FUZZ_REQUIRE(cases.count == 0 && !cases.items);
        return 0;
    }
    FUZZ_REQUIRE(cases.count > 0);
    for (size_t i = 0; i < cases.count; i++) {
        FUZZ_REQUIRE(cases.items[i].message_count > 0 && cases.items[i].reference_count > 0);
        FUZZ_REQUIRE(lcal__case_question(&cases.items[i]) != NULL);
        for (size_t k = 0; k < cases.items[i].reference_count; k++)
            FUZZ_REQUIRE(cases.items[i].references[k] != NULL);
    }
    lcal__cases_free(&cases);
    return 0;
}
