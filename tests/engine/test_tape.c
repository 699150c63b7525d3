/*
 * The tape as a whole, on small random networks: places never overlap, recomputing, threads and
 * packing change nothing, what no trained leaf needs is not there, and running allocates nothing.
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
#include "engine/params.h"
#include "engine/place.h"
#include "engine/tape.h"

/* --- a network of random numbers ------------------------------------------------------------- */

#define LAYERS 3
#define LEAVES 64

typedef struct net {
    lcal__model_config config;
    lcal__network network;
    lcal__params params; /* trained leaves */
    lcal__term terms[LAYERS * LCAL__PROJ_COUNT];
    float *owned[LEAVES];
    size_t owned_count;
    lcal__rng rng;
} net;

static const float *numbers(net *n, size_t count, double center, double spread)
{
    float *values = lcal__alloc_aligned(count, sizeof(float));
    assert_non_null(values);
    assert_true(n->owned_count < LEAVES);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(center + spread * lcal__rng_normal(&n->rng));
    n->owned[n->owned_count++] = values;
    return values;
}

static lcal__norm random_norm(net *n)
{
    return (lcal__norm){.kind = LCAL__NORM_RMS,
                        .eps = 1e-5f,
                        .cols = n->config.hidden,
                        .weight = {numbers(n, n->config.hidden, 1.0, 0.1), NULL}};
}

static lcal__weight random_weight(net *n, size_t rows, size_t cols)
{
    return (lcal__weight){rows, cols, LCAL__F32,
                          numbers(n, rows * cols, 0.0, 1.0 / sqrt((double)cols))};
}

typedef enum kind { FROZEN, LC, LCPP } kind;

static void net_open(net *n, kind trained, bool parallel)
{
    *n = (net){.config = {.layers = LAYERS,
                          .hidden = 48,
                          .heads = 4,
                          .kv_heads = 2,
                          .head_dim = 12,
                          .ffn = 80,
                          .vocab = 97,
                          .max_positions = 64,
                          .norm = LCAL__NORM_RMS,
                          .norm_eps = 1e-5f,
                          .parallel_residual = parallel,
                          .tied = true,
                          .rope = {.dims = 12, .theta = 10000.0}},
               .rng = {7, 0, 0}};
    lcal__network *network = &n->network;
    network->config = n->config;
    network->embedding = network->head = random_weight(n, n->config.vocab, n->config.hidden);
    network->final_norm = random_norm(n);
    network->blocks = lcal__calloc(LAYERS, sizeof(lcal__block));
    for (int p = 0; p < LCAL__PROJ_COUNT; p++) {
        size_t d_out = lcal__proj_out(&n->config, p), d_in = lcal__proj_in(&n->config, p);
        if (trained == LC)
            lcal__params_add(&n->params, "p", 0, d_out, NULL, NULL);
        if (trained == LCPP) {
            lcal__params_add(&n->params, "P1", 3, d_in, NULL, NULL);
            lcal__params_add(&n->params, "P2", d_out, 3, NULL, NULL);
        }
    }
    lcal__params_allocate(&n->params, NULL);
    for (size_t i = 0; i < n->params.total; i++)
        n->params.values[i] = (float)(0.1 * lcal__rng_normal(&n->rng));
    for (size_t l = 0; l < LAYERS; l++) {
        lcal__block *block = &network->blocks[l];
        block->attention_norm = random_norm(n);
        block->mlp_norm = random_norm(n);
        for (int p = 0; p < LCAL__PROJ_COUNT; p++) {
            lcal__linear *linear = &block->proj[p];
            lcal__term *term = &n->terms[l * LCAL__PROJ_COUNT + (size_t)p];
            linear->weight =
                random_weight(n, lcal__proj_out(&n->config, p), lcal__proj_in(&n->config, p));
            linear->terms = term;
            linear->term_count = trained == FROZEN ? 0 : 1;
            if (trained == LC)
                *term = (lcal__term){LCAL__TERM_OUTPUT, 1.0f, 0,
                                     .p = lcal__params_leaf(&n->params, (size_t)p)};
            if (trained == LCPP)
                *term = (lcal__term){LCAL__TERM_LOWRANK, 1.0f, 3,
                                     .a = lcal__params_leaf(&n->params, (size_t)p * 2),
                                     .b = lcal__params_leaf(&n->params, (size_t)p * 2 + 1)};
        }
    }
}

static void net_close(net *n)
{
    for (size_t i = 0; i < n->owned_count; i++)
        lcal__free(n->owned[i]);
    lcal__network_free(&n->network);
    lcal__params_free(&n->params);
}

/* Documents of uneven lengths, all their labels counted. */
static void fill_batch(lcal__batch *batch, const net *n, const size_t *lengths, size_t count)
{
    lcal__rng rng = {11, 0, 0};
    lcal__batch_clear(batch);
    for (size_t d = 0; d < count; d++) {
        int32_t ids[64], labels[64];
        for (size_t t = 0; t < lengths[d]; t++)
            labels[t] = ids[t] = (int32_t)lcal__rng_below(&rng, n->config.vocab);
        labels[0] = LCAL__LABEL_IGNORE;
        lcal__batch_add(batch, &(lcal__example){.ids = ids, .labels = labels, .length = lengths[d]},
                        false);
    }
}

