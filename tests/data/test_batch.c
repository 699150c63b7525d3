/* Batches and the order of training. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "data/batch.h"

static lcal_error err;

/* Examples whose first id is their number, so that a batch tells which ones it holds. */
enum { COUNT = 23, LONGEST = 40 };
static int32_t numbers[2][COUNT][LONGEST];
static lcal__example examples[COUNT];
static lcal__dataset dataset = {.examples = examples, .count = COUNT};

static int set_up(void **state)
{
    (void)state;
    dataset.longest = 0;
    for (size_t i = 0; i < COUNT; i++) {
        size_t length = 2 + i * 7 % 12;
        for (size_t t = 0; t < LONGEST; t++) {
            numbers[0][i][t] = (int32_t)(t ? 1000 + 50 * i + t : i);
            numbers[1][i][t] = t && (i + t) % 3 ? numbers[0][i][t] + 7 : LCAL__LABEL_IGNORE;
        }
        examples[i] = (lcal__example){numbers[0][i], numbers[1][i], length, 0, i};
        for (size_t t = 0; t < length; t++)
            examples[i].counted += numbers[1][i][t] >= 0;
        if (length > dataset.longest)
            dataset.longest = length;
    }
    return 0;
}

static void test_add(void **state)
{
    (void)state;
    static const int32_t ids_a[3] = {11, 12, 13}, labels_a[3] = {-100, -100, 33};
    static const int32_t ids_b[2] = {14, 15}, labels_b[2] = {-100, 25};
    static const int32_t ids_c[1] = {16}, labels_c[1] = {-100};
    const lcal__example a = {ids_a, labels_a, 3, 1}, b = {ids_b, labels_b, 2, 1},
                        c = {ids_c, labels_c, 1, 0};
    lcal__batch batch;
    assert_int_equal(lcal__batch_init(&batch, 6, 3, &err), LCAL_OK);
    for (int again = 0; again < 2; again++) {
        lcal__batch_clear(&batch);
        lcal__batch_add(&batch, &a, false);
        lcal__batch_add(&batch, &c, false);
        lcal__batch_add(&batch, &b, false);
        assert_int_equal(batch.tokens, 6);
        assert_int_equal(batch.documents, 3);
        assert_memory_equal(batch.ids, ((int32_t[]){11, 12, 13, 16, 14, 15}), 24);
        assert_memory_equal(batch.positions, ((int32_t[]){0, 1, 2, 0, 0, 1}), 24);
        assert_memory_equal(batch.starts, ((size_t[]){0, 3, 4, 6}), 4 * sizeof(size_t));
        assert_int_equal(batch.rows, 2);
        assert_int_equal(batch.counted, 2);
        assert_memory_equal(batch.row_token, ((int32_t[]){1, 4}), 8);
        assert_memory_equal(batch.row_target, ((int32_t[]){33, 25}), 8);
    }
    lcal__batch_clear(&batch);
    lcal__batch_add(&batch, &a, true);
    lcal__batch_add(&batch, &b, true);
    assert_int_equal(batch.rows, 5);
    assert_int_equal(batch.counted, 2);
    assert_memory_equal(batch.row_token, ((int32_t[]){0, 1, 2, 3, 4}), 20);
    assert_memory_equal(batch.row_target, ((int32_t[]){-1, 33, -1, 25, -1}), 20);
    lcal__batch_free(&batch);
    lcal__batch_free(&batch);
    assert_int_equal(lcal__batch_init(&batch, (size_t)INT32_MAX + 1, 1, &err), LCAL_UNSUPPORTED);
    assert_int_equal(lcal__batch_init(&batch, 1, SIZE_MAX, &err), LCAL_NOMEM);
}

/* The numbers of the examples of the next `batches` batches, each checked against the limits. */
static size_t run(lcal__batcher *batcher, size_t batches, int32_t *order, size_t *sizes)
{
    size_t tokens, documents, taken = 0;
    lcal__batch batch;
    lcal__batcher_capacity(batcher, &tokens, &documents);
    assert_int_equal(lcal__batch_init(&batch, tokens, documents, &err), LCAL_OK);
    for (size_t i = 0; i < batches; i++) {
        size_t counted = 0;
        lcal__batcher_next(batcher, &batch);
        assert_true(batch.documents > 0 && batch.documents <= documents);
        assert_true(batch.tokens <= tokens);
        assert_true(batcher->batch_tokens == 0 || batch.documents == 1
                    || batch.tokens <= batcher->batch_tokens);
        assert_true(batcher->batch_size == 0 || batch.documents <= batcher->batch_size);
        for (size_t d = 0; d < batch.documents; d++) {
            int32_t example = batch.ids[batch.starts[d]];
            size_t length = batch.starts[d + 1] - batch.starts[d];
            assert_int_equal(length, examples[example].length);
            assert_memory_equal(batch.ids + batch.starts[d], numbers[0][example], length * 4);
            counted += examples[example].counted;
            order[taken++] = example;
        }
        assert_int_equal(batch.counted, counted);
        assert_int_equal(batch.rows, counted);
        sizes[i] = batch.documents;
    }
    lcal__batch_free(&batch);
    return taken;
}

static void start(lcal__batcher *batcher, bool shuffle, uint64_t seed, size_t tokens, size_t size)
{
    assert_int_equal(lcal__batcher_init(batcher, &dataset, shuffle, seed, tokens, size, &err),
                     LCAL_OK);
}

