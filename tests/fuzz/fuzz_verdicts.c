#include <math.h>

#include "eval/verdicts.h"
#include "fuzz.h"

#define ANSWERS 3

lcal_error fuzz_error;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__verdicts verdicts = {0};
    fuzz_error = (lcal_error){0};
    if (lcal__verdicts_parse(data, size, "input", ANSWERS, &verdicts, &fuzz_error) != LCAL_OK) {
        FUZZ_REQUIRE(verdicts.count == 0 && !verdicts.values);
        return 0;
    }
    FUZZ_REQUIRE(verdicts.count == ANSWERS && verdicts.name_count > 0);
    for (size_t i = 0; i < ANSWERS * verdicts.name_count; i++)
        FUZZ_REQUIRE(isfinite(verdicts.values[i]));
    lcal__verdicts_free(&verdicts);
    return 0;
}
