/* A rule with its options as text: what is accepted prints and parses to the same. */
#include <string.h>

#include "base/mem.h"
#include "config/merge_rule.h"
#include "fuzz.h"

lcal_error fuzz_error;

/* "RULE, KEY VALUE, KEY VALUE" as "RULE:KEY=VALUE,KEY=VALUE", in place. */
static void respell(char *text)
{
    char *from = text, *to = text;
    for (bool first = true; *from; from++) {
        if (*from != ',') {
            *to++ = *from == ' ' ? '=' : *from;
            continue;
        }
        *to++ = first ? ':' : ',';
        first = false;
        from++; /* the space after it */
    }
    *to = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__merge_settings merge, again;
    lcal__strbuf text = {0};
    fuzz_error = (lcal_error){0};
    char *input = lcal__strndup((const char *)data, size);
    if (!input)
        return 0;
    if (lcal__merge_parse(input, "input", &merge, &fuzz_error) == LCAL_OK) {
        lcal__merge_print(&merge, &text);
        FUZZ_REQUIRE(!text.failed);
        respell(text.text);
        FUZZ_REQUIRE(lcal__merge_parse(text.text, "print", &again, &fuzz_error) == LCAL_OK);
        FUZZ_REQUIRE(again.method == merge.method && lcal__merge_equal(&merge, &again));
        lcal__strbuf_free(&text);
    } else {
        FUZZ_REQUIRE(fuzz_error.status == LCAL_CONFIG && fuzz_error.message[0]);
    }
    lcal__free(input);
    return 0;
}
