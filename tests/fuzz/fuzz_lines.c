#include <string.h>

#include "format/lines.h"
#include "fuzz.h"

lcal_error fuzz_error;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__lines *lines = NULL;
    const char *text = NULL;
    size_t length = 0, count = 0;
    fuzz_error = (lcal_error){0};
    if (lcal__lines_open(data, size, "input", &lines, &fuzz_error) != LCAL_OK)
        return 0;
    while (lcal__lines_next(lines, &text, &length, &fuzz_error) == LCAL_OK && text) {
        FUZZ_REQUIRE(lcal__lines_number(lines) == ++count);
        FUZZ_REQUIRE(length <= LCAL__LINE_MAX && text[length] == '\0');
        FUZZ_REQUIRE(!memchr(text, '\n', length));
    }
    lcal__lines_close(&lines);
    return 0;
}
