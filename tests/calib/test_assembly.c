/* The network that a method makes of a model and its adapters: counts, the start, folding. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/merge_rule.h"
#include "golden/fixture.h"
#include "num/gemm.h"

#define ALL 0x7F

/* --- METHODS: parameters at the paper's shapes ------------------------------------------------ */

static size_t count(const lcal__calib_spec *spec, const char *shape)
{
    lcal__model_config config;
    lcal__params params = {0};
    assert_true(lcal__model_config_shape(shape, &config));
    assert_int_equal(lcal__calib_layout(spec, &config, NULL, 0, &params, NULL), LCAL_OK);
    size_t total = params.total;
    lcal__params_free(&params);
    return total;
}

/* Two adapters of rank 32 on every projection, which is all that columns looks at. */
static size_t count_columns(const char *shape)
{
    static const float number;
    lcal__model_config config;
    lcal__params params = {0};
    assert_true(lcal__model_config_shape(shape, &config));
    lcal__lora_pair *pairs = test_calloc(config.layers * LCAL__PROJ_COUNT, sizeof(*pairs));
    for (size_t i = 0; i < config.layers * LCAL__PROJ_COUNT; i++)
        pairs[i] = (lcal__lora_pair){&number, &number, 32, 1.0f};
    lcal__adapter adapter = {.layers = config.layers, .pairs = pairs};
    lcal__adapter_use uses[2] = {{&adapter, 1.0f}, {&adapter, 1.0f}};
    lcal__calib_spec spec = {.method = LCAL__METHOD_COLUMNS, .targets = ALL};
    assert_int_equal(lcal__calib_layout(&spec, &config, uses, 2, &params, NULL), LCAL_OK);
    size_t total = params.total;
    lcal__params_free(&params);
    test_free(pairs);
    return total;
}

static void test_counts(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        size_t lc, lcpp, lora, columns;
    } rows[] = {
        {"1b", 23552, 176128, 22544384, 655360},
        {"1.5b", 23040, 164864, 36929536, 1017856},
        {"1.6b", 21504, 157696, 30277632, 860160},
    };
    lcal__calib_spec lc = {.method = LCAL__METHOD_LC, .targets = ALL};
    lcal__calib_spec lcpp = {.method = LCAL__METHOD_LCPP, .rank = 4, .targets = ALL};
    lcal__calib_spec lora = {.method = LCAL__METHOD_LORA, .rank = 32, .targets = ALL};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lcal__model_config config;
        lcal__model_config_shape(rows[i].shape, &config);
        assert_int_equal(count(&lc, rows[i].shape), rows[i].lc);
        assert_int_equal(count(&lcpp, rows[i].shape), rows[i].lcpp);
        assert_int_equal(count(&lora, rows[i].shape), rows[i].lora);
        assert_int_equal(count_columns(rows[i].shape), rows[i].columns);
        lc.share = LCAL__SHARE_NONE;
        assert_int_equal(count(&lc, rows[i].shape), rows[i].lc * config.layers);
        lc.share = LCAL__SHARE_LAYERS;
    }
    lc.targets = 1u << LCAL__O | 1u << LCAL__UP;
    assert_int_equal(count(&lc, "1b"), 2048 + 8192);
}

/* --- logits ---------------------------------------------------------------------------------- */

typedef struct sink {
    float *logits;
    size_t vocab;
} sink;

static void keep(void *user, size_t first, size_t rows, const float *logits)
{
    sink *s = user;
    memcpy(s->logits + first * s->vocab, logits, rows * s->vocab * sizeof(float));
}

static float *logits_of(const fixture *f, const lcal__network *network, const lcal__exec *exec)
{
    const lcal__batch *batch = &f->batch;
    lcal__tape_options options = {
        .capacity = {batch->tokens, batch->documents, batch->rows, batch->tokens}};
    lcal__tape *tape = NULL;
    assert_int_equal(lcal__tape_record(network, exec, &options, &tape, NULL), LCAL_OK);
    void *workspace = lcal__alloc_aligned(lcal__tape_workspace(tape), 1);
    lcal__tape_bind(tape, workspace);
    sink s = {test_malloc(batch->rows * network->config.vocab * sizeof(float)),
              network->config.vocab};
    lcal__feed feed = {.batch = batch, .logits = keep, .logits_user = &s};
    lcal__tape_run(tape, &feed);
    lcal__free(workspace);
    lcal__tape_close(&tape);
    return s.logits;
}

