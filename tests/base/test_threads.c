#define _POSIX_C_SOURCE 200809L /* fork */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/threads.h"

#define TASKS 997

typedef struct tally {
    size_t threads;
    unsigned char runs[TASKS];
    struct {
        size_t count;
        char apart[64];
    } worker[5]; /* each written by its worker alone: a shared one would lose counts */
} tally;

static void count_task(void *context, size_t index, size_t worker)
{
    tally *t = context;
    t->runs[index]++;
    if (worker < t->threads)
        t->worker[worker].count++;
}

static void test_parallel_for(void **state)
{
    (void)state;
    for (size_t threads = 0; threads <= 5; threads++)
        for (size_t count = 0; count <= TASKS; count += count < 7 ? 1 : 330) {
            tally t = {.threads = threads ? threads : 1};
            size_t sum = 0;
            lcal__parallel_for(threads, count, count_task, &t);
            for (size_t i = 0; i < TASKS; i++)
                assert_int_equal(t.runs[i], i < count);
            for (size_t i = 0; i < 5; i++)
                sum += t.worker[i].count;
            assert_int_equal(sum, count);
        }
    assert_true(lcal__threads_available() >= 1);
}

/* Short loops one after another: a worker that comes late must not touch the next one. */
typedef struct round {
    size_t number;
    size_t *cells; /* [3] */
} round;

static void mark(void *context, size_t index, size_t worker)
{
    const round *r = context;
    (void)worker;
    r->cells[index] += r->number;
}

static void test_many_short_loops(void **state)
{
    (void)state;
    size_t cells[3] = {0}, expected = 0;
    for (size_t i = 1; i <= 20000; i++) {
        round r = {i, cells};
        lcal__parallel_for(1 + i % 4, 3, mark, &r);
        expected += i;
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cells[i], expected);
}

static void inner(void *context, size_t index, size_t worker)
{
    size_t *cell = context;
    assert_int_equal(worker, 0);
    *cell += index;
}

static void outer(void *context, size_t index, size_t worker)
{
    size_t *cells = context;
    (void)worker;
    lcal__parallel_for(4, 5, inner, &cells[index]);
}

static void test_loop_in_a_task(void **state)
{
    (void)state;
    size_t cells[7] = {0};
    lcal__parallel_for(4, 7, outer, cells);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(cells[i], 0 + 1 + 2 + 3 + 4);
}

static char call_often_failed; /* its address says so */

static void *call_often(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < 300; i++) {
        tally t = {.threads = 3};
        lcal__parallel_for(3, TASKS, count_task, &t);
        for (size_t k = 0; k < TASKS; k++)
            if (t.runs[k] != 1)
                return &call_often_failed;
    }
    return NULL;
}

static void test_several_callers(void **state)
{
    (void)state;
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

/* The workers stay behind in the parent; the child's loops must end all the same. */
static void test_after_fork(void **state)
{
    test_parallel_for(state);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        tally t = {.threads = 2};
        size_t missed = 0;
        alarm(20);
        lcal__parallel_for(2, TASKS, count_task, &t);
        for (size_t i = 0; i < TASKS; i++)
            missed += t.runs[i] != 1;
        _exit(missed ? 1 : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel_for),   cmocka_unit_test(test_many_short_loops),
        cmocka_unit_test(test_loop_in_a_task), cmocka_unit_test(test_several_callers),
        cmocka_unit_test(test_after_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
