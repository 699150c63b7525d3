#include <string.h>

#include "base/mem.h"
#include "format/json.h"
#include "fuzz.h"

lcal_error fuzz_error;

/* Whatever is accepted is written as text that reads as the same value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value = NULL, *again = NULL;
    char *text = NULL;
    fuzz_error = (lcal_error){0};
    if (lcal__json_parse((const char *)data, size, "input", &value, &fuzz_error) != LCAL_OK)
        return 0;
    if (json_is_object(value) || json_is_array(value)) {
        FUZZ_REQUIRE(lcal__json_write(value, &text, &fuzz_error) == LCAL_OK);
        FUZZ_REQUIRE(lcal__json_parse(text, strlen(text), "output", &again, &fuzz_error)
                     == LCAL_OK);
        FUZZ_REQUIRE(json_equal(value, again));
    }
    lcal__free(text);
    json_decref(again);
    json_decref(value);
    return 0;
}
