#include "model/config.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

/* Matrix extents are handed to BLAS as int; a model with more layers than this is a damaged file.
 */
#define LCAL_EXTENT_MAX ((size_t)INT32_MAX)
#define LCAL_LAYERS_MAX ((size_t)1 << 16)

static const struct {
    const char *name, *module;
} projections[LCAL__PROJ_COUNT] = {
    [LCAL__Q] = {"q_proj", "self_attn.q_proj"},    [LCAL__K] = {"k_proj", "self_attn.k_proj"},
    [LCAL__V] = {"v_proj", "self_attn.v_proj"},    [LCAL__O] = {"o_proj", "self_attn.o_proj"},
    [LCAL__GATE] = {"gate_proj", "mlp.gate_proj"}, [LCAL__UP] = {"up_proj", "mlp.up_proj"},
    [LCAL__DOWN] = {"down_proj", "mlp.down_proj"},
};

const char *lcal__proj_name(lcal__proj proj)
{
    return projections[proj].name;
}

const char *lcal__proj_module(lcal__proj proj)
{
    return projections[proj].module;
}

bool lcal__proj_from_name(const char *name, lcal__proj *out)
{
    for (size_t i = 0; i < LCAL__PROJ_COUNT; i++)
        if (strcmp(name, projections[i].name) == 0) {
            *out = (lcal__proj)i;
            return true;
        }
    return false;
}

size_t lcal__proj_in(const lcal__model_config *config, lcal__proj proj)
{
    switch (proj) {
    case LCAL__O:
        return config->heads * config->head_dim;
    case LCAL__DOWN:
        return config->ffn;
    default:
        return config->hidden;
    }
}

size_t lcal__proj_out(const lcal__model_config *config, lcal__proj proj)
{
    switch (proj) {
    case LCAL__Q:
        return config->heads * config->head_dim;
    case LCAL__K:
    case LCAL__V:
        return config->kv_heads * config->head_dim;
    case LCAL__GATE:
    case LCAL__UP:
        return config->ffn;
    default:
        return config->hidden;
    }
}

/* *total += a * b; false where it does not fit. */
static bool add_product(size_t *total, size_t a, size_t b)
{
    size_t product;
    return lcal__size_mul(a, b, &product) && lcal__size_add(*total, product, total);
}

/* False where the number does not fit. Every extent is at most LCAL_EXTENT_MAX here. */
static bool count_parameters(const lcal__model_config *config, size_t *out)
{
    size_t norm = config->norm == LCAL__NORM_LAYER ? 2 * config->hidden : config->hidden;
    size_t layer = 0, total = norm;
    if (!add_product(&layer, config->parallel_residual ? 1 : 2, norm))
        return false;
    for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
        size_t rows = lcal__proj_out(config, p);
        if (!add_product(&layer, rows, lcal__proj_in(config, p) + config->bias[p]))
            return false;
    }
    if (!add_product(&total, config->layers, layer)
        || !add_product(&total, (config->tied ? 1 : 2) * config->vocab, config->hidden))
        return false;
    *out = total;
    return true;
}

size_t lcal__model_parameters(const lcal__model_config *config)
{
    size_t total;
    return count_parameters(config, &total) ? total : SIZE_MAX;
}

static lcal_status check_extents(const lcal__model_config *c, const char *source, lcal_error *err)
{
    const struct {
        const char *key;
        size_t value, max;
    } extents[] = {
        {"num_hidden_layers", c->layers, LCAL_LAYERS_MAX},
        {"hidden_size", c->hidden, LCAL_EXTENT_MAX},
        {"num_attention_heads", c->heads, LCAL_EXTENT_MAX},
        {"num_key_value_heads", c->kv_heads, LCAL_EXTENT_MAX},
        {"head_dim", c->head_dim, LCAL_EXTENT_MAX},
        {"intermediate_size", c->ffn, LCAL_EXTENT_MAX},
        {"vocab_size", c->vocab, LCAL_EXTENT_MAX},
        {"max_position_embeddings", c->max_positions, LCAL_EXTENT_MAX},
    };
    for (size_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++)
        if (extents[i].value < 1 || extents[i].value > extents[i].max)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: key %s: expected an integer from 1 to %zu, found %zu", source,
                              extents[i].key, extents[i].max, extents[i].value);
    size_t width;
    if (!lcal__size_mul(c->heads, c->head_dim, &width) || width > LCAL_EXTENT_MAX)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: key num_attention_heads: %zu heads of %zu are wider than %zu",
                          source, c->heads, c->head_dim, LCAL_EXTENT_MAX);
    if (c->heads % c->kv_heads != 0)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: key num_key_value_heads: expected a divisor of the %zu heads, found "
                          "%zu",
                          source, c->heads, c->kv_heads);
    return LCAL_OK;
}

/* value > 0 and finite; false for NaN. */
static bool is_positive(double value)
{
    return value > 0 && value <= 1e300;
}

static lcal_status check_rope(const lcal__model_config *c, const char *source, lcal_error *err)
{
    if (c->rope.dims < 2 || c->rope.dims > c->head_dim || c->rope.dims % 2 != 0)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: %zu of the %zu dimensions of a head are rotated; expected an even "
                          "number of at least 2 (head_dim, partial_rotary_factor)",
                          source, c->rope.dims, c->head_dim);
    const struct {
        const char *key;
        double value;
        bool needed;
    } numbers[] = {
        {"rope_theta", c->rope.theta, true},
        {"factor", c->rope.factor,
         c->rope.kind == LCAL__ROPE_LINEAR || c->rope.kind == LCAL__ROPE_LLAMA3},
        {"low_freq_factor", c->rope.low_freq_factor, c->rope.kind == LCAL__ROPE_LLAMA3},
        {"high_freq_factor", c->rope.high_freq_factor, c->rope.kind == LCAL__ROPE_LLAMA3},
        {"original_max_position_embeddings", c->rope.original_positions,
         c->rope.kind == LCAL__ROPE_LLAMA3},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i].needed && !is_positive(numbers[i].value))
            return lcal__fail(err, LCAL_FORMAT, "%s: key %s: expected a number above 0, found %g",
                              source, numbers[i].key, numbers[i].value);
    if (c->rope.kind == LCAL__ROPE_LLAMA3
        && (c->rope.original_positions > (double)LCAL_EXTENT_MAX
            || c->rope.original_positions != (double)(size_t)c->rope.original_positions))
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: key original_max_position_embeddings: expected an integer up to "
                          "%zu, found %g",
                          source, LCAL_EXTENT_MAX, c->rope.original_positions);
    if (c->rope.kind == LCAL__ROPE_LLAMA3 && c->rope.high_freq_factor <= c->rope.low_freq_factor)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: key high_freq_factor: expected more than low_freq_factor %g, found "
                          "%g",
                          source, c->rope.low_freq_factor, c->rope.high_freq_factor);
    return LCAL_OK;
}

lcal_status lcal__model_config_check(const lcal__model_config *config, const char *source,
                                     lcal_error *err)
{
    size_t parameters, bytes;
    LCAL_TRY(check_extents(config, source, err));
    LCAL_TRY(check_rope(config, source, err));
    if (!is_positive(config->norm_eps))
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: the epsilon of the norms: expected a number above 0, found %g",
                          source, (double)config->norm_eps);
    if (!count_parameters(config, &parameters) || !lcal__size_mul(parameters, 8, &bytes))
        return lcal__fail(err, LCAL_FORMAT, "%s: the sizes give more parameters than memory holds",
                          source);
    return LCAL_OK;
}
