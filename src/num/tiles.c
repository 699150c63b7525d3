#include "num/tiles.h"

/* Below this many multiplications a product is not worth a second thread. */
#define SMALL_WORK 131072.0
/* What a tile should do at least, and how many tiles balance a handful of threads. */
#define TILE_WORK 4194304.0
#define LEAST_TILES 4
#define MOST_TILES 16
/* Sides are multiples of what the kernels of sgemm work on at a time (rows of C: 4 or 12, columns:
 * 16 to 64 on the usual processors). */
#define GRAIN_M 12
#define GRAIN_N 64

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

static size_t tiles_wanted(size_t m, size_t n, size_t k)
{
    double work = (double)m * (double)n * (double)k;
    if (work < SMALL_WORK)
        return 1;
    if (work >= TILE_WORK * MOST_TILES)
        return MOST_TILES;
    size_t wanted = (size_t)(work / TILE_WORK);
    return wanted > LEAST_TILES ? wanted : LEAST_TILES;
}

lcal__tiles lcal__tiles_plan(size_t m, size_t n, size_t k, size_t widest)
{
    size_t wanted = tiles_wanted(m, n, k);
    lcal__tiles tiles = {.m = m, .n = n};
    tiles.tile_m = side(m, n >= m ? 1 : wanted, GRAIN_M);
    tiles.tile_n = least(side(n, n >= m ? wanted : 1, GRAIN_N), widest);
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