static void assemble(const fixture *f, const lcal__calib_spec *spec, const lcal__exec *exec,
                     lcal__memory memory, lcal__assembly *out)
{
    lcal__assembly_options options = {.spec = spec, .memory = memory};
    assert_int_equal(lcal__assemble(&f->model, f->uses, 2, &options, exec, out, NULL), LCAL_OK);
    /* Planning from shapes alone comes to the same. */
    lcal__assembly planned;
    options.shapes_only = true;
    assert_int_equal(lcal__assemble(&f->model, f->uses, 2, &options, exec, &planned, NULL),
                     LCAL_OK);
    assert_int_equal(planned.weight_bytes, out->weight_bytes);
    assert_int_equal(planned.stored_bytes, out->stored_bytes);
    lcal__assembly_free(&planned);
    /* What is not copied is used as stored: the fixtures are f32. */
    size_t matrices = f->model.config.vocab * f->model.config.hidden;
    matrices *= f->model.config.tied ? 1 : 2;
    for (int p = 0; p < LCAL__PROJ_COUNT; p++)
        matrices += lcal__proj_in(&f->model.config, p) * lcal__proj_out(&f->model.config, p)
                    * f->model.config.layers;
    assert_int_equal(out->weight_bytes + out->stored_bytes, matrices * sizeof(float));
}

/* Before the first step every method is the merged model, to the last bit. */
static void test_start_is_the_merge(void **state)
{
    (void)state;
    const lcal__calib_spec specs[] = {
        {LCAL__METHOD_LC, LCAL__FORM_OUTPUT, .scale = 1, .targets = ALL},
        {LCAL__METHOD_LC, LCAL__FORM_BROADCAST, .scale = 1, .targets = ALL},
        {LCAL__METHOD_LC, LCAL__FORM_OUTPUT, LCAL__SHARE_NONE, .scale = 2, .targets = 0x25},
        {LCAL__METHOD_LCPP, .rank = 4, .scale = 1, .targets = ALL},
        {LCAL__METHOD_LCPP, .share = LCAL__SHARE_NONE, .rank = 7, .scale = 1, .targets = ALL},
        {LCAL__METHOD_LORA, .rank = 5, .scale = 2, .targets = ALL},
    };
    lcal__exec exec = lcal__exec_init(2);
    for (int m = 0; m < FIXTURE_MODELS; m++) {
        fixture f;
        fixture_open(&f, fixture_names[m]);
        lcal__assembly merged;
        assemble(&f, NULL, &exec, LCAL__MEMORY_FAST, &merged);
        float *want = logits_of(&f, &merged.network, &exec);
        for (size_t s = 0; s < sizeof(specs) / sizeof(specs[0]); s++) {
            lcal__assembly start;
            assemble(&f, &specs[s], &exec, LCAL__MEMORY_FAST, &start);
            lcal__calib_init(&specs[s], 1, &start.params);
            float *got = logits_of(&f, &start.network, &exec);
            for (size_t i = 0; i < f.batch.rows * f.model.config.vocab; i++)
                assert_true(got[i] == want[i]);
            test_free(got);
            lcal__assembly_free(&start);
        }
        test_free(want);
        lcal__assembly_free(&merged);
        fixture_close(&f);
    }
}

static double distance(const float *a, const float *b, size_t length)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < length; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(difference / norm);
}