#define DOCUMENTS 4
static const size_t lengths[DOCUMENTS] = {17, 1, 30, 2};

typedef struct outcome {
    double loss;
    float *grads; /* copy */
} outcome;

static outcome run(net *n, const lcal__batch *batch, size_t threads, size_t recompute,
                   unsigned char garbage)
{
    lcal__exec exec = lcal__exec_init(threads);
    lcal__tape_options options = {
        .capacity = {batch->tokens + 9, batch->documents + 1, batch->rows + 9, 64},
        .training = true,
        .recompute_blocks = recompute,
    };
    lcal__tape *tape = NULL;
    assert_int_equal(lcal__tape_record(&n->network, &exec, &options, &tape, NULL), LCAL_OK);
    size_t bytes = lcal__tape_workspace(tape);
    void *workspace = lcal__alloc_aligned(bytes, 1);
    memset(workspace, garbage, bytes);
    lcal__tape_bind(tape, workspace);
    memset(n->params.grads, 0, n->params.total * sizeof(float));
    lcal__feed feed = {.batch = batch, .row_weight = 1.0f / (float)batch->counted};
    lcal__tape_run(tape, &feed); /* the first opens OpenMP's threads and BLAS's buffers */
    memset(n->params.grads, 0, n->params.total * sizeof(float));
    size_t before = allocations;
    lcal__tape_run(tape, &feed);
    assert_int_equal(allocations, before);
    outcome result = {feed.loss_sum, malloc((n->params.total + 1) * sizeof(float))};
    memcpy(result.grads, n->params.grads, n->params.total * sizeof(float));
    lcal__free(workspace);
    lcal__tape_close(&tape);
    return result;
}

static void assert_same(const net *n, outcome *a, outcome *b)
{
    assert_true(isfinite(a->loss));
    assert_memory_equal(&a->loss, &b->loss, sizeof(a->loss));
    if (n->params.total)
        assert_memory_equal(a->grads, b->grads, n->params.total * sizeof(float));
    free(b->grads);
}

static void test_roads_agree(void **state)
{
    (void)state;
    for (int trained = FROZEN; trained <= LCPP; trained++)
        for (int parallel = 0; parallel < 2; parallel++) {
            net n;
            lcal__batch batch;
            net_open(&n, (kind)trained, parallel);
            assert_int_equal(lcal__batch_init(&batch, 64, DOCUMENTS, NULL), LCAL_OK);
            fill_batch(&batch, &n, lengths, DOCUMENTS);
            outcome plain = run(&n, &batch, 1, 0, 0);
            for (size_t recompute = 0; recompute <= LAYERS; recompute++)
                for (size_t threads = 1; threads <= 4; threads++) {
                    outcome other = run(&n, &batch, threads, recompute, 0xFF);
                    assert_same(&n, &plain, &other);
                }
            free(plain.grads);
            lcal__batch_free(&batch);
            net_close(&n);
        }
}

static void test_packed_equals_alone(void **state)
{
    (void)state;
    net n;
    lcal__batch batch, alone;
    net_open(&n, LCPP, false);
    lcal__batch_init(&batch, 64, DOCUMENTS, NULL);
    lcal__batch_init(&alone, 64, 1, NULL);
    fill_batch(&batch, &n, lengths, DOCUMENTS);
    outcome packed = run(&n, &batch, 2, 0, 0);
    double loss = 0, difference = 0, norm = 0;
    double *grads = calloc(n.params.total, sizeof(double));
    for (size_t d = 0; d < DOCUMENTS; d++) {
        size_t at = batch.starts[d], length = lengths[d];
        int32_t labels[64] = {LCAL__LABEL_IGNORE};
        memcpy(labels + 1, batch.ids + at + 1, (length - 1) * sizeof(int32_t));
        lcal__batch_clear(&alone);
        lcal__batch_add(&alone,
                        &(lcal__example){.ids = batch.ids + at, .labels = labels, .length = length},
                        false);
        if (alone.rows == 0)
            continue;
        outcome one = run(&n, &alone, 2, 0, 0);
        loss += one.loss;
        for (size_t i = 0; i < n.params.total; i++)
            grads[i] += one.grads[i] * (double)alone.counted / (double)batch.counted;
        free(one.grads);
    }
    assert_true(fabs(loss - packed.loss) <= 1e-6 * fabs(loss));
    for (size_t i = 0; i < n.params.total; i++) {
        difference += (packed.grads[i] - grads[i]) * (packed.grads[i] - grads[i]);
        norm += grads[i] * grads[i];
    }
    assert_true(norm > 0 && sqrt(difference / norm) < 5e-6);
    free(grads);
    free(packed.grads);
    lcal__batch_free(&batch);
    lcal__batch_free(&alone);
    net_close(&n);
}

