#include <string.h>

#include "fuzz.h"
#include "methods/kept.h"

lcal_error fuzz_error;

/* Whatever the file holds, what is taken from it are answers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__kept kept = {0};
    fuzz_error = (lcal_error){0};
    FUZZ_REQUIRE(lcal__kept_parse(data, size, "this", &kept, &fuzz_error) == LCAL_OK);
    for (size_t i = 0; i < kept.count; i++) {
        FUZZ_REQUIRE(kept.items[i].text != NULL);
        FUZZ_REQUIRE(strlen(kept.items[i].prompt) < sizeof(kept.items[i].prompt));
        FUZZ_REQUIRE(lcal__finish_name(kept.items[i].finish) != NULL);
    }
    lcal__kept_free(&kept);
    return 0;
}
