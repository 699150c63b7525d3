#include <string.h>

#include "config/config.h"
#include "fuzz.h"

lcal_error fuzz_error;

/* Whatever is accepted is dumped as text that reads as the same configuration. */
static void check_dump(const lcal_config *config)
{
    char *text = NULL;
    const char *key = "";
    lcal_config *again = NULL;
    FUZZ_REQUIRE(lcal_config_dump(config, &text, &fuzz_error) == LCAL_OK);
    FUZZ_REQUIRE(lcal__config_parse(text, strlen(text), "dump", ".", NULL, 0, &again, &fuzz_error)
                 == LCAL_OK);
    FUZZ_REQUIRE(lcal__config_diff(config, again, &key, 1) == 0);
    lcal_config_close(&again);
    lcal_text_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Paths are looked at: the seeds name models and data of the shipped tests. */
    const char *tests = getenv("LCAL_TEST_SOURCE");
    lcal_config *config = NULL;
    fuzz_error = (lcal_error){0};
    if (lcal__config_parse((const char *)data, size, "input", tests ? tests : ".", NULL, 0, &config,
                           &fuzz_error)
        == LCAL_OK)
        check_dump(config);
    lcal_config_close(&config);
    return 0;
}
