/*
 * The nearest update of a given rank (Eckart and Young 1936), and how far it is away: for rules
 * that cut, and for files that hold nothing but pairs.
 */
#ifndef LCAL_MERGE_CUT_H
#define LCAL_MERGE_CUT_H

#include "model/adapter.h"
#include "num/exec.h"

/* Owns its values. Zeroed is valid and empty. */
typedef struct lcal__cut {
    lcal__lora_pair pair; /* scale 1; columns of B orthogonal, of falling length; rows of A
                             orthonormal */
    float *values;
    double truncation; /* Frobenius norm of what was cut off over that of the whole; 0 for none */
} lcal__cut;

void lcal__cut_free(lcal__cut *cut);

/* Of sum of scale B A [rows, cols], `count` pairs of total rank R: exact, at a cost of
 * (rows + cols) R^2, in double. rank: at least 1, at most R, rows and cols. */
lcal_status lcal__cut_pairs(const lcal__exec *exec, const lcal__lora_pair *pairs, size_t count,
                            size_t rows, size_t cols, size_t rank, lcal__cut *out, lcal_error *err);

/*
 * Of a dense update [rows, cols]. By block iteration from a fixed random start (Halko, Martinsson
 * and Tropp 2011), until it gains no more than 1e-6 of what it keeps, which for spectra that fall
 * slowly may be short of the best; `truncation` is that of the pair returned.
 */
lcal_status lcal__cut_dense(const lcal__exec *exec, const float *update, size_t rows, size_t cols,
                            size_t rank, lcal__cut *out, lcal_error *err);

#endif
