#include <string.h>

#include "format/json.h"
#include "model/adapter_config.h"

/* Options that change what a LoRA computes. Absent, null, false and empty are all "off". */
static const struct {
    const char *key;
    bool boolean; /* anything but true, false or null is malformed */
    const char *why;
} features[] = {
    {"use_dora", true, "DoRA, which rescales the base's weights by learned magnitudes"},
    {"fan_in_fan_out", true, "weights stored as [d_in, d_out]"},
    {"use_qalora", true, "QALoRA, which pools the input of lora_A"},
    {"use_bdlora", false, "block-diagonal LoRA"},
    {"layer_replication", false, "a base whose layers are used several times"},
    {"trainable_token_indices", false, "trained rows of the embedding"},
    {"target_parameters", false, "LoRA on parameters that are no linear layers"},
    {"alora_invocation_tokens", false, "aLoRA, which acts only behind its invocation tokens"},
    {"arrow_config", false, "routing between adapters"},
};

/* Initialisations that leave the base as it is. The others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA)
 * subtract from the base what the adapter starts with. */
static const char *const harmless_inits[] = {"gaussian", "eva", "orthogonal"};

static bool is_on(const json_t *value)
{
    if (json_is_array(value))
        return json_array_size(value) > 0;
    if (json_is_object(value))
        return json_object_size(value) > 0;
    if (json_is_string(value))
        return json_string_length(value) > 0;
    return value && !json_is_null(value) && !json_is_false(value);
}

static lcal_status refuse_init(const json_t *root, const char *source, lcal_error *err)
{
    const json_t *init = json_object_get(root, "init_lora_weights");
    if (!init || json_is_null(init) || json_is_boolean(init))
        return LCAL_OK;
    const char *name = json_string_value(init);
    if (!name)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: key init_lora_weights: expected a boolean or a string, found %s",
                          source, lcal__json_type(init));
    for (size_t i = 0; i < sizeof(harmless_inits) / sizeof(harmless_inits[0]); i++)
        if (strcmp(name, harmless_inits[i]) == 0)
            return LCAL_OK;
    return lcal__fail(
        err, LCAL_UNSUPPORTED,
        "%s: key init_lora_weights: \"%s\" may change the base's weights; convert the "
        "adapter to plain LoRA when saving it (PEFT: "
        "path_initial_model_for_weight_conversion)",
        source, name);
}

lcal_status lcal__adapter_config_refuse(const json_t *root, const char *source, lcal_error *err)
{
    const char *type = NULL, *bias = "none";
    LCAL_TRY(lcal__json_string(root, source, "peft_type", &type, err));
    if (!type)
        return lcal__fail(err, LCAL_FORMAT, "%s: key peft_type: missing", source);
    if (strcmp(type, "LORA") != 0)
        return lcal__fail(err, LCAL_UNSUPPORTED, "%s: key peft_type: expected LORA, found %s",
                          source, type);
    LCAL_TRY(lcal__json_string(root, source, "bias", &bias, err));
    if (strcmp(bias, "none") != 0)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: key bias: trained biases of the base are not supported; expected "
                          "none, found %s",
                          source, bias);
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        bool checked = false;
        if (features[i].boolean)
            LCAL_TRY(lcal__json_bool(root, source, features[i].key, &checked, err));
        if (is_on(json_object_get(root, features[i].key)))
            return lcal__fail(err, LCAL_UNSUPPORTED, "%s: key %s: %s is not supported", source,
                              features[i].key, features[i].why);
    }
    return refuse_init(root, source, err);
}
