#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "lcal/prompts.h"

lcal_error fuzz_error;

static void check(const lcal_prompt *prompt)
{
    FUZZ_REQUIRE(prompt->count > 0);
    for (size_t i = 0; i < prompt->count; i++) {
        const lcal_message *message = &prompt->messages[i];
        FUZZ_REQUIRE(strcmp(message->role, "system") == 0 || strcmp(message->role, "user") == 0
                     || strcmp(message->role, "assistant") == 0);
        FUZZ_REQUIRE(lcal__utf8_all(message->text, strlen(message->text)));
    }
    FUZZ_REQUIRE(strcmp(prompt->messages[prompt->count - 1].role, "assistant") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal_prompts *prompts = NULL;
    fuzz_error = (lcal_error){0};
    if (lcal_prompts_parse(data, size, "input", &prompts, &fuzz_error) != LCAL_OK)
        return 0;
    size_t count;
    const lcal_prompt *items = lcal_prompts_items(prompts, &count);
    FUZZ_REQUIRE(count > 0);
    for (size_t i = 0; i < count; i++)
        check(&items[i]);
    lcal_prompts_close(&prompts);
    return 0;
}
