/*
 * Decoding with cached keys and values, on small random networks of every architecture and with
 * every kind of term: the logits of the forward pass over whole documents, and the same bits for
 * any company, any cut into runs, any threads, in every table of kernels.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocations.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/decoder.h"
#include "engine/tape.h"

/* --- networks --------------------------------------------------------------------------------- */

#define LAYERS 2
#define VOCAB 61
#define TERMS 4 /* one of each kind, and a low-rank one with columns */
#define LINEARS (LAYERS * LCAL__PROJ_COUNT)

typedef struct variant {
    const char *name;
    size_t hidden, heads, kv_heads, head_dim, rope_dims, ffn;
    lcal__norm_kind norm;
    bool parallel, biases, terms;
    lcal__rope_kind rope;
    lcal__dtype dtype;
} variant;

static const variant variants[] = {
    {.name = "llama3",
     .hidden = 48,
     .heads = 6,
     .kv_heads = 2,
     .head_dim = 8,
     .rope_dims = 8,
     .ffn = 80,
     .rope = LCAL__ROPE_LLAMA3},
    {.name = "qwen2",
     .hidden = 33,
     .heads = 3,
     .kv_heads = 3,
     .head_dim = 10,
     .rope_dims = 10,
     .ffn = 70,
     .biases = true,
     .dtype = LCAL__BF16},
    {.name = "stablelm2",
     .hidden = 40,
     .heads = 4,
     .kv_heads = 1,
     .head_dim = 20,
     .rope_dims = 6,
     .ffn = 37,
     .norm = LCAL__NORM_LAYER,
     .biases = true,
     .parallel = true,
     .dtype = LCAL__F16},
    {.name = "terms",
     .hidden = 32,
     .heads = 4,
     .kv_heads = 2,
     .head_dim = 8,
     .rope_dims = 8,
     .ffn = 48,
     .terms = true},
    {.name = "terms, parallel",
     .hidden = 32,
     .heads = 40,
     .kv_heads = 1,
     .head_dim = 4,
     .rope_dims = 4,
     .ffn = 530,
     .parallel = true,
     .biases = true,
     .terms = true,
     .dtype = LCAL__BF16},
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

typedef struct net {
    lcal__network network;
    lcal__term terms[LINEARS][TERMS];
    void **owned;
    size_t owned_count;
    lcal__rng rng;
} net;

static void *own(net *n, void *memory)
{
    assert_non_null(memory);
    assert_true(n->owned_count < 1024);
    return n->owned[n->owned_count++] = memory;
}

static const float *numbers(net *n, size_t count, double center, double spread)
{
    float *values = own(n, lcal__alloc_aligned(count, sizeof(float)));
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(center + spread * lcal__rng_normal(&n->rng));
    return values;
}

/* widened: the numbers that are stored in dtype, in f32. */
static lcal__weight random_weight(net *n, size_t rows, size_t cols, lcal__dtype dtype, bool widened)
{
    float *values = (float *)(uintptr_t)numbers(n, rows * cols, 0.0, 1.0 / sqrt((double)cols));
    void *stored = own(n, lcal__alloc_aligned(rows * cols, lcal__dtype_size(dtype)));
    lcal__convert_from_f32(dtype, values, stored, rows * cols);
    lcal__convert_to_f32(dtype, stored, values, rows * cols);
    return widened ? (lcal__weight){rows, cols, LCAL__F32, values}
                   : (lcal__weight){rows, cols, dtype, stored};
}

static lcal__norm random_norm(net *n, const variant *v)
{
    return (lcal__norm){
        .kind = v->norm,
        .eps = 1e-5f,
        .cols = v->hidden,
        .weight = {numbers(n, v->hidden, 1.0, 0.1), NULL},
        .bias = {v->norm == LCAL__NORM_LAYER ? numbers(n, v->hidden, 0.0, 0.1) : NULL, NULL}};
}

static void add_terms(net *n, lcal__linear *linear, lcal__term *terms)
{
    const size_t d_in = linear->weight.cols, d_out = linear->weight.rows;
    for (size_t i = 0; i < TERMS; i++) {
        const lcal__term_kind kind =
            i < LCAL__TERM_LOWRANK ? (lcal__term_kind)i : LCAL__TERM_LOWRANK;
        terms[i] = (lcal__term){.kind = kind, .scale = 0.5f + (float)i};
        if (kind != LCAL__TERM_LOWRANK) {
            terms[i].p.value = numbers(n, d_out, 0.0, 0.05);
            continue;
        }
        terms[i].rank = 3 + i;
        terms[i].a.value = numbers(n, terms[i].rank * d_in, 0.0, 0.1);
        terms[i].b.value = numbers(n, terms[i].rank * d_out, 0.0, 0.1);
        if (i == TERMS - 1)
            terms[i].m.value = numbers(n, d_in, 1.0, 0.5);
    }
    linear->terms = terms;
    linear->term_count = TERMS;
}

static void net_open(net *n, const variant *v, bool widened)
{
    *n = (net){.rng = {.seed = v->hidden}};
    n->owned = lcal__calloc(1024, sizeof(void *));
    assert_non_null(n->owned);
    lcal__network *network = &n->network;
    network->config = (lcal__model_config){
        .layers = LAYERS,
        .hidden = v->hidden,
        .heads = v->heads,
        .kv_heads = v->kv_heads,
        .head_dim = v->head_dim,
        .ffn = v->ffn,
        .vocab = VOCAB,
        .max_positions = 1024,
        .norm = v->norm,
        .norm_eps = 1e-5f,
        .parallel_residual = v->parallel,
        .rope = {.kind = v->rope,
                 .dims = v->rope_dims,
                 .theta = 10000.0,
                 .factor = 8.0,
                 .low_freq_factor = 1.0,
                 .high_freq_factor = 4.0,
                 .original_positions = 64.0},
    };
    network->embedding = random_weight(n, VOCAB, v->hidden, v->dtype, widened);
    network->head = random_weight(n, VOCAB, v->hidden, v->dtype, widened);
    network->final_norm = random_norm(n, v);
    network->blocks = lcal__calloc(LAYERS, sizeof(lcal__block));
    assert_non_null(network->blocks);
    for (size_t l = 0; l < LAYERS; l++) {
        lcal__block *block = &network->blocks[l];
        block->attention_norm = random_norm(n, v);
        block->mlp_norm = random_norm(n, v);
        for (int p = 0; p < LCAL__PROJ_COUNT; p++) {
            lcal__linear *linear = &block->proj[p];
            const size_t d_out = lcal__proj_out(&network->config, p);
            linear->weight =
                random_weight(n, d_out, lcal__proj_in(&network->config, p), v->dtype, widened);
            if (v->biases)
                linear->bias.value = numbers(n, d_out, 0.0, 0.1);
            if (v->terms)
                add_terms(n, linear, n->terms[l * LCAL__PROJ_COUNT + (size_t)p]);
        }
    }
}

static void net_close(net *n)
{
    for (size_t i = 0; i < n->owned_count; i++)
        lcal__free(n->owned[i]);
    lcal__free(n->owned);
    lcal__network_free(&n->network);
}

/* --- texts and their logits ------------------------------------------------------------------- */

#define TEXTS 5
#define LONGEST 40
static const size_t lengths[TEXTS] = {17, 1, 40, 2, 33};

typedef struct texts {
    int32_t ids[TEXTS][LONGEST];
    float *logits; /* [TEXTS, LONGEST, VOCAB] after each token */
} texts;

static float *logits_at(const texts *t, size_t text, size_t position)
{
    return t->logits + (text * LONGEST + position) * VOCAB;
}

static void texts_open(texts *t)
{
    lcal__rng rng = {.seed = 3};
    for (size_t i = 0; i < TEXTS; i++)
        for (size_t j = 0; j < LONGEST; j++)
            t->ids[i][j] = (int32_t)lcal__rng_below(&rng, VOCAB);
    t->logits = calloc((size_t)TEXTS * LONGEST * VOCAB, sizeof(float));
    assert_non_null(t->logits);
}

static lcal__decoder *open_decoder(const net *n, const lcal__exec *exec, size_t sequences,
                                   size_t length, size_t tokens)
{
    const lcal__decoder_options options = {sequences, length, tokens};
    lcal__decoder *decoder = NULL;
    lcal_error err = {0};
    if (lcal__decoder_open(&n->network, exec, &options, &decoder, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return decoder;
}

/* Every text by itself, token after token, on one thread. */
static void decode_alone(const net *n, const lcal__kernels *kernels, texts *t)
{
    const lcal__exec exec = {.threads = 1, .kernels = kernels};
    lcal__decoder *decoder = open_decoder(n, &exec, 1, LONGEST, 1);
    for (size_t i = 0; i < TEXTS; i++) {
        lcal__decoder_truncate(decoder, 0, 0);
        for (size_t j = 0; j < lengths[i]; j++) {
            const lcal__decode_input input = {0, &t->ids[i][j], 1};
            lcal__decoder_run(decoder, &input, 1, logits_at(t, i, j));
        }
    }
    lcal__decoder_close(&decoder);
}

/* --- against the forward pass of the tape ----------------------------------------------------- */

typedef struct collected {
    float *logits;
} collected;

static void collect(void *user, size_t first, size_t count, const float *logits)
{
    collected *to = user;
    memcpy(to->logits + first * VOCAB, logits, count * VOCAB * sizeof(float));
}

static void run_tape(const net *n, const texts *t, size_t text, float *logits)
{
    const lcal__exec exec = lcal__exec_init(2);
    const size_t length = lengths[text];
    const lcal__tape_options options = {.capacity = {length, 1, length, length}};
    lcal__tape *tape = NULL;
    lcal__batch batch;
    assert_int_equal(lcal__batch_init(&batch, length, 1, NULL), LCAL_OK);
    int32_t labels[LONGEST];
    for (size_t j = 0; j < length; j++)
        labels[j] = LCAL__LABEL_IGNORE;
    lcal__batch_add(
        &batch,
        &(lcal__example){.ids = (int32_t *)t->ids[text], .labels = labels, .length = length}, true);
    assert_int_equal(lcal__tape_record(&n->network, &exec, &options, &tape, NULL), LCAL_OK);
    void *workspace = lcal__alloc_aligned(lcal__tape_workspace(tape), 1);
    assert_non_null(workspace);
    lcal__tape_bind(tape, workspace);
    collected to = {logits};
    lcal__feed feed = {.batch = &batch, .logits = collect, .logits_user = &to};
    lcal__tape_run(tape, &feed);
    lcal__free(workspace);
    lcal__tape_close(&tape);
    lcal__batch_free(&batch);
}

static void test_agrees_with_the_forward_pass(void **state)
{
    (void)state;
    float *expected = calloc((size_t)LONGEST * VOCAB, sizeof(float));
    assert_non_null(expected);
    for (size_t v = 0; v < VARIANTS; v++) {
        net n;
        texts t;
        net_open(&n, &variants[v], false);
        texts_open(&t);
        decode_alone(&n, lcal__kernels_select(), &t);
        for (size_t i = 0; i < TEXTS; i++) {
            run_tape(&n, &t, i, expected);
            for (size_t j = 0; j < lengths[i]; j++)
                for (size_t c = 0; c < VOCAB; c++) {
                    const double got = logits_at(&t, i, j)[c], want = expected[j * VOCAB + c];
                    if (!(fabs(got - want) <= 2e-5 * (1 + fabs(want))))
                        fail_msg("%s: text %zu, token %zu, logit %zu: got %.8g, expected %.8g",
                                 variants[v].name, i, j, c, got, want);
                }
        }
        free(t.logits);
        net_close(&n);
    }
    free(expected);
}

/* --- the same bits ---------------------------------------------------------------------------- */

static void assert_logits(const variant *v, const texts *t, size_t text, size_t position,
                          const float *got)
{
    if (memcmp(got, logits_at(t, text, position), VOCAB * sizeof(float)) != 0)
        fail_msg("%s: text %zu has other logits after token %zu", v->name, text, position);
}

/* All texts side by side, each a few tokens further a run, now and then left out, some prompts
 * without logits. The sequences are not those of the texts' order. */
static void check_company(const variant *v, const net *n, const texts *t, const lcal__exec *exec,
                          uint64_t seed)
{
    lcal__rng rng = {.seed = seed};
    lcal__decoder *decoder = open_decoder(n, exec, TEXTS + 1, LONGEST, TEXTS * LONGEST);
    float logits[TEXTS * VOCAB];
    size_t at[TEXTS] = {0}, left = TEXTS;
    const size_t stretch = 1 + lcal__rng_below(&rng, LONGEST);
    while (left > 0) {
        lcal__decode_input inputs[TEXTS];
        size_t count = 0, which[TEXTS];
        for (size_t k = 0; k < TEXTS; k++) {
            const size_t i = (k + seed) % TEXTS, rest = lengths[i] - at[i];
            if (rest == 0 || lcal__rng_below(&rng, 4) == 0)
                continue;
            const size_t most = stretch < rest ? stretch : rest;
            const size_t taken = 1 + lcal__rng_below(&rng, most);
            inputs[count] = (lcal__decode_input){TEXTS - i, &t->ids[i][at[i]], taken};
            at[i] += taken;
            left -= at[i] == lengths[i];
            which[count++] = i;
        }
        const bool wanted = lcal__rng_below(&rng, 5) > 0;
        lcal__decoder_run(decoder, inputs, count, wanted ? logits : NULL);
        for (size_t k = 0; wanted && k < count; k++)
            assert_logits(v, t, which[k], at[which[k]] - 1, logits + k * VOCAB);
        for (size_t i = 0; i < TEXTS; i++)
            assert_int_equal(lcal__decoder_length(decoder, TEXTS - i), at[i]);
    }
    lcal__decoder_close(&decoder);
}

static void test_company_and_cuts_change_nothing(void **state)
{
    (void)state;
    const lcal__kernels *tables[3];
    const size_t table_count = lcal__kernels_all(tables);
    for (size_t v = 0; v < VARIANTS; v++)
        for (size_t k = 0; k < table_count; k++) {
            net n;
            texts t;
            net_open(&n, &variants[v], false);
            texts_open(&t);
            decode_alone(&n, tables[k], &t);
            for (uint64_t seed = 0; seed < 12; seed++) {
                const lcal__exec exec = {.threads = 1 + seed % 4, .kernels = tables[k]};
                check_company(&variants[v], &n, &t, &exec, seed);
            }
            free(t.logits);
            net_close(&n);
        }
}

/* Long enough that sums over positions are cut, and that prompts are cut into blocks of queries. */
static void test_long_prompts(void **state)
{
    (void)state;
    enum { LENGTH = 1100, ALONE = 15 };
    net n;
    net_open(&n, &variants[3], false);
    lcal__rng rng = {.seed = 5};
    int32_t ids[LENGTH];
    for (size_t i = 0; i < LENGTH; i++)
        ids[i] = (int32_t)lcal__rng_below(&rng, VOCAB);
    static const size_t cuts[][2] = {{LENGTH, 1}, {500, 2}, {37, 3}, {1, 2}};
    float logits[4][VOCAB], after[4][VOCAB];
    for (size_t c = 0; c < 4; c++) {
        const lcal__exec exec = lcal__exec_init(cuts[c][1]);
        lcal__decoder *decoder = open_decoder(&n, &exec, 1, LENGTH + 1, cuts[c][0]);
        for (size_t at = 0; at < LENGTH; at += cuts[c][0]) {
            const size_t count = LENGTH - at < cuts[c][0] ? LENGTH - at : cuts[c][0];
            const lcal__decode_input input = {0, ids + at, count};
            lcal__decoder_run(decoder, &input, 1, logits[c]);
        }
        lcal__decoder_run(decoder, &(lcal__decode_input){0, ids, 1}, 1, after[c]);
        assert_memory_equal(logits[c], logits[0], sizeof(logits[0]));
        assert_memory_equal(after[c], after[0], sizeof(after[0]));
        lcal__decoder_close(&decoder);
    }
    assert_true(isfinite(logits[0][0]));
    net_close(&n);
}

/* Weights of 16 bits give what the same numbers in f32 give. */
static void test_types_agree(void **state)
{
    (void)state;
    for (size_t v = 0; v < VARIANTS; v++) {
        net narrow, wide;
        texts a, b;
        net_open(&narrow, &variants[v], false);
        net_open(&wide, &variants[v], true);
        texts_open(&a);
        texts_open(&b);
        decode_alone(&narrow, lcal__kernels_select(), &a);
        decode_alone(&wide, lcal__kernels_select(), &b);
        assert_memory_equal(a.logits, b.logits, (size_t)TEXTS * LONGEST * VOCAB * sizeof(float));
        free(a.logits);
        free(b.logits);
        net_close(&narrow);
        net_close(&wide);
    }
}

/* --- the rest --------------------------------------------------------------------------------- */

static void test_truncate(void **state)
{
    (void)state;
    net n;
    texts t;
    net_open(&n, &variants[0], false);
    texts_open(&t);
    decode_alone(&n, lcal__kernels_select(), &t);
    const lcal__exec exec = lcal__exec_init(2);
    lcal__decoder *decoder = open_decoder(&n, &exec, 2, LONGEST, LONGEST);
    float logits[VOCAB];
    /* Another text's tokens are forgotten, the common beginning stays. */
    int32_t mixed[LONGEST];
    memcpy(mixed, t.ids[2], sizeof(mixed));
    memcpy(mixed + 9, t.ids[4], 20 * sizeof(int32_t));
    lcal__decoder_run(decoder, &(lcal__decode_input){1, mixed, 29}, 1, NULL);
    lcal__decoder_truncate(decoder, 1, 9);
    assert_int_equal(lcal__decoder_length(decoder, 1), 9);
    lcal__decoder_truncate(decoder, 1, 30); /* there is nothing to forget */
    assert_int_equal(lcal__decoder_length(decoder, 1), 9);
    lcal__decoder_run(decoder, &(lcal__decode_input){1, t.ids[2] + 9, lengths[2] - 9}, 1, logits);
    assert_logits(&variants[0], &t, 2, lengths[2] - 1, logits);
    lcal__decoder_truncate(decoder, 1, 0);
    lcal__decoder_run(decoder, &(lcal__decode_input){1, t.ids[0], lengths[0]}, 1, logits);
    assert_logits(&variants[0], &t, 0, lengths[0] - 1, logits);
    assert_int_equal(lcal__decoder_length(decoder, 0), 0);
    lcal__decoder_run(decoder, NULL, 0, logits);
    lcal__decoder_close(&decoder);
    assert_null(decoder);
    lcal__decoder_close(&decoder);
    free(t.logits);
    net_close(&n);
}

static void test_running_allocates_nothing(void **state)
{
    (void)state;
    for (size_t v = 0; v < VARIANTS; v++) {
        net n;
        texts t;
        net_open(&n, &variants[v], false);
        texts_open(&t);
        const lcal__exec exec = lcal__exec_init(2);
        lcal__decoder *decoder = open_decoder(&n, &exec, 2, LONGEST, 2 * LONGEST);
        float logits[2 * VOCAB];
        const lcal__decode_input inputs[] = {{0, t.ids[2], 20}, {1, t.ids[4], 33}};
        lcal__decoder_run(decoder, inputs, 2, logits); /* the first opens OpenMP's threads */
        lcal__decoder_truncate(decoder, 1, 3);
        const size_t before = allocations;
        lcal__decoder_run(decoder, inputs, 2, logits);
        lcal__decoder_truncate(decoder, 0, 0);
        lcal__decoder_run(decoder, inputs, 1, logits);
        assert_int_equal(allocations, before);
        lcal__decoder_close(&decoder);
        free(t.logits);
        net_close(&n);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    net n;
    net_open(&n, &variants[0], false);
    const lcal__exec exec = lcal__exec_init(2);
    const lcal__model_config *config = &n.network.config;
    size_t cache, workspace, more_cache, more_workspace;
    lcal__decoder_options options = {3, 32, 20};
    assert_true(lcal__decoder_bytes(&n.network, &exec, &options, &cache, &workspace));
    assert_int_equal(cache,
                     2 * LAYERS * 3 * 32 * config->kv_heads * config->head_dim * sizeof(float));
    assert_true(workspace >= 20 * (2 * config->hidden + 3 * config->ffn) * sizeof(float));
    options.tokens = 40;
    assert_true(lcal__decoder_bytes(&n.network, &exec, &options, &more_cache, &more_workspace));
    assert_int_equal(more_cache, cache);
    assert_true(more_workspace
                >= workspace + 20 * (2 * config->hidden + 3 * config->ffn) * sizeof(float));

    static const lcal__decoder_options too_large[] = {
        {SIZE_MAX / 64, 1000, 1}, {1, SIZE_MAX / 2, 1}, {2, 10, SIZE_MAX / 64}, {1, 10, SIZE_MAX}};
    for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++) {
        lcal__decoder *decoder;
        lcal_error err = {0};
        assert_false(lcal__decoder_bytes(&n.network, &exec, &too_large[i], &cache, &workspace));
        assert_int_not_equal(lcal__decoder_open(&n.network, &exec, &too_large[i], &decoder, &err),
                             LCAL_OK);
        assert_null(decoder);
        assert_true(strlen(err.message) > 20);
    }
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_the_forward_pass),
        cmocka_unit_test(test_company_and_cuts_change_nothing),
        cmocka_unit_test(test_long_prompts),
        cmocka_unit_test(test_types_agree),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_running_allocates_nothing),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