static void test_epochs(void **state)
{
    (void)state;
    enum { BATCHES = 60 };
    int32_t order[BATCHES * COUNT];
    size_t sizes[BATCHES];
    static const struct {
        size_t tokens, size;
    } limits[] = {{30, 0}, {0, 4}, {30, 4}, {30, 2}, {1, 0}, {6, 0}, {0, 1}, {100, COUNT}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        for (int shuffle = 0; shuffle < 2; shuffle++) {
            lcal__batcher batcher;
            start(&batcher, shuffle, 5, limits[i].tokens, limits[i].size);
            size_t taken = run(&batcher, BATCHES, order, sizes);
            assert_int_equal(batcher.cursor, taken);
            /* Whole epochs hold every example once. */
            for (size_t epoch = 0; (epoch + 1) * COUNT <= taken; epoch++) {
                unsigned char seen[COUNT] = {0};
                for (size_t j = 0; j < COUNT; j++)
                    assert_int_equal(seen[order[epoch * COUNT + j]]++, 0);
            }
            if (!shuffle)
                for (size_t j = 0; j < taken; j++)
                    assert_int_equal(order[j], j % COUNT);
            /* Greedy: the next example would not have fitted. */
            for (size_t j = 0, at = 0; j + 1 < BATCHES; at += sizes[j], j++) {
                size_t filled = 0;
                for (size_t d = 0; d < sizes[j]; d++)
                    filled += examples[order[at + d]].length;
                filled += examples[order[at + sizes[j]]].length;
                assert_true((limits[i].tokens && filled > limits[i].tokens)
                            || sizes[j] == limits[i].size);
            }
            lcal__batcher_free(&batcher);
        }
}

static void test_orders(void **state)
{
    (void)state;
    int32_t one[2 * COUNT], other[2 * COUNT], again[2 * COUNT];
    size_t sizes[2 * COUNT];
    lcal__batcher batcher;
    start(&batcher, true, 1, 0, 1);
    run(&batcher, 2 * COUNT, one, sizes);
    lcal__batcher_free(&batcher);
    start(&batcher, true, 2, 0, 1);
    run(&batcher, 2 * COUNT, other, sizes);
    lcal__batcher_free(&batcher);
    start(&batcher, true, 1, 0, 2); /* cut otherwise, ordered the same */
    run(&batcher, COUNT, again, sizes);
    lcal__batcher_free(&batcher);
    assert_memory_not_equal(one, other, sizeof(one));
    assert_memory_not_equal(one, one + COUNT, COUNT * sizeof(*one)); /* epochs differ */
    assert_memory_equal(one, again, sizeof(one));
}

static void test_restart(void **state)
{
    (void)state;
    enum { BATCHES = 30 };
    int32_t whole[BATCHES * COUNT], rest[BATCHES * COUNT];
    size_t sizes[BATCHES], rest_sizes[BATCHES];
    lcal__batcher batcher, resumed;
    start(&batcher, true, 9, 25, 3);
    size_t taken = run(&batcher, BATCHES, whole, sizes);
    for (size_t done = 0, at = 0; done < BATCHES; at += sizes[done], done++) {
        start(&resumed, true, 9, 25, 3);
        resumed.cursor = at;
        assert_int_equal(run(&resumed, BATCHES - done, rest, rest_sizes), taken - at);
        assert_memory_equal(rest, whole + at, (taken - at) * sizeof(*rest));
        assert_memory_equal(rest_sizes, sizes + done, (BATCHES - done) * sizeof(*sizes));
        lcal__batcher_free(&resumed);
    }
    /* Backwards too, and far beyond. */
    batcher.cursor = 0;
    run(&batcher, 1, rest, rest_sizes);
    assert_int_equal(rest[0], whole[0]);
    batcher.cursor = (UINT64_C(1) << 40) * COUNT;
    run(&batcher, COUNT, rest, rest_sizes);
    lcal__batcher_free(&batcher);
}

static void test_capacity(void **state)
{
    (void)state;
    size_t tokens, documents;
    lcal__batcher batcher;
    assert_int_equal(dataset.longest, 13);
    start(&batcher, true, 1, 5, 0); /* the longest goes alone, beyond the limit */
    lcal__batcher_capacity(&batcher, &tokens, &documents);
    assert_int_equal(tokens, 13);
    assert_int_equal(documents, 2); /* of the shortest, 2 tokens */
    lcal__batcher_free(&batcher);
    start(&batcher, true, 1, 0, 6);
    lcal__batcher_capacity(&batcher, &tokens, &documents);
    assert_int_equal(tokens, 6 * 13);
    assert_int_equal(documents, 6);
    lcal__batcher_free(&batcher);
    start(&batcher, true, 1, 1000, 6); /* never reaches the limit of tokens */
    lcal__batcher_capacity(&batcher, &tokens, &documents);
    assert_int_equal(tokens, 6 * 13);
    assert_int_equal(documents, 6);
    lcal__batcher_free(&batcher);
    start(&batcher, true, 1, 1, 0);
    lcal__batcher_capacity(&batcher, &tokens, &documents);
    assert_int_equal(documents, 1);
    lcal__batcher_free(&batcher);
    start(&batcher, true, 1, 0, SIZE_MAX / 2);
    lcal__batcher_capacity(&batcher, &tokens, &documents);
    assert_int_equal(tokens, SIZE_MAX);
    lcal__batcher_free(&batcher);

    assert_int_equal(lcal__batcher_init(&batcher, &dataset, true, 1, 0, 0, &err), LCAL_INVALID);
    const lcal__dataset none = {0};
    assert_int_equal(lcal__batcher_init(&batcher, &none, true, 1, 10, 0, &err), LCAL_INVALID);
    lcal__batcher_free(&batcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),      cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_orders),   cmocka_unit_test(test_restart),
        cmocka_unit_test(test_capacity),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
