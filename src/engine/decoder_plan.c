/* What a decoder needs: cache and workspace, counted before they are taken. */
#include <limits.h>

#include "base/mem.h"
#include "engine/decoder_parts.h"
#include "engine/op_plan.h"

/* Rows of values start at multiples of this many floats, one cache line ... */
#define LINE 16
/* ... but not at multiples of this many, which would share the same few cache sets. */
#define SETS 1024

_Static_assert(sizeof(size_t) % sizeof(float) == 0 && sizeof(lcal__span) % sizeof(float) == 0,
               "everything in the workspace is carved as floats");

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void *carve_items(lcal__carver *carver, size_t count, size_t size)
{
    return lcal__carve(carver, count, size / sizeof(float));
}

/* Scratch of the widest projection, with its terms. */
static lcal_status linear_scratch(const lcal__decoder *d, size_t *floats, lcal_error *err)
{
    const lcal__network *network = d->network;
    for (size_t layer = 0; layer < network->config.layers; layer++)
        for (size_t p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__op_attr attr = {.config = &network->config,
                                        .linear = &network->blocks[layer].proj[p]};
            const lcal__op_shape shape = {.rows = d->options.tokens, .threads = d->exec.threads};
            lcal__op_plan plan;
            LCAL_TRY(lcal__op_linear.plan(&attr, &shape, &plan, err));
            *floats = most(*floats, plan.forward_scratch);
        }
    return LCAL_OK;
}

lcal_status lcal__decoder_place(lcal__decoder *d, float *base, size_t *floats, lcal_error *err)
{
    const lcal__model_config *config = &d->network->config;
    const size_t tokens = d->options.tokens, sequences = d->options.sequences;
    const size_t inputs = sequences < tokens ? sequences : tokens;
    size_t scratch = 0;
    lcal__carver carver = {.base = base};
    d->lengths = carve_items(&carver, sequences, sizeof(size_t));
    d->rope_cos = lcal__carve(&carver, d->options.length, config->rope.dims / 2);
    d->rope_sin = lcal__carve(&carver, d->options.length, config->rope.dims / 2);
    d->ids = carve_items(&carver, tokens, sizeof(int32_t));
    d->positions = carve_items(&carver, tokens, sizeof(int32_t));
    d->last_token = carve_items(&carver, inputs, sizeof(int32_t));
    d->last_position = carve_items(&carver, inputs, sizeof(int32_t));
    d->inputs = carve_items(&carver, inputs, sizeof(lcal__span));
    d->last = carve_items(&carver, inputs, sizeof(lcal__span));
    d->blocks = carve_items(&carver, tokens, sizeof(lcal__span));
    d->x = lcal__carve(&carver, tokens, config->hidden);
    d->h = lcal__carve(&carver, tokens, config->hidden);
    d->last_x = lcal__carve(&carver, inputs, config->hidden);
    d->last_h = lcal__carve(&carver, inputs, config->hidden);

    /* What attention works with is over when the MLP begins. */
    lcal__carver mlp = carver;
    d->q = lcal__carve(&carver, tokens, d->attention.q_cols);
    d->mixed = lcal__carve(&carver, tokens, d->attention.q_cols);
    d->k = lcal__carve(&carver, tokens, d->attention.kv_cols);
    d->v = lcal__carve(&carver, tokens, d->attention.kv_cols);
    d->gate = lcal__carve(&mlp, tokens, config->ffn);
    d->up = lcal__carve(&mlp, tokens, config->ffn);
    d->unit = lcal__carve(&mlp, tokens, config->ffn);
    carver.floats = most(carver.floats, mlp.floats);
    carver.overflow = carver.overflow || mlp.overflow;

    LCAL_TRY(linear_scratch(d, &scratch, err));
    scratch = most(scratch, lcal__weight_scratch(&d->network->head, d->exec.threads));
    lcal__carver scores = {0};
    lcal__carve(&scores, d->exec.threads, lcal__decoder_scores(d));
    carver.overflow = carver.overflow || scores.overflow;
    d->scratch = lcal__carve(&carver, 1, most(scratch, scores.floats));
    return lcal__carved(&carver, "decoding", floats, err);
}

