/* A PEFT adapter's directory by itself: without a base, only what the adapter says is known. */
#include "base/file.h"
#include "base/mem.h"
#include "inspect/subject.h"

#define WEIGHTS "adapter_model.safetensors"

/* Keys of adapter_config.json that say how it is to be applied. */
static const char *const config_keys[] = {
    "peft_type",       "base_model_name_or_path",
    "task_type",       "r",
    "lora_alpha",      "use_rslora",
    "target_modules",  "rank_pattern",
    "alpha_pattern",   "bias",
    "modules_to_save", "use_dora",
    "lora_bias",
};

static lcal_status add_config(const char *path, lcal__report *facts, lcal_error *err)
{
    json_t *config = NULL;
    LCAL_TRY(lcal__json_read_object(path, &config, err));
    for (size_t i = 0; i < sizeof(config_keys) / sizeof(config_keys[0]); i++) {
        json_t *value = json_object_get(config, config_keys[i]);
        if (value && !json_is_null(value))
            lcal__report_value(facts, config_keys[i], json_incref(value));
    }
    json_decref(config);
    return LCAL_OK;
}

static lcal_status add_weights(const lcal__subject *subject, lcal__report *facts, lcal_error *err)
{
    lcal__report_count(facts, "bytes", subject->size);
    return lcal__inspect_safetensors(subject, facts, err);
}

lcal_status lcal__inspect_adapter(const lcal__subject *subject, lcal__report *facts,
                                  lcal_error *err)
{
    lcal__report_text(facts, "kind", "LoRA adapter (PEFT)");
    char *config = lcal__subject_join(subject, "adapter_config.json", err);
    char *weights = lcal__subject_join(subject, WEIGHTS, err);
    lcal_status status = config && weights ? LCAL_OK : LCAL_NOMEM;
    lcal__report file = lcal__report_new();
    if (status == LCAL_OK)
        status = add_config(config, facts, err);
    if (status == LCAL_OK)
        status = lcal__inspect_file(weights, add_weights, &file, err);
    lcal__report_nest(facts, "weights", &file);
    lcal__free(config);
    lcal__free(weights);
    return status;
}
