/*
 * How a product C[m,n] over k is cut into tasks. The cut depends on the shape alone, so that a
 * result never depends on the number of threads.
 */
#ifndef LCAL_NUM_TILES_H
#define LCAL_NUM_TILES_H

#include <stddef.h>

/* A grid of equal tiles; the last row and column of tiles may be smaller. */
typedef struct lcal__tiles {
    size_t m, n;   /* of C */
    size_t tile_m; /* rows of a tile */
    size_t tile_n; /* columns of a tile */
    size_t across; /* tiles side by side */
    size_t count;  /* tiles in all */
} lcal__tiles;

/* One tile of C: rows m0 .. m0+m-1, columns n0 .. n0+n-1. */
typedef struct lcal__tile {
    size_t m0, m, n0, n;
} lcal__tile;

/* m, n > 0; widest: most columns of a tile, SIZE_MAX for no limit. */
lcal__tiles lcal__tiles_plan(size_t m, size_t n, size_t k, size_t widest);

/* index < tiles->count */
lcal__tile lcal__tiles_at(const lcal__tiles *tiles, size_t index);

#endif
