#define _GNU_SOURCE /* sched_getaffinity: a container often gives fewer processors than exist */
#include "base/threads.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A pool of the process's own, for OpenMP's end of a loop waits for every thread of the team, also
 * for one that found nothing to do: on a busy machine each loop then costs a time slice. Here a
 * loop waits for tasks that were begun, and a thread that comes late finds the loop gone.
 *
 * This is the library's only state of the process. It holds no result: with a pool that is busy,
 * or gone after fork(), a loop runs on its caller alone and comes to the same.
 */

/* How long to look for work, or for the end, before sleeping: longer than most gaps between the
 * loops of a step, shorter than a time slice that another process could use. */
#define SPINS 2000

#define TASKS_MAX ((size_t)UINT32_MAX) /* of one round */

typedef struct pool {
    atomic_flag busy; /* a caller has it */
    /* The loop, set while it is not running; read by whoever took one of its tasks. */
    lcal__task_fn *fn;
    void *context;
    size_t first, count;
    atomic_uint_fast64_t open; /* threads that may help << 32 | tasks nobody took yet */
    atomic_size_t unfinished;  /* tasks not done */
    /* Sleep. */
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    atomic_size_t sleepers;
    atomic_bool caller_sleeps;
    size_t workers; /* started; touched by the caller only */
} pool;

static pool the_pool = {
    .busy = ATOMIC_FLAG_INIT,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .finished = PTHREAD_COND_INITIALIZER,
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* True where `worker` may take a task of such a state. */
static bool is_open(uint_fast64_t open, size_t worker)
{
    return (open & UINT32_MAX) != 0 && worker < open >> 32;
}

/* Takes and runs one task; false: there was none. */
static bool run_one(pool *p, size_t worker)
{
    uint_fast64_t open = atomic_load(&p->open);
    do
        if (!is_open(open, worker))
            return false;
    while (!atomic_compare_exchange_weak(&p->open, &open, open - 1));
    /* A loop with a task that is not done stays: its fields may be read. */
    p->fn(p->context, p->first + p->count - (size_t)(open & UINT32_MAX), worker);
    if (atomic_fetch_sub(&p->unfinished, 1) == 1 && atomic_load(&p->caller_sleeps)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_signal(&p->finished);
        pthread_mutex_unlock(&p->lock);
    }
    return true;
}

/* Either side announces itself first and looks second, so that not both can miss the other. */
static void sleep_for_work(pool *p, size_t worker)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!is_open(atomic_load(&p->open), worker))
        pthread_cond_wait(&p->work, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *number)
{
    pool *p = &the_pool;
    const size_t worker = (size_t)(uintptr_t)number;
    omp_set_num_threads(1); /* OpenBLAS (OpenMP build) would open a team of its own */
    for (size_t spins = 0;;) {
        if (run_one(p, worker)) {
            spins = 0;
        } else if (++spins < SPINS) {
            relax();
        } else {
            sleep_for_work(p, worker);
            spins = 0;
        }
    }
    return NULL;
}

/* The child of a fork has the caller's thread only. */
static void forget_workers(void)
{
    pthread_mutex_init(&the_pool.lock, NULL);
    pthread_cond_init(&the_pool.work, NULL);
    pthread_cond_init(&the_pool.finished, NULL);
    atomic_store(&the_pool.sleepers, 0);
    atomic_flag_clear(&the_pool.busy);
    the_pool.workers = 0;
}

/* Workers 1..threads - 1, as far as the system gives them: what is missing, the others do. */
static void start_workers(pool *p, size_t threads)
{
    if (p->workers == 0)
        pthread_atfork(NULL, NULL, forget_workers);
    while (p->workers + 1 < threads) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker_main, (void *)(uintptr_t)(p->workers + 1)) != 0)
            return;
        pthread_detach(thread);
        p->workers++;
    }
}

static void wait_for_end(pool *p)
{
    for (size_t spins = 0; atomic_load(&p->unfinished); spins++) {
        if (spins < SPINS) {
            relax();
            continue;
        }
        pthread_mutex_lock(&p->lock);
        atomic_store(&p->caller_sleeps, true);
        while (atomic_load(&p->unfinished))
            pthread_cond_wait(&p->finished, &p->lock);
        atomic_store(&p->caller_sleeps, false);
        pthread_mutex_unlock(&p->lock);
    }
}

/* Tasks first..first+count-1 on the caller and the workers below `threads`. */
static void run_round(pool *p, size_t threads, size_t first, size_t count)
{
    p->first = first;
    p->count = count;
    atomic_store(&p->unfinished, count);
    atomic_store(&p->open, (uint_fast64_t)threads << 32 | count);
    if (atomic_load(&p->sleepers)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
    while (run_one(p, 0))
        continue;
    wait_for_end(p);
}

static void run_alone(size_t count, lcal__task_fn *fn, void *context)
{
    for (size_t i = 0; i < count; i++)
        fn(context, i, 0);
}

void lcal__parallel_for(size_t threads, size_t count, lcal__task_fn *fn, void *context)
{
    pool *p = &the_pool;
    const int limit = omp_get_max_threads();
    if (threads > count)
        threads = count;
    omp_set_num_threads(1);
    if (threads <= 1 || atomic_flag_test_and_set(&p->busy)) {
        run_alone(count, fn, context);
    } else {
        start_workers(p, threads);
        p->fn = fn;
        p->context = context;
        for (size_t first = 0, round; first < count; first += round) {
            round = count - first < TASKS_MAX ? count - first : TASKS_MAX;
            run_round(p, threads < TASKS_MAX ? threads : TASKS_MAX, first, round);
        }
        atomic_flag_clear(&p->busy);
    }
    omp_set_num_threads(limit);
}

size_t lcal__threads_available(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}
