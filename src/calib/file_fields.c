#include "calib/file_fields.h"

#include <stddef.h>

/* Bounds of what a file may claim: wider than any real model, narrow enough for our arithmetic. */
#define LAYERS_MAX 65536
#define EXTENT_MAX INT32_MAX

bool lcal__calib_has_form(lcal__method method)
{
    return method == LCAL__METHOD_LC;
}

bool lcal__calib_has_share(lcal__method method)
{
    return method == LCAL__METHOD_LC || method == LCAL__METHOD_LCPP;
}

bool lcal__calib_has_rank(lcal__method method)
{
    return method == LCAL__METHOD_LCPP || method == LCAL__METHOD_LORA;
}

bool lcal__calib_has_targets(lcal__method method)
{
    return method != LCAL__METHOD_BASE;
}

const lcal__extent_field lcal__calib_extents[LCAL__CALIB_EXTENTS] = {
    {"layers", offsetof(lcal__model_config, layers), LAYERS_MAX},
    {"hidden", offsetof(lcal__model_config, hidden), EXTENT_MAX},
    {"heads", offsetof(lcal__model_config, heads), EXTENT_MAX},
    {"kv_heads", offsetof(lcal__model_config, kv_heads), EXTENT_MAX},
    {"head_dim", offsetof(lcal__model_config, head_dim), EXTENT_MAX},
    {"ffn", offsetof(lcal__model_config, ffn), EXTENT_MAX},
    {"vocab", offsetof(lcal__model_config, vocab), EXTENT_MAX},
};