static char *describe(net *n, bool training, size_t recompute)
{
    lcal__exec exec = lcal__exec_init(2);
    lcal__tape_options options = {
        .capacity = {64, 4, 60, 32}, .training = training, .recompute_blocks = recompute};
    lcal__tape *tape = NULL;
    char *text = NULL;
    assert_int_equal(lcal__tape_record(&n->network, &exec, &options, &tape, NULL), LCAL_OK);
    assert_int_equal(lcal__tape_describe(tape, &text, NULL), LCAL_OK);
    lcal__tape_close(&tape);
    return text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part))) {
        count++;
        text++;
    }
    return count;
}

static void test_only_what_is_needed(void **state)
{
    (void)state;
    net n;
    net_open(&n, FROZEN, false);
    char *text = describe(&n, true, 0);
    assert_int_equal(count_of(text, "backward"), 0); /* nothing is trained */
    lcal__free(text);
    net_close(&n);

    net_open(&n, LC, false);
    text = describe(&n, true, 0);
    assert_int_equal(count_of(text, "backward embed"), 0);
    /* The first layer's norm and input want no gradient, the other layers' do. */
    assert_int_equal(count_of(text, "backward norm"), 2 * LAYERS);
    assert_int_equal(count_of(text, "backward linear"), LCAL__PROJ_COUNT * LAYERS);
    assert_int_equal(count_of(text, "again"), 0);
    lcal__free(text);

    text = describe(&n, true, 1);
    /* Run again: the norm, q, k, v, two rotations, attention, o, norm, gate, up; not glu and down,
     * whose results backward does not read. */
    assert_int_equal(count_of(text, "again norm"), 2);
    assert_int_equal(count_of(text, "again linear"), 6);
    assert_int_equal(count_of(text, "again attention"), 1);
    assert_int_equal(count_of(text, "again glu"), 0);
    lcal__free(text);

    text = describe(&n, false, 0);
    assert_int_equal(count_of(text, "backward"), 0);
    lcal__free(text);
    net_close(&n);
}

static void test_recompute_saves_memory(void **state)
{
    (void)state;
    net n;
    net_open(&n, LC, false);
    lcal__exec exec = lcal__exec_init(1);
    lcal__tape_options options = {.capacity = {4096, 8, 64, 512}, .training = true};
    size_t blocks, most, least;
    lcal_error err;
    assert_int_equal(
        lcal__tape_choose_recompute(&n.network, &exec, &options, SIZE_MAX, &blocks, &most, &err),
        LCAL_OK);
    assert_int_equal(blocks, 0);
    assert_int_equal(
        lcal__tape_choose_recompute(&n.network, &exec, &options, 0, &blocks, &least, &err),
        LCAL_OK);
    assert_int_equal(blocks, LAYERS);
    assert_true(least < most * 7 / 10);
    size_t between;
    assert_int_equal(lcal__tape_choose_recompute(&n.network, &exec, &options, (least + most) / 2,
                                                 &blocks, &between, &err),
                     LCAL_OK);
    assert_true(blocks > 0 && between <= (least + most) / 2);
    net_close(&n);
}

static void test_places(void **state)
{
    (void)state;
    lcal__rng rng = {3, 0, 0};
    for (int round = 0; round < 200; round++) {
        lcal__lease leases[60];
        size_t total = 0, peak = 0;
        for (size_t i = 0; i < 60; i++) {
            size_t first = lcal__rng_below(&rng, 40);
            leases[i] = (lcal__lease){lcal__rng_below(&rng, 2000), first,
                                      first + lcal__rng_below(&rng, 12), 0};
            if (i % 13 == 0)
                leases[i].first = LCAL__NEVER;
        }
        assert_int_equal(lcal__place(leases, 60, &total, NULL), LCAL_OK);
        assert_int_equal(total % LCAL_ALIGN, 0);
        for (size_t step = 0; step < 60; step++) {
            size_t live = 0;
            for (size_t i = 0; i < 60; i++)
                if (leases[i].first <= step && step <= leases[i].last
                    && leases[i].first != LCAL__NEVER)
                    live += leases[i].bytes;
            peak = live > peak ? live : peak;
        }
        assert_true(total >= peak && total <= peak + peak / 2 + 60 * LCAL_ALIGN);
        for (size_t i = 0; i < 60; i++)
            for (size_t j = 0; j < i; j++) {
                const lcal__lease *a = &leases[i], *b = &leases[j];
                if (a->first == LCAL__NEVER || b->first == LCAL__NEVER || !a->bytes || !b->bytes
                    || a->last < b->first || b->last < a->first)
                    continue;
                assert_int_equal(a->offset % LCAL_ALIGN, 0);
                assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
                assert_true(a->offset + a->bytes <= total);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roads_agree),
        cmocka_unit_test(test_packed_equals_alone),
        cmocka_unit_test(test_only_what_is_needed),
        cmocka_unit_test(test_recompute_saves_memory),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
