/*
 * Two orders of the rows of a head of queries or keys. Rotation turns pairs of dimensions: Hugging
 * Face pairs i with i + head_dim / 2, llama2.c and GGUF's arch llama pair 2i with 2i + 1.
 */
#ifndef LCAL_MODEL_INTERLEAVE_H
#define LCAL_MODEL_INTERLEAVE_H

#include <stddef.h>

/* Where row `row` of halves stands in pairs side by side, and back; both within its head. */
static inline size_t lcal__interleaved_row(size_t row, size_t head_dim)
{
    const size_t in = row % head_dim, half = head_dim / 2;
    return row - in + in % half * 2 + in / half;
}

static inline size_t lcal__halved_row(size_t row, size_t head_dim)
{
    const size_t in = row % head_dim, half = head_dim / 2;
    return row - in + in % 2 * half + in / 2;
}

#endif