/* Rows of the cache; false where positions do not fit their type. */
static bool round_up(size_t length, size_t *capacity)
{
    if (length > INT_MAX - 2 * LINE)
        return false;
    *capacity = (length + LINE - 1) / LINE * LINE;
    if (*capacity % SETS == 0)
        *capacity += LINE;
    return true;
}

/* Floats of all keys, and as many of all values. */
static bool cache_floats(const lcal__network *network, const lcal__decoder_options *options,
                         size_t *capacity, size_t *floats)
{
    const lcal__model_config *config = &network->config;
    size_t bytes;
    return round_up(options->length, capacity)
           && lcal__size_mul(*capacity, config->head_dim, floats)
           && lcal__size_mul(*floats, config->kv_heads, floats)
           && lcal__size_mul(*floats, options->sequences, floats)
           && lcal__size_mul(*floats, config->layers, floats)
           && lcal__size_mul(*floats, 2 * sizeof(float), &bytes);
}

bool lcal__decoder_bytes(const lcal__network *network, const lcal__exec *exec,
                         const lcal__decoder_options *options, size_t *cache, size_t *workspace)
{
    size_t capacity, floats;
    lcal__decoder decoder = {
        .network = network,
        .exec = *exec,
        .options = *options,
        .attention = lcal__attention_of(&network->config),
    };
    if (!cache_floats(network, options, &capacity, &floats))
        return false;
    *cache = 2 * floats * sizeof(float);
    if (lcal__decoder_place(&decoder, NULL, &floats, NULL) != LCAL_OK)
        return false;
    *workspace = floats * sizeof(float);
    return true;
}

static lcal_status take_cache(lcal__decoder *d, lcal_error *err)
{
    const lcal__decoder_options *options = &d->options;
    size_t floats;
    if (cache_floats(d->network, options, &d->cache.capacity, &floats)) {
        d->cache.keys = lcal__alloc_aligned(floats, sizeof(float));
        d->cache.values = lcal__alloc_aligned(floats, sizeof(float));
        if (d->cache.keys && d->cache.values)
            return LCAL_OK;
    }
    return lcal__fail(err, LCAL_NOMEM,
                      "the keys and values of %zu texts of %zu tokens do not fit in memory; decode "
                      "fewer or shorter texts at a time",
                      options->sequences, options->length);
}

static lcal_status take_workspace(lcal__decoder *d, lcal_error *err)
{
    size_t floats;
    LCAL_TRY(lcal__decoder_place(d, NULL, &floats, err));
    d->workspace = lcal__alloc_aligned(floats, sizeof(float));
    if (!d->workspace)
        return lcal__fail(err, LCAL_NOMEM,
                          "the workspace for decoding %zu tokens at a time (%zu bytes) does not "
                          "fit in memory; decode fewer at a time",
                          d->options.tokens, floats * sizeof(float));
    LCAL_TRY(lcal__decoder_place(d, d->workspace, &floats, err));
    for (size_t s = 0; s < d->options.sequences; s++)
        d->lengths[s] = 0;
    lcal__rope_table(&d->network->config, d->options.length, d->rope_cos, d->rope_sin);
    return LCAL_OK;
}

lcal_status lcal__decoder_open(const lcal__network *network, const lcal__exec *exec,
                               const lcal__decoder_options *options, lcal__decoder **out,
                               lcal_error *err)
{
    lcal__decoder *d = *out = lcal__calloc(1, sizeof(*d));
    if (!d)
        return lcal__fail_nomem(err, "a decoder");
    d->network = network;
    d->exec = *exec;
    d->exec.row_invariant = true;
    d->options = *options;
    d->attention = lcal__attention_of(&network->config);
    lcal_status status = take_cache(d, err);
    if (status == LCAL_OK)
        status = take_workspace(d, err);
    if (status != LCAL_OK)
        lcal__decoder_close(out);
    return status;
}

void lcal__decoder_close(lcal__decoder **decoder)
{
    if (!*decoder)
        return;
    lcal__free((*decoder)->cache.keys);
    lcal__free((*decoder)->cache.values);
    lcal__free((*decoder)->workspace);
    lcal__free(*decoder);
    *decoder = NULL;
}