/* Factored, recomputing nothing, and folded adapters are one model; so is LC++ folded into W. */
static void test_folding(void **state)
{
    (void)state;
    const lcal__calib_spec spec = {
        .method = LCAL__METHOD_LCPP, .rank = 4, .scale = 1.5, .targets = ALL};
    lcal__exec exec = lcal__exec_init(2);
    for (int m = 0; m < FIXTURE_MODELS; m++) {
        fixture f;
        lcal__assembly beside, factored, folded;
        fixture_open(&f, fixture_names[m]);
        const size_t length = f.batch.rows * f.model.config.vocab;
        assemble(&f, &spec, &exec, LCAL__MEMORY_FAST, &beside);
        assemble(&f, &spec, &exec, LCAL__MEMORY_LOW, &factored);
        assemble(&f, NULL, &exec, LCAL__MEMORY_FAST, &folded);
        assert_int_equal(factored.weight_bytes, 0);
        lcal__rng rng = {5, 0, 0};
        for (size_t i = 0; i < beside.params.total; i++)
            beside.params.values[i] = factored.params.values[i] =
                (float)(0.05 * lcal__rng_normal(&rng));
        /* Weights that no adapter touches are the model's own: fold into copies. */
        float *copies[16 * LCAL__PROJ_COUNT];
        size_t copied = 0;
        for (size_t l = 0; l < f.model.config.layers; l++)
            for (int p = 0; p < LCAL__PROJ_COUNT; p++) {
                lcal__weight *w = &folded.network.blocks[l].proj[p].weight;
                char name[64];
                snprintf(name, sizeof(name), "%s.P1", lcal__proj_name(p));
                const float *p1 =
                    beside.params.values + lcal__params_find(&beside.params, name)->offset;
                snprintf(name, sizeof(name), "%s.P2", lcal__proj_name(p));
                const float *p2 =
                    beside.params.values + lcal__params_find(&beside.params, name)->offset;
                float *copy = lcal__alloc_aligned(w->rows * w->cols, sizeof(float));
                memcpy(copy, w->data, w->rows * w->cols * sizeof(float));
                lcal__gemm(&exec, false, false, w->rows, w->cols, 4, 1.5f, p2, 4, p1, w->cols, 1.0f,
                           copy, w->cols);
                w->data = copies[copied++] = copy;
            }
        float *a = logits_of(&f, &beside.network, &exec);
        float *b = logits_of(&f, &factored.network, &exec);
        float *c = logits_of(&f, &folded.network, &exec);
        assert_true(distance(a, c, length) <= 1e-5);
        assert_true(distance(b, c, length) <= 1e-5);
        while (copied)
            lcal__free(copies[--copied]);
        test_free(a);
        test_free(b);
        test_free(c);
        lcal__assembly_free(&beside);
        lcal__assembly_free(&factored);
        lcal__assembly_free(&folded);
        fixture_close(&f);
    }
}

/* --- merges ---------------------------------------------------------------------------------- */

