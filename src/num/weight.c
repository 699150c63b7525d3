#include "num/weight.h"

#include <assert.h>

#include "num/dots.h"
#include "num/gemm.h"
#include "num/tiles.h"

/* Floats of W that a worker holds widened at a time: half of a usual L2 cache. */
#define PANEL_FLOATS 131072
/* Longest side of a panel along C, so that it stays deep enough along the sum. */
#define PANEL_SIDE 512

size_t lcal__weight_scratch(const lcal__weight *w, size_t threads)
{
    return w->dtype == LCAL__F32 ? 0 : threads * PANEL_FLOATS;
}

static void widen(const lcal__kernels *kernels, const lcal__weight *w, size_t row, size_t col,
                  size_t count, float *out)
{
    const uint16_t *src = (const uint16_t *)w->data + row * w->cols + col;
    if (w->dtype == LCAL__BF16)
        kernels->widen_bf16(out, src, count);
    else
        kernels->widen_f16(out, src, count);
}

/* out[m, n] = in[m, k] op(W) + beta out, with op(W) = W^T [cols, rows] forward, W backward. */
typedef struct product {
    const lcal__exec *exec;
    const lcal__weight *w;
    bool forward;
    lcal__tiles tiles;
    size_t k, n;
    float beta;
    const float *in;
    float *out;
    float *scratch; /* [workers, PANEL_FLOATS] */
} product;

/* One tile of `out`: panels of W, k by k, widened and multiplied in order. */
static void run_tile(void *context, size_t index, size_t worker)
{
    const product *p = context;
    lcal__tile tile = lcal__tiles_at(&p->tiles, index);
    float *panel = p->scratch + worker * PANEL_FLOATS;
    float *out = p->out + tile.m0 * p->n + tile.n0;
    size_t depth = PANEL_FLOATS / tile.n;
    for (size_t k0 = 0; k0 < p->k; k0 += depth) {
        size_t k = p->k - k0 < depth ? p->k - k0 : depth;
        size_t first_row = p->forward ? tile.n0 : k0;
        size_t first_col = p->forward ? k0 : tile.n0;
        size_t rows = p->forward ? tile.n : k;
        size_t cols = p->forward ? k : tile.n;
        for (size_t i = 0; i < rows; i++)
            widen(p->exec->kernels, p->w, first_row + i, first_col, cols, panel + i * cols);
        lcal__gemm_serial(p->exec->kernels, false, p->forward, tile.m, tile.n, k, 1.0f,
                          p->in + tile.m0 * p->k + k0, p->k, panel, cols, k0 == 0 ? p->beta : 1.0f,
                          out, p->n);
    }
}

static void multiply(const lcal__exec *exec, const lcal__weight *w, bool forward, const float *in,
                     size_t m, const lcal__start *start, float *out, float *scratch)
{
    size_t k = forward ? w->cols : w->rows;
    size_t n = forward ? w->rows : w->cols;
    if (w->dtype == LCAL__F32 || m == 0 || n == 0 || k == 0) {
        lcal__gemm_from(exec, forward, m, n, k, in, k, w->data, w->cols, start, out, n);
        return;
    }
    product p = {
        .exec = exec,
        .w = w,
        .forward = forward,
        .tiles = lcal__tiles_plan(m, n, k, PANEL_SIDE),
        .k = k,
        .n = n,
        .beta = lcal__start_fill(exec, start, m, n, out, n),
        .in = in,
        .out = out,
        .scratch = scratch,
    };
    lcal__parallel_for(exec->threads, p.tiles.count, run_tile, &p);
}

void lcal__weight_forward(const lcal__exec *exec, const lcal__weight *w, const float *x, size_t n,
                          const lcal__start *start, float *y, float *scratch)
{
    static const lcal__start nothing;
    if (!start)
        start = &nothing;
    if (!exec->row_invariant) {
        multiply(exec, w, true, x, n, start, y, scratch);
        return;
    }
    const lcal__dots dots = {
        .m = n,
        .n = w->rows,
        .k = w->cols,
        .alpha = 1.0f,
        .a = x,
        .lda = w->cols,
        .b = w->data,
        .dtype = w->dtype,
        .ldb = w->cols,
        .start = *start,
        .c = y,
        .ldc = w->rows,
    };
    lcal__dots_run(exec, &dots);
}

void lcal__weight_backward(const lcal__exec *exec, const lcal__weight *w, const float *dy, size_t n,
                           bool add, float *dx, float *scratch)
{
    assert(!exec->row_invariant);
    const lcal__start start = {.rows = add ? dx : NULL, .ld = w->cols};
    multiply(exec, w, false, dy, n, &start, dx, scratch);
}

void lcal__weight_row(const lcal__weight *w, size_t row, float *out)
{
    const unsigned char *bytes = w->data;
    size_t offset = row * w->cols * lcal__dtype_size(w->dtype);
    lcal__convert_to_f32(w->dtype, bytes + offset, out, w->cols);
}
