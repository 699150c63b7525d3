#include "format/yaml.h"
#include "fuzz.h"

lcal_error fuzz_error;

/* Kinds, texts and keys are where they belong, and the limits are kept. Returns the nodes. */
static size_t walk(const lcal__yaml *node, size_t depth)
{
    FUZZ_REQUIRE(node->kind == LCAL__YAML_SCALAR || depth < LCAL__YAML_DEPTH_MAX);
    FUZZ_REQUIRE((node->kind == LCAL__YAML_SCALAR) == (node->text != NULL));
    FUZZ_REQUIRE(node->line >= 1 && node->column >= 1);
    size_t count = 1;
    for (const lcal__yaml *child = node->first; child; child = child->next) {
        FUZZ_REQUIRE((node->kind == LCAL__YAML_MAP) == (child->key != NULL));
        count += walk(child, depth + 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal__yaml *root = NULL;
    fuzz_error = (lcal_error){0};
    if (lcal__yaml_parse((const char *)data, size, "input", &root, &fuzz_error) == LCAL_OK)
        FUZZ_REQUIRE(walk(root, 0) <= LCAL__YAML_NODES_MAX);
    lcal__yaml_close(&root);
    return 0;
}
