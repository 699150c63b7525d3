#include "numbers.h"

#include "num/exec.h"

enum { MOST_ROWS = 100003 };

typedef struct visits {
    unsigned char seen[MOST_ROWS];
    size_t block_of[MOST_ROWS]; /* first row of the block that a row came in */
    size_t threads;
} visits;

static void visit(void *context, size_t first, size_t count, size_t worker)
{
    visits *v = context;
    if (worker >= v->threads)
        return; /* leaves rows unseen */
    for (size_t i = first; i < first + count; i++) {
        v->seen[i]++;
        v->block_of[i] = first;
    }
}

static void check_rows(size_t count, size_t cols)
{
    visits *first = lcal__calloc(1, sizeof(*first));
    visits *v = lcal__calloc(1, sizeof(*v));
    assert_true(first != NULL && v != NULL);
    for (size_t threads = 1; threads <= 4; threads++) {
        lcal__exec exec = lcal__exec_init(threads);
        visits *now = threads == 1 ? first : v;
        memset(now, 0, sizeof(*now));
        now->threads = threads;
        lcal__for_rows(&exec, count, cols, visit, now);
        for (size_t i = 0; i < MOST_ROWS; i++)
            assert_int_equal(now->seen[i], i < count);
        assert_memory_equal(first->block_of, now->block_of, sizeof(first->block_of));
    }
    lcal__free(first);
    lcal__free(v);
}

static void test_every_row_once(void **state)
{
    (void)state;
    check_rows(0, 5);
    check_rows(1, 1);
    check_rows(7, 100000);
    check_rows(1000, 352);
    check_rows(2048, 33);
    check_rows(MOST_ROWS, 1);
    check_rows(MOST_ROWS, 0);
}

static void test_init(void **state)
{
    (void)state;
    lcal__exec exec = lcal__exec_init(0);
    assert_int_equal(exec.threads, lcal__threads_available());
    assert_ptr_equal(exec.kernels, lcal__kernels_select());
    assert_int_equal(lcal__exec_init(3).threads, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_every_row_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