static lcal__merge_settings parse_merge(const char *text)
{
    lcal__merge_settings merge;
    lcal_error err = {0};
    if (lcal__merge_parse(text, text, &merge, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    return merge;
}

static void assemble_merged(const fixture *f, const lcal__assembly_options *options,
                            const lcal__exec *exec, lcal__assembly *out)
{
    lcal_error err = {0};
    lcal__assembly_options shapes = *options;
    lcal__assembly planned;
    if (lcal__assemble(&f->model, f->uses, 2, options, exec, out, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    shapes.shapes_only = true;
    assert_int_equal(lcal__assemble(&f->model, f->uses, 2, &shapes, exec, &planned, NULL), LCAL_OK);
    assert_int_equal(planned.weight_bytes, out->weight_bytes);
    assert_int_equal(planned.stored_bytes, out->stored_bytes);
    for (size_t l = 0; l < f->model.config.layers; l++)
        for (int p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__linear *a = &planned.network.blocks[l].proj[p];
            const lcal__linear *b = &out->network.blocks[l].proj[p];
            assert_int_equal(a->term_count, b->term_count);
            for (size_t t = 0; t < a->term_count; t++)
                assert_int_equal(a->terms[t].rank, b->terms[t].rank);
        }
    lcal__assembly_free(&planned);
}

/* Whatever the rule, both ways of memory are one model, and not that of another rule. */
static void test_merges(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "concat",
        "ties:density=0.6",
        "dare-linear:density=0.5",
        "dare-ties:density=0.5",
        "slerp",
        "magnitude-prune",
        "svd:rank=3",
        "peft-linear",
        "peft-ties",
        "peft-dare-linear",
        "peft-magnitude-prune",
    };
    const lcal__exec exec = lcal__exec_init(2);
    fixture f;
    float *before = NULL;
    fixture_open(&f, "tiny-llama3");
    const size_t length = f.batch.rows * f.model.config.vocab;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const lcal__merge_settings merge = parse_merge(rules[i]);
        lcal__assembly folded, kept;
        lcal__assembly_options options = {.merge = &merge};
        assemble_merged(&f, &options, &exec, &folded);
        options.memory = LCAL__MEMORY_LOW;
        assemble_merged(&f, &options, &exec, &kept);
        assert_true((kept.truncation > 0.0) == (merge.method == LCAL__MERGE_SVD));
        assert_true(kept.truncation == folded.truncation);
        float *a = logits_of(&f, &folded.network, &exec), *b = logits_of(&f, &kept.network, &exec);
        assert_true(distance(a, b, length) <= 1e-5);
        assert_true(!before || distance(a, before, length) > 1e-4);
        test_free(before);
        test_free(b);
        before = a;
        lcal__assembly_free(&folded);
        lcal__assembly_free(&kept);
    }
    test_free(before);
    fixture_close(&f);
}

/* An adapter apart is added to the merge of the others, folded or not. */
static void test_apart(void **state)
{
    (void)state;
    static const char *const rules[] = {"ties:density=1", "peft-linear", "svd"};
    const lcal__exec exec = lcal__exec_init(2);
    fixture f;
    lcal__assembly sum;
    lcal__assembly_options options = {0};
    fixture_open(&f, "tiny-qwen2");
    const size_t length = f.batch.rows * f.model.config.vocab;
    assemble_merged(&f, &options, &exec, &sum);
    float *want = logits_of(&f, &sum.network, &exec);
    for (size_t i = 0; i < 6; i++) {
        /* A merge of one adapter is that adapter. */
        const lcal__merge_settings merge = parse_merge(rules[i / 2]);
        lcal__assembly out;
        options = (lcal__assembly_options){.merge = &merge, .apart = 1, .memory = i % 2};
        assemble_merged(&f, &options, &exec, &out);
        float *found = logits_of(&f, &out.network, &exec);
        assert_true(distance(found, want, length) <= 1e-5);
        test_free(found);
        lcal__assembly_free(&out);
    }
    test_free(want);
    lcal__assembly_free(&sum);
    fixture_close(&f);
}

static void test_columns_need_the_factors(void **state)
{
    (void)state;
    const lcal__exec exec = lcal__exec_init(1);
    const lcal__calib_spec spec = {.method = LCAL__METHOD_COLUMNS, .scale = 1, .targets = ALL};
    const lcal__merge_settings slerp = parse_merge("slerp"), linear = parse_merge("linear");
    lcal__assembly_options options = {.spec = &spec, .merge = &slerp};
    lcal__assembly out;
    lcal_error err;
    fixture f;
    fixture_open(&f, "tiny-llama3");
    assert_int_equal(lcal__assemble(&f.model, f.uses, 2, &options, &exec, &out, &err),
                     LCAL_INVALID);
    assert_non_null(strstr(err.message, "expected merge concat or linear, found slerp"));
    options.merge = &linear;
    assemble_merged(&f, &options, &exec, &out);
    lcal__assembly_free(&out);
    fixture_close(&f);
}

static void test_base_takes_no_adapters(void **state)
{
    (void)state;
    fixture f;
    lcal_error err;
    lcal__assembly out;
    lcal__exec exec = lcal__exec_init(1);
    lcal__calib_spec spec = {.method = LCAL__METHOD_BASE};
    lcal__assembly_options options = {.spec = &spec};
    fixture_open(&f, "tiny-llama3");
    assert_int_equal(lcal__assemble(&f.model, f.uses, 2, &options, &exec, &out, &err),
                     LCAL_INVALID);
    assert_non_null(strstr(err.message, "takes no adapters"));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_start_is_the_merge),
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_columns_need_the_factors),
        cmocka_unit_test(test_base_takes_no_adapters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
