#include "model/adapter_names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LCAL_PREFIX "base_model.model."
#define LCAL_LAYERS "model.layers."

/* What follows a module's name, and what it means: a part of a pair, or why it is refused. */
static const struct {
    const char *ending;
    lcal__lora_part part;
    const char *refused;
} endings[] = {
    {"lora_A.weight", LCAL__LORA_A, NULL},
    {"lora_B.weight", LCAL__LORA_B, NULL},
    {"lora_A.default.weight", LCAL__LORA_A, NULL},
    {"lora_B.default.weight", LCAL__LORA_B, NULL},
    {"lora_A.bias", LCAL__LORA_A, "a bias of lora_A"},
    {"lora_B.bias", LCAL__LORA_BIAS, NULL},
    {"lora_B.default.bias", LCAL__LORA_BIAS, NULL},
    {"lora_embedding_A", LCAL__LORA_A, "LoRA of an embedding"},
    {"lora_embedding_B", LCAL__LORA_B, "LoRA of an embedding"},
    {"lora_embedding_A.default", LCAL__LORA_A, "LoRA of an embedding"},
    {"lora_embedding_B.default", LCAL__LORA_B, "LoRA of an embedding"},
    {"lora_magnitude_vector", LCAL__LORA_A, "DoRA"},
    {"lora_magnitude_vector.weight", LCAL__LORA_A, "DoRA"},
    {"lora_magnitude_vector.default.weight", LCAL__LORA_A, "DoRA"},
};

void lcal__module_name(size_t layer, lcal__proj proj, char out[LCAL__MODULE_NAME_MAX])
{
    snprintf(out, LCAL__MODULE_NAME_MAX, LCAL_LAYERS "%zu.%s", layer, lcal__proj_module(proj));
}

static lcal_status read_ending(const char *name, const char *ending, const char *source,
                               lcal__lora_part *out, lcal_error *err)
{
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcmp(ending, endings[i].ending) != 0)
            continue;
        if (endings[i].refused)
            return lcal__fail(err, LCAL_UNSUPPORTED, "%s: tensor %s: %s is not supported", source,
                              name, endings[i].refused);
        *out = endings[i].part;
        return LCAL_OK;
    }
    return lcal__fail(err, LCAL_FORMAT,
                      "%s: tensor %s: expected a name that ends in lora_A.weight or lora_B.weight",
                      source, name);
}

/* A decimal number without leading zeros, so that a layer has one name only. */
static const char *take_layer(const char *text, size_t *out)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && isdigit((unsigned char)text[1])))
        return NULL;
    unsigned long long value = strtoull(text, &end, 10);
    *out = value > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)value;
    return *end == '.' ? end + 1 : NULL;
}

/* module: the name without prefix and ending, `length` bytes. */
static lcal_status read_module(const char *name, const char *module, size_t length,
                               const lcal__model_config *config, const char *source,
                               lcal__lora_name *out, lcal_error *err)
{
    const char *rest = NULL;
    const size_t head = sizeof(LCAL_LAYERS) - 1;
    if (length > head && strncmp(module, LCAL_LAYERS, head) == 0)
        rest = take_layer(module + head, &out->layer);
    for (lcal__proj p = 0; rest && p < LCAL__PROJ_COUNT; p++) {
        const char *wanted = lcal__proj_module(p);
        if (strlen(wanted) != (size_t)(module + length - rest)
            || strncmp(rest, wanted, strlen(wanted)) != 0)
            continue;
        out->proj = p;
        if (out->layer < config->layers)
            return LCAL_OK;
        return lcal__fail(err, LCAL_SHAPE, "%s: tensor %s: the base has layers 0 to %zu only",
                          source, name, config->layers - 1);
    }
    bool head_module = length == 7 && strncmp(module, "lm_head", 7) == 0;
    if (head_module)
        return lcal__fail(err, LCAL_UNSUPPORTED, "%s: tensor %s: LoRA of the head is not supported",
                          source, name);
    return lcal__fail(err, LCAL_FORMAT, "%s: tensor %s: a %s model has no module %.*s", source,
                      name, lcal__arch_name(config->arch), (int)(length < 200 ? length : 200),
                      module);
}

lcal_status lcal__lora_name_parse(const char *name, const lcal__model_config *config,
                                  const char *source, lcal__lora_name *out, lcal_error *err)
{
    const size_t prefix = sizeof(LCAL_PREFIX) - 1;
    if (strncmp(name, LCAL_PREFIX, prefix) != 0)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: tensor %s: expected a name that begins with " LCAL_PREFIX, source,
                          name);
    const char *module = name + prefix;
    const char *ending = strstr(module, ".lora_");
    if (!ending)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: tensor %s: trained copies of modules of the base (modules_to_save) "
                          "are not supported",
                          source, name);
    LCAL_TRY(read_ending(name, ending + 1, source, &out->part, err));
    return read_module(name, module, (size_t)(ending - module), config, source, out, err);
}
