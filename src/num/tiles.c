#include "num/tiles.h"

#include <stdint.h>

/*
 * Every tile packs its rows of A and its columns of B anew, so few and square tiles are cheapest;
 * many balance better. Numbers measured with OpenBLAS 0.3.21 (tests/bench/bench_gemm.c): these stay
 * within a few per cent of its own threading on two threads and leave tiles for more.
 */
#define SMALL_WORK 131072.0 /* multiplications not worth a second thread */
#define TILE_WORK 524288.0  /* multiplications of a tile at least, beyond that */
#define FEW_TILES 4
#define MANY_TILES 8
/* Most elements packed for a multiplication where many tiles are taken. */
#define MOST_PACKING 0.005
/* A packed panel of this many rows of A stays in the second-level cache: tall products are cut into
 * such panels, however many. */
#define PANEL_ROWS 512
/* Sides are multiples of what the kernels of sgemm work on at a time (rows of C: 4 to 12, columns:
 * 8 or 16 on the usual processors). */
#define GRAIN_M 4
#define GRAIN_N 16

static size_t ceil_div(size_t a, size_t b)
{
    return (a - 1) / b + 1;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The side of a tile when `size` is cut into about `parts`. */
static size_t side(size_t size, size_t parts, size_t grain)
{
    return least(ceil_div(ceil_div(size, parts), grain) * grain, size);
}

/* Elements of A and B packed for a multiplication, with m cut into parts_m and n into parts_n. */
static double packing(size_t m, size_t n, size_t parts_m, size_t parts_n)
{
    return (double)parts_m / (double)m + (double)parts_n / (double)n;
}

/* Into how many parts m goes when all tiles are `count`, a power of two. */
static size_t cheapest_cut(size_t m, size_t n, size_t count)
{
    size_t best = 1;
    for (size_t parts = 2; parts <= count; parts *= 2)
        if (packing(m, n, parts, count / parts) < packing(m, n, best, count / best))
            best = parts;
    return best;
}

lcal__tiles lcal__tiles_plan(size_t m, size_t n, size_t k, size_t widest)
{
    size_t count = MANY_TILES;
    size_t parts_m = cheapest_cut(m, n, count);
    if (packing(m, n, parts_m, count / parts_m) > MOST_PACKING) {
        count = FEW_TILES;
        parts_m = cheapest_cut(m, n, count);
    }
    size_t parts_n = count / parts_m;
    if (m >= FEW_TILES * PANEL_ROWS) {
        parts_m = m / PANEL_ROWS;
        parts_n = 1;
    }

    double work = (double)m * (double)n * (double)k;
    size_t worth = work < SMALL_WORK ? 1 : work < 1e15 ? 1 + (size_t)(work / TILE_WORK) : SIZE_MAX;
    lcal__tiles tiles = {.m = m, .n = n};
    tiles.tile_m = side(m, least(parts_m, worth), GRAIN_M);
    tiles.tile_n = least(side(n, least(parts_n, worth), GRAIN_N), widest);
    tiles.across = ceil_div(n, tiles.tile_n);
    tiles.count = tiles.across * ceil_div(m, tiles.tile_m);
    return tiles;
}

lcal__tile lcal__tiles_at(const lcal__tiles *tiles, size_t index)
{
    lcal__tile tile = {
        .m0 = index / tiles->across * tiles->tile_m,
        .n0 = index % tiles->across * tiles->tile_n,
    };
    size_t left_m = tiles->m - tile.m0;
    size_t left_n = tiles->n - tile.n0;
    tile.m = left_m < tiles->tile_m ? left_m : tiles->tile_m;
    tile.n = left_n < tiles->tile_n ? left_n : tiles->tile_n;
    return tile;
}
