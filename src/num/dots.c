#include "num/dots.h"

/* Longest run along k that the kernel sums at a time: its tile of both operands stays in the
 * first-level cache. Fixed: it is part of the order of an element's sum. */
#define DEPTH 512
/* Rows of b that all rows of a pass while they lie in the second-level cache, and those that a few
 * rows of a pass while they lie in the first-level cache. */
#define BLOCK 64
#define FEW_BLOCK 16
#define FEW_ROWS 24
/* Multiplications of a task at least, where every row of b counts as READ_COST more rows of a (few
 * rows wait for memory), and how many tasks balance a handful of threads. */
#define TASK_WORK 1e6
#define READ_COST 8
#define MOST_TASKS 32
/* Grain of the cut into tasks. */
#define TASK_ROWS 24
#define TASK_COLS 16

typedef struct dots_job {
    const lcal__dots *p;
    const lcal__kernels *kernels;
    size_t rows, cols; /* of c a task */
    size_t across;     /* tasks side by side along n */
} dots_job;

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Rows m0.. of a against rows n0.. of b, stretches along k in order, each added to what is there.
 */
static void run_block(const dots_job *job, size_t m0, size_t m, size_t n0, size_t n)
{
    const lcal__dots *p = job->p;
    float *c = p->c + m0 * p->ldc + n0;
    lcal__start start = {
        .rows = p->start.rows ? p->start.rows + m0 * p->start.ld + n0 : NULL,
        .ld = p->start.ld,
        .constant = p->start.constant ? p->start.constant + n0 : NULL,
    };
    size_t k0 = 0;
    do {
        const size_t k = least(p->k - k0, DEPTH);
        const char *b = (const char *)p->b + (n0 * p->ldb + k0) * lcal__dtype_size(p->dtype);
        job->kernels->dots(&start, p->alpha, p->a + m0 * p->lda + k0, p->lda, b, p->dtype, p->ldb,
                           m, n, k, c, p->ldc);
        start = (lcal__start){.rows = c, .ld = p->ldc};
        k0 += k;
    } while (k0 < p->k);
}

static void run_task(void *context, size_t index, size_t worker)
{
    (void)worker;
    const dots_job *job = context;
    const size_t m0 = index / job->across * job->rows, m = least(job->p->m - m0, job->rows);
    const size_t first = index % job->across * job->cols;
    const size_t end = least(first + job->cols, job->p->n);
    const size_t block = m <= FEW_ROWS ? FEW_BLOCK : BLOCK;
    for (size_t n0 = first; n0 < end; n0 += block)
        run_block(job, m0, m, n0, least(end - n0, block));
}

void lcal__dots_run(const lcal__exec *exec, const lcal__dots *product)
{
    const size_t m = product->m, n = product->n;
    if (m == 0 || n == 0)
        return;
    const double work = ((double)m + READ_COST) * (double)n * (double)product->k / TASK_WORK;
    const size_t wanted = work >= MOST_TASKS ? MOST_TASKS : (size_t)work + 1;
    const size_t across = least(wanted, ceil_div(n, TASK_COLS));
    const size_t down = least(ceil_div(wanted, across), ceil_div(m, TASK_ROWS));
    dots_job job = {
        .p = product,
        .kernels = exec->kernels,
        .rows = ceil_div(ceil_div(m, down), TASK_ROWS) * TASK_ROWS,
        .cols = ceil_div(ceil_div(n, across), TASK_COLS) * TASK_COLS,
    };
    job.across = ceil_div(n, job.cols);
    lcal__parallel_for(exec->threads, job.across * ceil_div(m, job.rows), run_task, &job);
}

void lcal__dots_serial(const lcal__kernels *kernels, const lcal__dots *product)
{
    if (product->m == 0 || product->n == 0)
        return;
    const dots_job job = {
        .p = product, .kernels = kernels, .rows = product->m, .cols = product->n, .across = 1};
    run_task((void *)&job, 0, 0);
}
