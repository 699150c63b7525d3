#include "num/panels.h"

#include "base/mem.h"

/* Depth of a panel: with its 32 columns 128 KiB, which stays in the second-level cache while all
 * rows of A pass, and is deep enough that rereading C for the next one is cheap. */
#define DEPTH 1024
/* Rows of A that one task works on: more would not pay for fewer packings, fewer would pack more.
 */
#define ROWS 504
/* Below these a panel is packed for too little. */
#define LEAST_ROWS 24
#define LEAST_COLS 16
/* Multiplications that a task should have, and how many tasks balance a handful of threads. */
#define TASK_WORK 1e6
#define MOST_TASKS 32

typedef struct panel_job {
    const lcal__product *p;
    const lcal__kernels *kernels;
    size_t rows;        /* of A a task */
    size_t panels;      /* a task */
    size_t task_groups; /* tasks side by side along n */
} panel_job;

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool lcal__panels_fit(const lcal__kernels *kernels, size_t m, size_t n, size_t k)
{
    return kernels->panel_product && m >= LEAST_ROWS && n >= LEAST_COLS && k > 0;
}

/* Rows m0.. of one panel, columns n0..: panels along k in order, each added to what is there. */
static void run_panel(const panel_job *job, size_t m0, size_t m, size_t n0, float *panel)
{
    const lcal__product *p = job->p;
    const size_t n = least(p->n - n0, LCAL__PANEL_COLS);
    const size_t row_step = p->ta ? 1 : p->lda, depth_step = p->ta ? p->lda : 1;
    float *c = p->c + m0 * p->ldc + n0;
    lcal__start start = {
        .rows = p->start.rows ? p->start.rows + m0 * p->start.ld + n0 : NULL,
        .ld = p->start.ld,
        .constant = p->start.constant ? p->start.constant + n0 : NULL,
    };
    for (size_t k0 = 0; k0 < p->k; k0 += DEPTH) {
        const size_t k = least(p->k - k0, DEPTH);
        job->kernels->panel_pack(panel, p->tb, p->b + (p->tb ? n0 * p->ldb + k0 : k0 * p->ldb + n0),
                                 p->ldb, k, n, p->alpha);
        job->kernels->panel_product(&start, p->a + m0 * row_step + k0 * depth_step, row_step,
                                    depth_step, panel, m, n, k, c, p->ldc);
        start = (lcal__start){.rows = c, .ld = p->ldc};
    }
}

static void run_task(void *context, size_t index, size_t worker)
{
    (void)worker;
    const panel_job *job = context;
    _Alignas(LCAL_ALIGN) float panel[DEPTH * LCAL__PANEL_COLS];
    const size_t m0 = index / job->task_groups * job->rows;
    const size_t first = index % job->task_groups * job->panels * LCAL__PANEL_COLS;
    const size_t end = least(first + job->panels * LCAL__PANEL_COLS, job->p->n);
    for (size_t n0 = first; n0 < end; n0 += LCAL__PANEL_COLS)
        run_panel(job, m0, least(job->p->m - m0, job->rows), n0, panel);
}

void lcal__panels_run(const lcal__exec *exec, const lcal__product *product)
{
    const size_t panels = ceil_div(product->n, LCAL__PANEL_COLS);
    const size_t slices = ceil_div(product->m, ROWS + ROWS / 2);
    const double work = (double)product->m * (double)product->n * (double)product->k / TASK_WORK;
    const size_t wanted = work >= MOST_TASKS ? MOST_TASKS : (size_t)work + 1;
    const size_t groups = least(ceil_div(wanted, slices), panels);
    panel_job job = {
        .p = product,
        .kernels = exec->kernels,
        .rows = ceil_div(product->m, slices),
        .panels = ceil_div(panels, groups),
    };
    job.rows = (job.rows + 11) / 12 * 12; /* whole tiles of the kernel */
    job.task_groups = ceil_div(panels, job.panels);
    lcal__parallel_for(exec->threads, ceil_div(product->m, job.rows) * job.task_groups, run_task,
                       &job);
}

void lcal__panels_serial(const lcal__kernels *kernels, const lcal__product *product)
{
    const size_t panels = ceil_div(product->n, LCAL__PANEL_COLS);
    panel_job job = {product, kernels, product->m, panels, 1};
    run_task(&job, 0, 0);
}
